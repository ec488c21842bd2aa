//! A source's JSON, with every number in the source's own digits.

mod parse;

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::convert;
use crate::write::push_text;

/// A value of a source document, as functions get and return it.
///
/// Numbers keep the text in which the source wrote them, so that no digit is lost on the way.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing; what a function returns to leave its field out.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number, as JSON writes it.
    Number(Cow<'a, str>),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Self>),
    /// An object; of members with the same name the last one counts.
    Object(Vec<(Cow<'a, str>, Self)>),
    /// A list or object nested too deeply to be read.
    Opaque,
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl From<Decimal> for Value<'_> {
    fn from(number: Decimal) -> Self {
        Self::Number(Cow::Owned(number.to_string()))
    }
}

impl<'a> Value<'a> {
    /// Reads JSON text. Nothing when it is none.
    pub(crate) fn parse(json: &'a str) -> Option<Self> {
        parse::parse(json)
    }

    /// Tells whether the value counts as absent: null, blank text, an empty list or object.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            Self::Boolean(_) | Self::Number(_) | Self::Opaque => false,
        }
    }

    /// Tells whether the value is neither a list nor an object.
    pub(crate) fn is_single(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_) | Self::Opaque)
    }

    /// Returns what stands in a single value: text without blanks around it, a number's digits, `true` or `false`.
    /// Nothing for blank text, null, lists and objects.
    pub fn as_text(&self) -> Option<&str> {
        let text = match self {
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
            Self::Number(number) => number,
            Self::Text(text) => text.trim(),
            Self::Null | Self::List(_) | Self::Object(_) | Self::Opaque => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Returns a number, or text that is one in plain digits, as a decimal. Digits beyond the 28 or so that a
    /// [`Decimal`] holds are rounded; a number too large for it is none.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(_) | Self::Text(_) => convert::parse_decimal(self.as_text()?),
            _ => None,
        }
    }

    /// Returns a flag: true or false, 1 or 0, or one of them as text, in any case.
    pub fn as_boolean(&self) -> Option<bool> {
        let text = self.as_text()?;
        match text {
            "1" => Some(true),
            "0" => Some(false),
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Returns an object's member of this name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let member = members.iter().rev().find(|(known, _)| known == name)?;
        Some(&member.1)
    }

    /// Returns the value for functions that work on JSON values. What was not read is null.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null | Self::Opaque => Json::Null,
            Self::Boolean(flag) => Json::Bool(*flag),
            Self::Number(number) => number
                .parse::<serde_json::Number>()
                .map_or_else(|_| Json::String(number.clone().into_owned()), Json::Number),
            Self::Text(text) => Json::String(text.clone().into_owned()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone().into_owned(), member.to_json()))
                .collect(),
        }
    }

    /// Takes back what such a function returned.
    pub(crate) fn from_json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Boolean(flag),
            Json::Number(number) => Self::Number(Cow::Owned(number.to_string())),
            Json::String(text) => Self::Text(Cow::Owned(text)),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from_json).collect()),
            Json::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, member)| (Cow::Owned(name), Self::from_json(member)))
                    .collect(),
            ),
        }
    }

    /// Writes the value as JSON: members sorted by name, numbers in the source's digits, except that a number too
    /// large for a double becomes text, since readers refuse it. False when a part of it was not read.
    pub(crate) fn push_json(&self, out: &mut String) -> bool {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) if is_finite(number) => out.push_str(number),
            Self::Number(text) | Self::Text(text) => push_text(out, text),
            Self::List(items) => return push_list(items, out),
            Self::Object(members) => return push_object(members, out),
            Self::Opaque => return false,
        }
        true
    }
}

/// A double is only asked whether it could hold the number; its digits are never used.
fn is_finite(number: &str) -> bool {
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

fn push_list(items: &[Value<'_>], out: &mut String) -> bool {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        if !item.push_json(out) {
            return false;
        }
    }
    out.push(']');
    true
}

fn push_object(members: &[(Cow<'_, str>, Value<'_>)], out: &mut String) -> bool {
    let sorted: BTreeMap<&str, &Value<'_>> = members
        .iter()
        .map(|(name, value)| (&**name, value))
        .collect();
    out.push('{');
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_text(out, name);
        out.push(':');
        if !value.push_json(out) {
            return false;
        }
    }
    out.push('}');
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut out = String::new();
        assert!(Value::parse(json).unwrap().push_json(&mut out));
        assert_eq!(out, expected);
    }

    #[test]
    fn json_is_written_canonically() {
        check(
            r#" { "b" : 12.10 , "a" : [ true , null ] } "#,
            r#"{"a":[true,null],"b":12.10}"#,
        );
        check(r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#);
        check("1e999", r#""1e999""#);
        check(r#""\u00e9\n\ud83d\ude00""#, "\"é\\n😀\"");
    }

    #[test]
    fn a_number_is_read_without_losing_digits() {
        let value = Value::parse("1234567890123456789.10").unwrap();
        assert_eq!(
            value.as_decimal().unwrap().to_string(),
            "1234567890123456789.10"
        );
    }

    #[test]
    fn flags_are_read_from_all_their_spellings() {
        for (json, flag) in [
            ("true", Some(true)),
            ("0", Some(false)),
            (r#"" TRUE ""#, Some(true)),
            (r#""False""#, Some(false)),
            (r#""yes""#, None),
            ("2", None),
            ("[]", None),
        ] {
            assert_eq!(Value::parse(json).unwrap().as_boolean(), flag, "{json}");
        }
    }
}
