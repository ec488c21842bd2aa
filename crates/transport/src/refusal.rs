//! From a refused request to a kind of error: one table for all sources, refined by each.

use std::fmt;

use ::http::StatusCode;
use wrenchtime_connector::{ErrorKind, Retry};

/// How a vendor refines the shared table of statuses by its own error body. Pure; nothing leaves the table's answer.
pub type RefineFn = fn(&Refusal<'_>) -> Option<Verdict>;

/// A reply that is no success. Its `Debug` does not show the body.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Refusal<'a> {
    /// The status.
    pub status: StatusCode,
    /// The first 64 KiB of the body.
    pub body: &'a [u8],
}

impl<'a> Refusal<'a> {
    /// Makes a refusal, for tests of a [`RefineFn`].
    pub fn new(status: StatusCode, body: &'a [u8]) -> Self {
        Self { status, body }
    }
}

impl fmt::Debug for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// What a refusal means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The kind of error.
    pub kind: ErrorKind,
    /// Whether trying again makes sense. A `Retry-After` of the reply replaces the time named here.
    pub retry: Retry,
    /// What happened, for people: lower case, no full stop, no value from the body that could be somebody's data.
    pub message: Option<String>,
    /// The token is not accepted (any more): fetch a new one and send the request again, once. Without effect unless
    /// the account authenticates with [`Auth::Bearer`](crate::Auth::Bearer).
    pub refresh_token: bool,
    /// Facts such as the vendor's error code.
    pub context: Vec<(&'static str, String)>,
}

impl Verdict {
    /// Makes a verdict that is retried if its kind usually is.
    pub fn new(kind: ErrorKind) -> Self {
        let retry = match kind {
            ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Protocol => {
                Retry::After(None)
            }
            _ => Retry::Never,
        };
        Self {
            kind,
            retry,
            message: None,
            refresh_token: false,
            context: Vec::new(),
        }
    }

    /// Says whether trying again makes sense.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Says what happened.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Asks for a new token and one more attempt.
    #[must_use]
    pub fn refreshing_token(mut self) -> Self {
        self.refresh_token = true;
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.context.push((name, value.into()));
        self
    }
}

/// Returns what a status means where the vendor has nothing to add.
pub(crate) fn by_status(status: StatusCode) -> Verdict {
    let (kind, message) = match status.as_u16() {
        401 => (
            ErrorKind::ReauthorizationRequired,
            "the source does not accept the credentials",
        ),
        403 => (
            ErrorKind::PermissionDenied,
            "the account may not do this at the source",
        ),
        404 | 410 => (ErrorKind::NotFound, "the source does not know it"),
        409 | 412 => (
            ErrorKind::Conflict,
            "it was changed at the source meanwhile",
        ),
        429 => (ErrorKind::RateLimited, "the source asks for fewer requests"),
        408 | 425 | 500..=599 => (
            ErrorKind::Unavailable,
            "the source says that it cannot answer now",
        ),
        400..=499 => (
            ErrorKind::Invalid,
            "the source refuses the request as invalid",
        ),
        300..=399 => (
            ErrorKind::Protocol,
            "the source answers with another address, which is not followed",
        ),
        _ => (
            ErrorKind::Protocol,
            "the source answers with a status that means nothing here",
        ),
    };
    let verdict = Verdict::new(kind).with_message(message);
    match status.as_u16() {
        401 => verdict.refreshing_token(),
        // The same request gets the same answer.
        300..=399 => verdict.with_retry(Retry::Never),
        _ => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, kind: ErrorKind, retry: Retry) {
        let verdict = by_status(StatusCode::from_u16(status).unwrap());
        assert_eq!((verdict.kind, verdict.retry), (kind, retry), "{status}");
        assert_eq!(verdict.refresh_token, status == 401, "{status}");
    }

    #[test]
    fn the_table() {
        let again = Retry::After(None);
        check(301, ErrorKind::Protocol, Retry::Never);
        check(304, ErrorKind::Protocol, Retry::Never);
        check(400, ErrorKind::Invalid, Retry::Never);
        check(401, ErrorKind::ReauthorizationRequired, Retry::Never);
        check(403, ErrorKind::PermissionDenied, Retry::Never);
        check(404, ErrorKind::NotFound, Retry::Never);
        check(405, ErrorKind::Invalid, Retry::Never);
        check(408, ErrorKind::Unavailable, again);
        check(409, ErrorKind::Conflict, Retry::Never);
        check(410, ErrorKind::NotFound, Retry::Never);
        check(412, ErrorKind::Conflict, Retry::Never);
        check(418, ErrorKind::Invalid, Retry::Never);
        check(422, ErrorKind::Invalid, Retry::Never);
        check(425, ErrorKind::Unavailable, again);
        check(429, ErrorKind::RateLimited, again);
        check(500, ErrorKind::Unavailable, again);
        check(502, ErrorKind::Unavailable, again);
        check(503, ErrorKind::Unavailable, again);
        check(504, ErrorKind::Unavailable, again);
        check(599, ErrorKind::Unavailable, again);
        check(999, ErrorKind::Protocol, again);
    }
}
