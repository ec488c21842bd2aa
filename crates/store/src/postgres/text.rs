//! Text as PostgreSQL can keep it: it takes every character but U+0000.
//!
//! Sources do send it, in keys above all, and a page that holds one must not be refused for ever. So U+0000 is kept as
//! U+0001 U+0001, and U+0001 as U+0001 U+0002. Different texts stay different, and they sort as before: keys need both.
//! JSON needs none of it, as its texts spell control characters out.

use std::borrow::Cow;
use std::error::Error;

use sqlx::encode::IsNull;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// How many characters of a text from outside are in an index: at four bytes each, below a third of a page.
const INDEXED: usize = 500;

/// A text from outside, on its way into a column or out of one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Text<'t>(pub(super) Cow<'t, str>);

impl<'t> Text<'t> {
    /// Takes a text to be stored.
    pub(super) fn new(text: &'t str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Takes over a text to be stored.
    pub(super) fn owned(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// Returns the text that was read.
    pub(super) fn into_string(self) -> String {
        self.0.into_owned()
    }

    /// Returns the part by which an index finds it, as stored.
    pub(super) fn indexed(&self) -> String {
        escape(&self.0).chars().take(INDEXED).collect()
    }
}

/// Takes a text to be stored, if there is one.
pub(super) fn optional(text: Option<&str>) -> Option<Text<'_>> {
    text.map(Text::new)
}

/// Returns the text that was read, if there was one.
pub(super) fn plain(text: Option<Text<'_>>) -> Option<String> {
    text.map(Text::into_string)
}

impl Type<Postgres> for Text<'_> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl PgHasArrayType for Text<'_> {
    fn array_type_info() -> PgTypeInfo {
        <&str as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Text<'_> {
    fn encode_by_ref(
        &self,
        buffer: &mut PgArgumentBuffer,
    ) -> Result<IsNull, Box<dyn Error + Send + Sync>> {
        <&str as Encode<'_, Postgres>>::encode(&*escape(&self.0), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Text<'static> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let stored = <&str as Decode<'r, Postgres>>::decode(value)?;
        Ok(Self::owned(unescape(stored)?))
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 2) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\u{0}' => escaped.push_str("\u{1}\u{1}"),
            '\u{1}' => escaped.push_str("\u{1}\u{2}"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Why a stored text is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("a stored text holds U+0001 without its second half")]
struct HalfEscape;

fn unescape(stored: &str) -> Result<String, HalfEscape> {
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\u{1}' => match characters.next() {
                Some('\u{1}') => '\u{0}',
                Some('\u{2}') => '\u{1}',
                _ => return Err(HalfEscape),
            },
            other => other,
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_sorts_as_before(
            a in "[\u{0}-\u{3}a\u{7f}-\u{81}]{0,6}",
            b in "[\u{0}-\u{3}a\u{7f}-\u{81}]{0,6}",
            any in any::<String>(),
        ) {
            for text in [&a, &b, &any] {
                let has_nul = escape(text).contains('\u{0}');
                prop_assert!(!has_nul);
                prop_assert_eq!(&unescape(&escape(text)).unwrap(), text);
            }
            prop_assert_eq!(escape(&a).cmp(&escape(&b)), a.cmp(&b));
        }
    }

    #[test]
    fn what_no_escape_wrote_is_refused() {
        unescape("a\u{1}").unwrap_err();
        unescape("\u{1}b").unwrap_err();
    }

    #[test]
    fn an_index_holds_a_bounded_part() {
        assert_eq!(Text::new("key").indexed(), "key");
        assert_eq!(Text::new("a\u{0}").indexed(), "a\u{1}\u{1}");
        assert_eq!(Text::new(&"ü".repeat(900)).indexed().len(), 1_000);
    }
}
