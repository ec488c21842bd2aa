//! Reads JSON that was checked before, in one pass, borrowing what it can.
//!
//! A reader of its own because `serde_json` hands numbers on as doubles, and because raw values, unlike parsed ones,
//! may be nested without limit and hold halves of surrogate pairs.

use std::borrow::Cow;
use std::str::Chars;

use super::Value;

/// Deeper lists and objects are passed over. Well below what readers of JSON refuse, and what a thread's stack holds.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str) -> Option<Value<'_>> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_blank();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next, blanks before it included.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blank();
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blank();
        match self.peek()? {
            b'{' | b'[' if depth >= MAX_DEPTH => self.pass_over(),
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.word("true", Value::Boolean(true)),
            b'f' => self.word("false", Value::Boolean(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let found = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        found.then_some(value)
    }

    fn number(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at)?;
        (!digits.is_empty()).then_some(Value::Number(Cow::Borrowed(digits)))
    }

    fn list(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Some(Value::List(items));
            }
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Some(Value::Object(members));
        }
        loop {
            self.skip_blank();
            let name = self.string()?;
            if !self.take(b':') {
                return None;
            }
            members.push((name, self.value(depth + 1)?));
            if self.take(b'}') {
                return Some(Value::Object(members));
            }
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if self.peek() == Some(b'"') {
                break;
            }
            escaped = true;
            self.at += 2;
        }
        let raw = self.text.get(start..self.at)?;
        self.at += 1;
        Some(if escaped {
            Cow::Owned(unescape(raw))
        } else {
            Cow::Borrowed(raw)
        })
    }

    /// Passes over a list or object without recursion.
    fn pass_over(&mut self) -> Option<Value<'a>> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(Value::Opaque);
            }
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => text.push(code_point(&mut chars)),
            Some(itself) => text.push(itself),
            None => {}
        }
    }
    text
}

/// Reads what follows `\u`, a second half of a pair included. Half a pair alone becomes the replacement character.
fn code_point(chars: &mut Chars<'_>) -> char {
    let unit = hex4(chars);
    if (0xd800..0xdc00).contains(&unit) {
        let mut ahead = chars.clone();
        if ahead.next() == Some('\\') && ahead.next() == Some('u') {
            let low = hex4(&mut ahead);
            if (0xdc00..0xe000).contains(&low) {
                *chars = ahead;
                let point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hex4(chars: &mut Chars<'_>) -> u32 {
    chars
        .by_ref()
        .take(4)
        .fold(0, |unit, digit| unit << 4 | digit.to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|flag| json!(flag)),
            any::<i64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|items| json!(items)),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| json!(members)),
            ]
        })
    }

    fn to_json(value: &Value<'_>) -> serde_json::Value {
        match value {
            Value::Null | Value::Opaque => json!(null),
            Value::Boolean(flag) => json!(flag),
            Value::Number(digits) => json!(digits.parse::<serde_json::Number>().unwrap()),
            Value::Text(text) => json!(text),
            Value::List(items) => items.iter().map(to_json).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone().into_owned(), to_json(member)))
                .collect(),
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_wrote(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            prop_assert_eq!(to_json(&parse(&text).unwrap()), value);
        }

        #[test]
        fn no_text_makes_it_panic(text in r#"[\[\]{}",:\\u0-9a-f\-+. tn]{0,40}"#) {
            let ours = parse(&text);
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(ours.is_some());
            }
        }
    }

    #[test]
    fn half_a_pair_is_replaced() {
        assert_eq!(parse(r#""\ud800x""#), Some(Value::from("\u{fffd}x")));
        assert_eq!(
            parse(r#""\ud800\ud800\udc00""#),
            Some(Value::from("\u{fffd}\u{10000}"))
        );
    }

    #[test]
    fn endless_nesting_is_passed_over() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(r#"{{"deep":{deep},"after":1}}"#);
        let value = parse(&json).unwrap();
        assert_eq!(value["deep"]["anything"], Value::Null);
        assert!(!value["deep"].is_absent());
        assert_eq!(value["after"], Value::Number("1".into()));
    }

    #[test]
    fn unfinished_text_is_refused() {
        for text in [
            "", "[1", "{\"a\"", "{\"a\":1", "\"", "\"\\", "tru", "[1]]", "[1 2]",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
