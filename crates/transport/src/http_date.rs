//! The three ways in which HTTP writes a date.

use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{DATE, HeaderName, RETRY_AFTER};
use chrono::{DateTime, NaiveDateTime, Utc};

/// Reads a date: the usual form, or one of the two old ones that must still be understood.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|date| date.and_utc())
}

/// Returns what the source's clock showed when it answered.
pub(crate) fn source_time(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    parse(text(headers, &DATE)?)
}

/// Returns how long the source asks to wait. A date is read against the source's own clock where it shows it, so that
/// clocks that disagree do no harm.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = parse(value)?;
    Some(
        (date - source_time(headers).unwrap_or(now))
            .to_std()
            .unwrap_or_default(),
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check_wait(
        retry_after_value: &'static str,
        date: Option<&'static str>,
        expected: Option<u64>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after_value));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        let now = parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(
            retry_after(&headers, now),
            expected.map(Duration::from_secs),
            "{retry_after_value}"
        );
    }

    #[test]
    fn both_forms_of_retry_after() {
        check_wait("120", None, Some(120));
        check_wait(" 0 ", None, Some(0));
        check_wait("Sun, 06 Nov 1994 08:50:37 GMT", None, Some(60));
        check_wait("Sunday, 06-Nov-94 08:50:37 GMT", None, Some(60));
        check_wait("Sun Nov  6 08:50:37 1994", None, Some(60));
        check_wait("Sun, 06 Nov 1994 08:00:00 GMT", None, Some(0));
        check_wait("-5", None, None);
        check_wait("1.5", None, None);
        check_wait("soon", None, None);
        check_wait("", None, None);
    }

    #[test]
    fn a_date_is_read_by_the_clock_of_who_wrote_it() {
        let skewed = "Sun, 06 Nov 1994 09:49:37 GMT";
        check_wait("Sun, 06 Nov 1994 09:49:47 GMT", Some(skewed), Some(10));
    }
}
