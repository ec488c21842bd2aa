//! What came back.

use std::fmt;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use wrenchtime_connector::{Error, ErrorKind, Result};

use crate::shape::shape;

/// A success. Its `Debug` shows neither headers nor body.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// The status, a 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
    /// The source's clock: the `Date` header.
    pub source_time: Option<DateTime<Utc>>,
    /// How many requests it took, those included that failed or met an expired token.
    pub attempts: u32,
    pub(crate) system: String,
    pub(crate) operation: String,
}

/// A value with the reply that it was read from. Its `Debug` does not show the value.
#[derive(Clone)]
pub struct Json<T> {
    /// The value.
    pub value: T,
    /// The reply.
    pub reply: Reply,
}

impl Reply {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] with the shape of the reply, never its values. [`Http::send_json`] retries such
    /// replies.
    ///
    /// [`Http::send_json`]: crate::Http::send_json
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.parse().map_err(|(error, _)| error)
    }

    /// Reads the body as JSON; on failure tells how it failed as well.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> std::result::Result<T, (Error, Category)> {
        let Ok(text) = std::str::from_utf8(&self.body) else {
            return Err((
                self.not_understood("the reply is not UTF-8 text"),
                Category::Syntax,
            ));
        };
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            // The parser's own words may quote a value.
            let what = match error.classify() {
                Category::Eof => "the reply ends too early",
                Category::Data => "the reply is JSON of another shape than expected",
                Category::Syntax | Category::Io => "the reply is not JSON",
            };
            let place = format!("{what}, at line {} column {}", error.line(), error.column());
            (self.not_understood(&place), error.classify())
        })
    }

    fn not_understood(&self, what: &str) -> Error {
        Error::new(ErrorKind::Protocol, format!("{}: {what}", self.operation))
            .with_context("status", self.status.as_str())
            .with_context("content_type", media_type(&self.headers))
            .with_context("bytes", self.body.len().to_string())
            .with_context("shape", shape(&self.body))
            .at(&self.system, &self.operation)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("source_time", &self.source_time)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json")
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

/// Returns the media type if it is a common one: the header is the source's to write, and so could be anything.
pub(crate) fn media_type(headers: &HeaderMap) -> &'static str {
    const COMMON: [&str; 8] = [
        "application/json",
        "application/problem+json",
        "application/xml",
        "application/octet-stream",
        "text/csv",
        "text/html",
        "text/plain",
        "text/xml",
    ];
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return "none";
    };
    let text = value.to_str().unwrap_or_default();
    let bare = text.split(';').next().unwrap_or_default().trim();
    COMMON
        .into_iter()
        .find(|common| common.eq_ignore_ascii_case(bare))
        .unwrap_or("other")
}
