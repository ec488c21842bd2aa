//! Named functions that a rule applies to a value before it is converted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use wrenchtime_connector::{NamedFunction, Value};

/// Changes one value. It is never called with an absent one; [`Value::Null`] as its result leaves the field out.
///
/// It must give the same result for the same value, and never panic. When what a function does changes, change the
/// text of the mapping too (a comment is enough): documents are mapped again only under another version.
///
/// # Errors
/// When the value is none that the function can work on. It becomes a data issue.
pub type Function = for<'a> fn(&Value<'a>) -> Result<Value<'a>, String>;

/// The functions that a mapping may name.
///
/// ```
/// use wrenchtime_connector::Value;
/// use wrenchtime_mapping::Functions;
///
/// fn first_word<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
///     let text = value.as_text().ok_or("not a text")?;
///     Ok(Value::from(text.split(' ').next().unwrap_or_default().to_owned()))
/// }
///
/// let functions = Functions::builtin().with("first_word", first_word);
/// ```
#[derive(Clone)]
pub struct Functions {
    by_name: BTreeMap<String, Function>,
}

impl Functions {
    /// Returns those that every mapping has.
    ///
    /// | Name | Does |
    /// |---|---|
    /// | `not` | turns a flag around |
    /// | `yes_no` | reads Y/N, yes/no, true/false, 1/0, in any case, as a flag |
    /// | `trim` | cuts off blanks around text |
    /// | `lower`, `upper` | changes the case of text |
    /// | `digits_only` | keeps the digits 0 to 9 of text; absent if there are none |
    /// | `negate` | turns a number's sign around, keeping its digits |
    /// | `zero_is_none` | leaves out a number that is zero |
    /// | `no_sentinel_date` | leaves out 0000-00-00, 0001-01-01 and 1753-01-01, which sources write for "none" |
    pub fn builtin() -> Self {
        let none = Self {
            by_name: BTreeMap::new(),
        };
        none.with("not", not)
            .with("yes_no", yes_no)
            .with("trim", trim)
            .with("lower", lower)
            .with("upper", upper)
            .with("digits_only", digits_only)
            .with("negate", negate)
            .with("zero_is_none", zero_is_none)
            .with("no_sentinel_date", no_sentinel_date)
    }

    /// Adds a function, in place of one that has this name already.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, function: Function) -> Self {
        self.by_name.insert(name.into(), function);
        self
    }

    /// Adds the functions of a connector, in place of those that have their names already.
    #[must_use]
    pub fn with_named(mut self, functions: &[NamedFunction]) -> Self {
        for function in functions {
            self.by_name
                .insert(function.name.to_owned(), function.apply);
        }
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<Function> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn not<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    match value.as_boolean() {
        Some(flag) => Ok(Value::Boolean(!flag)),
        None => Err("not a flag".to_owned()),
    }
}

fn yes_no<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    let text = value.as_text().unwrap_or_default().to_ascii_lowercase();
    match text.as_str() {
        "y" | "yes" | "true" | "1" => Ok(Value::Boolean(true)),
        "n" | "no" | "false" | "0" => Ok(Value::Boolean(false)),
        _ => Err("neither yes nor no".to_owned()),
    }
}

fn text_of<'v>(value: &'v Value<'_>) -> Result<&'v str, String> {
    match value {
        Value::Text(_) | Value::Number(_) => Ok(value.as_text().unwrap_or_default()),
        _ => Err("not a text".to_owned()),
    }
}

fn trim<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    match value {
        Value::Text(Cow::Borrowed(text)) => Ok(Value::from(text.trim())),
        Value::Text(Cow::Owned(text)) => Ok(Value::from(text.trim().to_owned())),
        other => Ok(other.clone()),
    }
}

fn lower<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    Ok(Value::from(text_of(value)?.to_lowercase()))
}

fn upper<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    Ok(Value::from(text_of(value)?.to_uppercase()))
}

fn digits_only<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    let text = text_of(value)?;
    Ok(Value::from(
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>(),
    ))
}

fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    match value.as_decimal() {
        Some(number) => Ok(Value::from(-number)),
        None => Err("not a number".to_owned()),
    }
}

fn zero_is_none<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    match value.as_decimal() {
        Some(number) if number.is_zero() => Ok(Value::Null),
        Some(_) => Ok(value.clone()),
        None => Err("not a number".to_owned()),
    }
}

fn no_sentinel_date<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    let text = value.as_text().unwrap_or_default();
    let day = text.split(['T', 't', ' ']).next().unwrap_or_default();
    let sentinel = match day {
        "0000-00-00" | "0001-01-01" | "1753-01-01" => true,
        _ => {
            let mut parts = day.split('/').map(|part| part.parse::<u16>().ok());
            let month_and_day = [parts.next().flatten(), parts.next().flatten()];
            month_and_day == [Some(1); 2] && matches!(parts.next(), Some(Some(1 | 1753)))
        }
    };
    Ok(if sentinel { Value::Null } else { value.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::push_value;

    #[track_caller]
    fn check(name: &str, json: &str, expected: Option<&str>) {
        let function = Functions::builtin().get(name).unwrap();
        let result = function(&Value::parse(json).unwrap()).ok().map(|value| {
            let mut out = String::new();
            push_value(&mut out, &value);
            out
        });
        assert_eq!(result.as_deref(), expected, "{name} of {json}");
    }

    #[test]
    fn flags() {
        check("not", "true", Some("false"));
        check("not", "\"FALSE\"", Some("true"));
        check("not", "\"maybe\"", None);
        check("yes_no", "\"Y\"", Some("true"));
        check("yes_no", "\"no\"", Some("false"));
        check("yes_no", "0", Some("false"));
        check("yes_no", "[1]", None);
    }

    #[test]
    fn texts() {
        check("trim", "\" a b \"", Some("\"a b\""));
        check("trim", "\" a\\tb \"", Some("\"a\\tb\""));
        check("trim", "7", Some("7"));
        check("lower", "\"ÄB\"", Some("\"äb\""));
        check("upper", "\"äb\"", Some("\"ÄB\""));
        check("upper", "{}", None);
        check("digits_only", "\"WO-00 12\"", Some("\"0012\""));
        check("digits_only", "\"none\"", Some("\"\""));
    }

    #[test]
    fn numbers() {
        check("negate", "12.10", Some("-12.10"));
        check("negate", "\"-3\"", Some("3"));
        check("negate", "\"three\"", None);
        check("zero_is_none", "0.00", Some("null"));
        check("zero_is_none", "\"0\"", Some("null"));
        check("zero_is_none", "5.0", Some("5.0"));
        check("zero_is_none", "\"x\"", None);
    }

    #[test]
    fn sentinel_dates() {
        check("no_sentinel_date", "\"0001-01-01T00:00:00\"", Some("null"));
        check("no_sentinel_date", "\"1753-01-01\"", Some("null"));
        check("no_sentinel_date", "\"0000-00-00 00:00:00\"", Some("null"));
        check("no_sentinel_date", "\"1/1/1753 12:00 AM\"", Some("null"));
        check("no_sentinel_date", "\"01/01/0001\"", Some("null"));
        check("no_sentinel_date", "\"2031-01-01\"", Some("\"2031-01-01\""));
        check("no_sentinel_date", "\"1/2/0001\"", Some("\"1/2/0001\""));
    }

    #[test]
    fn a_later_function_takes_the_place_of_an_earlier_one() {
        fn shout<'a>(_: &Value<'a>) -> Result<Value<'a>, String> {
            Ok(Value::from("!"))
        }
        let function = Functions::builtin().with("not", shout).get("not").unwrap();
        assert_eq!(function(&Value::Boolean(true)), Ok(Value::from("!")));
    }

    #[test]
    fn a_connectors_function_loses_no_digit() {
        const FUNCTIONS: &[NamedFunction] = &[NamedFunction {
            name: "second",
            apply: |value| {
                let items = value.as_list().ok_or("no list")?;
                items.get(1).cloned().ok_or_else(|| "no second".to_owned())
            },
        }];
        let second = Functions::builtin()
            .with_named(FUNCTIONS)
            .get("second")
            .unwrap();
        let row = Value::parse(r#"[1, {"a": [true, 1234567890123456789.50]}]"#).unwrap();
        let mut out = String::new();
        assert!(push_value(&mut out, &second(&row).unwrap()));
        assert_eq!(out, r#"{"a":[true,1234567890123456789.50]}"#);
        assert_eq!(
            second(&Value::parse("[1]").unwrap()),
            Err("no second".to_owned())
        );
    }
}
