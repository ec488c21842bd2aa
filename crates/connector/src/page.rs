//! Reading a stream, page by page.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ChangeTime, Document, RemoteKey, StreamName, Stub};

/// Asks for one page.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PageRequest {
    /// The stream.
    pub stream: StreamName,
    /// Where the pass begins; nothing for a pass over everything. The same on every page of a pass.
    pub from: Option<Bound>,
    /// Where the last page ended; nothing for the first.
    pub cursor: Option<Cursor>,
    /// How many rows at most; the connector cuts it to what the stream declares.
    pub limit: Option<u32>,
}

impl PageRequest {
    /// Asks for the first page of a pass over everything, as large as the stream declares.
    pub fn new(stream: StreamName) -> Self {
        Self {
            stream,
            from: None,
            cursor: None,
            limit: None,
        }
    }

    /// Sets where the pass begins.
    #[must_use]
    pub fn with_from(mut self, from: Option<Bound>) -> Self {
        self.from = from;
        self
    }

    /// Sets where the last page ended.
    #[must_use]
    pub fn with_cursor(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }

    /// Sets how many rows at most.
    #[must_use]
    pub fn with_limit(mut self, limit: Option<u32>) -> Self {
        self.limit = limit;
        self
    }
}

/// Where a pass begins. What it holds follows from the stream's [`CursorKind`](crate::CursorKind).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Rows changed at this instant or later.
    Time {
        /// The instant.
        at: DateTime<Utc>,
        /// The source's text of it, where it came from a row.
        text: Option<String>,
    },
    /// What the source gave at the end of the last complete pass, not to be understood by anybody else.
    Token(String),
}

impl Bound {
    /// Makes a bound in time that no row gave.
    pub fn at(at: DateTime<Utc>) -> Self {
        Self::Time { at, text: None }
    }

    /// Makes a bound from a row's change time.
    pub fn from_change(change: &ChangeTime) -> Self {
        Self::Time {
            at: change.at,
            text: Some(change.text.clone()),
        }
    }
}

/// Where a page ended, in the connector's own words. Never empty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(String);

impl Cursor {
    /// Takes a cursor's text; an empty one is none.
    pub fn from_text(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(Self(text))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.0
    }
}

impl TryFrom<String> for Cursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_text(text).ok_or("a cursor cannot be empty")
    }
}

/// One page of a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The rows.
    pub items: Items,
    /// Rows that could not be read.
    pub issues: Vec<RowIssue>,
    /// What comes after.
    pub next: Next,
    /// The source's clock when it answered, where it tells it.
    pub source_time: Option<DateTime<Utc>>,
    /// How many requests it took, retries included.
    pub requests: u32,
    /// How many rows the whole pass has, where the source tells it.
    pub total: Option<u64>,
}

impl Page {
    /// Makes a page with nothing wrong on it that took one request.
    pub fn new(items: Items, next: Next) -> Self {
        Self {
            items,
            issues: Vec::new(),
            next,
            source_time: None,
            requests: 1,
            total: None,
        }
    }

    /// Adds rows that could not be read.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<RowIssue>) -> Self {
        self.issues = issues;
        self
    }

    /// Sets the source's clock.
    #[must_use]
    pub fn with_source_time(mut self, time: Option<DateTime<Utc>>) -> Self {
        self.source_time = time;
        self
    }

    /// Sets how many requests it took.
    #[must_use]
    pub fn with_requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// Sets how many rows the pass has.
    #[must_use]
    pub fn with_total(mut self, total: Option<u64>) -> Self {
        self.total = total;
        self
    }
}

/// The rows of a page.
#[derive(Clone, Debug)]
pub enum Items {
    /// Whole rows.
    Documents(Vec<Document>),
    /// Keys and versions, to be completed by [`Connector::fetch`](crate::Connector::fetch).
    Stubs(Vec<Stub>),
}

impl Items {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Documents(documents) => documents.len(),
            Self::Stubs(stubs) => stubs.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What comes after a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Another page.
    Page(Cursor),
    /// Nothing: the source said so. The token, if any, begins the next pass.
    End {
        /// For streams with [`CursorKind::Token`](crate::CursorKind::Token).
        token: Option<String>,
    },
    /// Nothing, for the source is as the bound's token says. Only on the first page of a pass.
    Unchanged,
}

/// A row that could not be read. The others of its page arrive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowIssue {
    /// Its key, where that much could be read. The row then counts as seen.
    pub key: Option<RemoteKey>,
    /// Where it stands: a file's name, line and column. It tells a row without a key from all others of its entity, and
    /// is the same when the row is met again.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl RowIssue {
    /// Tells of a row.
    pub fn new(
        key: Option<RemoteKey>,
        place: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            key,
            place: place.into(),
            reason: reason.into(),
        }
    }
}
