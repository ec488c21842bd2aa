//! The record of what was asked.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use crate::faults::Fault;

/// One request that the simulator met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestLogEntry {
    /// When, by the simulator's clock.
    pub at: DateTime<Utc>,
    /// Method.
    pub method: String,
    /// Path without the query string.
    pub path: String,
    /// Entity, in the vendor's spelling, when the request was about one that is served.
    pub entity: Option<&'static str>,
    /// Status of the reply; 0 when there was none.
    pub status: u16,
    /// Records in the reply.
    pub rows: usize,
    /// Records that were looked at to find them.
    pub rows_scanned: u64,
    /// Fault that the request met.
    pub fault: Option<Fault>,
}

impl RequestLogEntry {
    /// Tells whether it was for data rather than for a token or a host.
    #[must_use]
    pub fn is_data(&self) -> bool {
        is_data(&self.path)
    }
}

/// Tells whether a path is for data.
pub(super) fn is_data(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.starts_with("/api/v1/")
        && path != super::locator::COMMAND
        && !path.starts_with(super::locator::GET_FORM)
}

/// How many requests are remembered.
const KEPT: usize = 20_000;

/// The last requests and the count of all.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    pub(super) entries: VecDeque<RequestLogEntry>,
    pub(super) count: u64,
    pub(super) data: u64,
    pub(super) scanned: u64,
}

impl RequestLog {
    pub(super) fn push(&mut self, entry: RequestLogEntry) {
        self.count += 1;
        self.data += u64::from(entry.is_data());
        self.scanned += entry.rows_scanned;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}
