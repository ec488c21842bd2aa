//! Sources that say themselves where the next page is: a cursor, or an address in the body or in a header.

use ::http::HeaderMap;
use ::http::header::LINK;
use url::Url;
use wrenchtime_connector::{Cursor, Error, ErrorKind, Next, Result};

/// Returns what comes after a page that names the next one by a cursor of the source's own.
///
/// No cursor, or an empty one, ends the listing, whatever else the source says; a page without rows does not.
///
/// ```
/// use wrenchtime_connector::Next;
/// use wrenchtime_transport::paging::cursor_next;
///
/// assert!(matches!(cursor_next(None, Some("c2"))?, Next::Page(cursor) if cursor.as_str() == "c2"));
/// assert_eq!(cursor_next(None, None)?, Next::End { token: None });
/// # Ok::<(), wrenchtime_connector::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Protocol`] when the source names the page that was just read: reading on would never end.
pub fn cursor_next(before: Option<&Cursor>, told: Option<&str>) -> Result<Next> {
    let Some(next) = told.and_then(Cursor::from_text) else {
        return Ok(Next::End { token: None });
    };
    if before == Some(&next) {
        return Err(super::stands_still());
    }
    Ok(Next::Page(next))
}

/// Returns what comes after a page that names the next one by its address, whole or relative to the account's.
///
/// The cursor holds path and query only, so that it can lead nowhere else. [`link_address`] makes it whole again.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the address cannot be read, is at another origin than the account's, or is that of the
/// page that was just read.
pub fn link_next(before: Option<&Cursor>, told: Option<&str>, base: &Url) -> Result<Next> {
    let Some(told) = told.map(str::trim).filter(|told| !told.is_empty()) else {
        return Ok(Next::End { token: None });
    };
    let misled = |message| Error::new(ErrorKind::Protocol, message);
    let url = base
        .join(told)
        .map_err(|_| misled("the source names a next page whose address cannot be read"))?;
    if url.origin() != base.origin() {
        return Err(misled("the source names a next page at another origin"));
    }
    let place = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    cursor_next(before, Some(&place))
}

/// Returns the address that a cursor of [`link_next`] stands for.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a cursor that is not of this kind.
pub fn link_address(cursor: &Cursor, base: &Url) -> Result<Url> {
    let text = cursor.as_str();
    // Two slashes would begin with a host.
    let is_place = text.starts_with('/') && !text.starts_with("//");
    base.join(text)
        .ok()
        .filter(|url| is_place && url.origin() == base.origin())
        .ok_or_else(super::foreign)
}

/// Returns the address of the next page from the `Link` headers of a reply, as RFC 8288 writes them.
pub fn next_link(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|text| {
            // Each link begins with its address in angle brackets, which may hold commas and semicolons.
            let mut links = text.split('<').skip(1);
            links.find_map(|link| {
                let (address, parameters) = link.split_once('>')?;
                leads_on(parameters).then(|| address.to_owned())
            })
        })
}

/// Tells whether one of a link's relations is `next`.
fn leads_on(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else {
            return false;
        };
        let value = value.trim().trim_end_matches(',').trim_end();
        let mut relations = value.trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn base() -> Url {
        "https://acme.example/api/v1/".parse().unwrap()
    }

    fn cursor(text: &str) -> Cursor {
        Cursor::from_text(text).unwrap()
    }

    #[test]
    fn a_repeated_cursor_is_an_error() {
        let error = cursor_next(Some(&cursor("c2")), Some("c2")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(
            cursor_next(Some(&cursor("c2")), Some("")).unwrap(),
            Next::End { token: None }
        );
    }

    #[track_caller]
    fn check_link(told: &str, expected: Option<&str>) {
        match (link_next(None, Some(told), &base()), expected) {
            (Ok(Next::Page(next)), Some(expected)) => {
                let address = link_address(&next, &base()).unwrap();
                assert_eq!(address.as_str(), expected, "{told}");
            }
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Protocol, "{told}"),
            (other, _) => panic!("{told}: {other:?}"),
        }
    }

    #[test]
    fn links_are_followed_at_the_same_origin_only() {
        check_link(
            "https://acme.example/api/v1/rows?page=2",
            Some("https://acme.example/api/v1/rows?page=2"),
        );
        check_link("/rows?c=a%20b", Some("https://acme.example/rows?c=a%20b"));
        check_link("rows", Some("https://acme.example/api/v1/rows"));
        check_link("https://elsewhere.example/rows?page=2", None);
        check_link("http://acme.example/api/v1/rows?page=2", None);
        check_link("//elsewhere.example/rows", None);
        check_link("https://", None);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for text in ["rows", "//elsewhere.example/", "https://elsewhere.example/"] {
            let error = link_address(&cursor(text), &base()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn the_same_link_again_is_an_error() {
        let before = cursor("/api/v1/rows?page=2");
        assert!(link_next(Some(&before), Some("rows?page=2"), &base()).is_err());
        assert_eq!(
            link_next(Some(&before), Some(" "), &base()).unwrap(),
            Next::End { token: None }
        );
    }

    #[track_caller]
    fn check_header(values: &[&'static str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, HeaderValue::from_static(value));
        }
        assert_eq!(next_link(&headers).as_deref(), expected, "{values:?}");
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        check_header(&[], None);
        check_header(&["</a?p=2>; rel=\"next\""], Some("/a?p=2"));
        check_header(&["</a?p=1>; rel=prev, </a?p=3>; rel=next"], Some("/a?p=3"));
        check_header(
            &["</a?ids=1,2;3>; title=\"x\"; REL=\"last Next\""],
            Some("/a?ids=1,2;3"),
        );
        check_header(&["</a>; rel=last", "</b>; rel=next"], Some("/b"));
        check_header(&["</a>; rel=nextish", "<broken; rel=next"], None);
    }
}
