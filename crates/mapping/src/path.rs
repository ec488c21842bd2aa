//! Where in a document a value stands.

use std::ops::ControlFlow;

use wrenchtime_connector::Value;

/// A path, read once when a mapping is compiled.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Path {
    text: Box<str>,
    from_root: bool,
    steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Debug)]
enum Step {
    Member(Box<str>),
    /// The place in a list, from 0; in an object the member with this name.
    Index(usize, Box<str>),
    Every,
}

/// What paths are followed from: the document, and the line of it that is being mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'t, 'd> {
    pub(crate) root: &'t Value<'d>,
    pub(crate) item: &'t Value<'d>,
    /// Place of the line in its list, from 1.
    pub(crate) position: i64,
}

impl<'t, 'd> Scope<'t, 'd> {
    pub(crate) fn of_document(root: &'t Value<'d>) -> Self {
        Self {
            root,
            item: root,
            position: 1,
        }
    }

    pub(crate) fn of_item(self, item: &'t Value<'d>, position: i64) -> Self {
        Self {
            item,
            position,
            ..self
        }
    }
}

type Visit<'v, 't, 'd> = dyn FnMut(&'t Value<'d>) -> ControlFlow<()> + 'v;

impl Path {
    /// Reads the text of a path; the error is the reason why it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (from_root, rest) = match trimmed {
            "" => return Err("the path is empty".to_owned()),
            "@" => (false, ""),
            "$" => (true, ""),
            _ => match trimmed.strip_prefix("$.") {
                Some(rest) => (true, rest),
                None => (false, trimmed),
            },
        };
        let steps = if rest.is_empty() && matches!(trimmed, "@" | "$") {
            Vec::new()
        } else {
            parse_steps(rest)?
        };
        Ok(Self {
            text: trimmed.into(),
            from_root,
            steps,
        })
    }

    /// Returns the path as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether it may find more than one value.
    pub(crate) fn is_many(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    /// Calls for every value found that is not absent, until told to stop.
    pub(crate) fn visit<'t, 'd>(
        &self,
        scope: Scope<'t, 'd>,
        visit: &mut Visit<'_, 't, 'd>,
    ) -> ControlFlow<()> {
        let start = if self.from_root {
            scope.root
        } else {
            scope.item
        };
        walk(&self.steps, start, visit)
    }

    /// Returns the first value found that is not absent.
    pub(crate) fn first<'t, 'd>(&self, scope: Scope<'t, 'd>) -> Option<&'t Value<'d>> {
        let mut found = None;
        let _stopped = self.visit(scope, &mut |value| {
            found = Some(value);
            ControlFlow::Break(())
        });
        found
    }
}

fn walk<'t, 'd>(
    steps: &[Step],
    value: &'t Value<'d>,
    visit: &mut Visit<'_, 't, 'd>,
) -> ControlFlow<()> {
    let mut value = value;
    for (place, step) in steps.iter().enumerate() {
        let next = match (step, value) {
            // What was not read answers for everything inside, so that it is told and not taken for absent.
            (_, Value::Opaque) => Some(value),
            (Step::Every, Value::List(items)) => {
                let rest = steps.get(place + 1..).unwrap_or_default();
                return items.iter().try_for_each(|item| walk(rest, item, visit));
            }
            // Sources that come from XML write a list of one as the one.
            (Step::Every, Value::Object(_)) => Some(value),
            (Step::Index(index, _), Value::List(items)) => items.get(*index),
            (Step::Member(name) | Step::Index(_, name), Value::Object(_)) => value.member(name),
            _ => None,
        };
        let Some(next) = next else {
            return ControlFlow::Continue(());
        };
        value = next;
    }
    if value.is_absent() {
        return ControlFlow::Continue(());
    }
    visit(value)
}

fn parse_steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let (step, after) = parse_step(rest)?;
        steps.push(step);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(steps),
            None => return Err("a dot belongs behind the closing quote".to_owned()),
        }
    }
}

fn parse_step(text: &str) -> Result<(Step, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let Some((name, after)) = quoted.split_once('"') else {
            return Err("a quote is not closed".to_owned());
        };
        return Ok((Step::Member(name.into()), after));
    }
    let end = text.find('.').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    match name {
        "" => Err("a name is missing before, behind or between dots".to_owned()),
        "*" => Ok((Step::Every, after)),
        "#" => Err(
            "`#`, the place in a list, stands alone, for a whole number inside of `each`"
                .to_owned(),
        ),
        _ if name.trim() != name || name.contains('"') => {
            Err(format!("`{name}` must stand in quotes"))
        }
        _ if name.bytes().all(|byte| byte.is_ascii_digit()) => match name.parse() {
            Ok(index) => Ok((Step::Index(index, name.into()), after)),
            Err(_) => Err(format!("`{name}` is no place in a list")),
        },
        _ => Ok((Step::Member(name.into()), after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "a": {"b": [{"c": 1}, {"c": " "}, {"c": 3}], "0": "zero"},
        "x.y": {"p q": 7},
        "one": {"c": 9}
    }"#;

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let document = Value::parse(DOCUMENT).unwrap();
        let mut found = Vec::new();
        let path = Path::parse(path).unwrap();
        let _stopped = path.visit(Scope::of_document(&document), &mut |value| {
            found.push(value.as_text().unwrap_or("...").to_owned());
            ControlFlow::Continue(())
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_find_what_they_name() {
        check("a.b.0.c", &["1"]);
        check("a.b.*.c", &["1", "3"]);
        check("a.b.1.c", &[]);
        check("a.0", &["zero"]);
        check("a.b.7.c", &[]);
        check("a.b.c", &[]);
        check(r#""x.y"."p q""#, &["7"]);
        check(r#""x.y".p q"#, &["7"]);
        check("one.*.c", &["9"]);
        check("$.one.c", &["9"]);
        check("$", &["..."]);
        check("@", &["..."]);
    }

    #[test]
    fn a_line_can_look_back_at_its_document() {
        let document = Value::parse(DOCUMENT).unwrap();
        let line = Value::parse(r#"{"c": "line"}"#).unwrap();
        let scope = Scope::of_document(&document).of_item(&line, 1);
        let found = |path: &str| {
            Path::parse(path)
                .unwrap()
                .first(scope)
                .and_then(Value::as_text)
        };
        assert_eq!(found("c"), Some("line"));
        assert_eq!(found("$.one.c"), Some("9"));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            " ",
            "a.",
            ".a",
            "a..b",
            "$.",
            "\"a",
            "\"a\"b",
            "a .b",
            "#",
            "a.#",
            "99999999999999999999",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
