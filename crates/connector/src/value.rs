//! A source's JSON, with every number in the source's own digits.

mod number;
mod parse;

use std::borrow::Cow;
use std::ops::Index;

use rust_decimal::Decimal;

/// A value of a source document, as the functions of a mapping get and return it. It borrows from the document's text.
///
/// Numbers keep the text in which the source wrote them, so that no digit is lost on the way.
///
/// ```
/// use wrenchtime_connector::Value;
///
/// let row = Value::parse(r#"{"Tank": {"Level": 12.10}, "Marks": ["a"]}"#).ok_or("no JSON")?;
/// assert_eq!(row["Tank"]["Level"].as_text(), Some("12.10"));
/// assert_eq!(row["Pump"]["Level"], Value::Null);
/// assert_eq!(row["Marks"].as_list(), Some(&[Value::from("a")][..]));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
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
    /// Reads JSON text that was checked before, as the body of a document was. Nothing when it is none; of text that
    /// was not checked, not every fault is seen.
    pub fn parse(json: &'a str) -> Option<Self> {
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
            Self::Number(_) | Self::Text(_) => number::parse(self.as_text()?),
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

    /// Returns the items of a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}

/// Finds an object's member; null where there is none.
impl Index<&str> for Value<'_> {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.member(name).unwrap_or(&Self::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_members_with_one_name_the_last_one_counts() {
        let value = Value::parse(r#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(value["a"].as_text(), Some("2"));
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
