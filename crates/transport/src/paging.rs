//! The ways in which sources page: a vendor hands data, and writes no loop.
//!
//! | Kind of source | Driver |
//! |---|---|
//! | order and position by key, or by time and key | [`KeysetPosition`], [`keyset_next`] |
//! | a cursor of the source's own | [`cursor_next`] |
//! | the next page's address in the body | [`link_next`], [`link_address`] |
//! | the same in a header | [`next_link`], then the same |
//! | start index, with or without a total; `$skip` with a next link | [`Window::slice`], [`Window::take`] |
//! | numbers of pages | [`Window::page`], [`Window::take`] |

mod following;
mod window;

pub use following::{cursor_next, link_address, link_next, next_link};
pub use window::{More, Order, Slice, Taken, Window};

use serde::{Deserialize, Serialize};
use wrenchtime_connector::{Cursor, Error, ErrorKind, Next, Result};

/// Where a page ended that is ordered by key, or by time and key. Times and keys are the source's own texts.
///
/// ```
/// use wrenchtime_transport::paging::KeysetPosition;
///
/// let position = KeysetPosition::new(Some("2026-01-31T10:00:00Z".to_owned()), "4711");
/// assert_eq!(KeysetPosition::decode(&position.encode())?, position);
/// # Ok::<(), wrenchtime_connector::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysetPosition {
    /// The last row's change time, where pages are ordered by it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The last row's key.
    #[serde(rename = "k")]
    pub key: String,
}

impl KeysetPosition {
    /// Makes a position.
    pub fn new(time: Option<String>, key: impl Into<String>) -> Self {
        Self {
            time,
            key: key.into(),
        }
    }

    /// Writes the position as a cursor.
    pub fn encode(&self) -> Cursor {
        let text = serde_json::to_string(self).expect("a struct of texts can be written as JSON");
        Cursor::from_text(text).expect("JSON is never empty")
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a cursor that is not of this kind.
    pub fn decode(cursor: &Cursor) -> Result<Self> {
        serde_json::from_str(cursor.as_str()).map_err(|_| foreign())
    }
}

/// Returns what comes after a page that is ordered by key.
///
/// There is more if, and only if, the source returned as many rows as it was asked for. Where a source is known to cut
/// pages short for reasons of its own, pass 1 as `asked`: the end is then an empty page.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the page ended where the one before it did: reading on would never end.
pub fn keyset_next(
    before: Option<&Cursor>,
    last: Option<&KeysetPosition>,
    returned: usize,
    asked: usize,
) -> Result<Next> {
    let Some(last) = last.filter(|_| returned > 0 && returned >= asked) else {
        return Ok(Next::End { token: None });
    };
    let next = last.encode();
    if before == Some(&next) {
        return Err(stands_still());
    }
    Ok(Next::Page(next))
}

fn stands_still() -> Error {
    let message = "the source returned the same page twice instead of the next one";
    Error::new(ErrorKind::Protocol, message)
}

fn foreign() -> Error {
    let message = "the cursor is not one of this stream; begin the pass anew";
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_survive_as_cursors(time in proptest::option::of(".*"), key in ".*") {
            let position = KeysetPosition::new(time, key);
            prop_assert_eq!(KeysetPosition::decode(&position.encode()).unwrap(), position);
        }

        #[test]
        fn foreign_cursors_are_refused(text in "[^{].{0,40}") {
            let cursor = Cursor::from_text(text).unwrap();
            prop_assert_eq!(KeysetPosition::decode(&cursor).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[track_caller]
    fn check(returned: usize, asked: usize, more: bool) {
        let last = KeysetPosition::new(None, "9");
        let next = keyset_next(None, Some(&last), returned, asked).unwrap();
        let expected = if more {
            Next::Page(last.encode())
        } else {
            Next::End { token: None }
        };
        assert_eq!(next, expected, "{returned} of {asked}");
    }

    #[test]
    fn a_full_page_has_a_next_one() {
        check(0, 10, false);
        check(9, 10, false);
        check(10, 10, true);
        check(11, 10, true);
        check(3, 1, true);
        check(0, 0, false);
    }

    #[test]
    fn standing_still_is_an_error() {
        let last = KeysetPosition::new(Some("2026-01-01".to_owned()), "9");
        let error = keyset_next(Some(&last.encode()), Some(&last), 10, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
}
