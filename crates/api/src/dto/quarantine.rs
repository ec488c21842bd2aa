//! Rows that could not be read or mapped.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_service::Quarantined;
use wrenchtime_service::storage::{QuarantineRetried, RowFault};

/// A row that cannot be read or mapped now. What it says is not shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QuarantinedRow")]
pub(crate) struct QuarantinedRowBody {
    /// What a retry names. A row that was met again has another.
    id: String,
    /// Where it stopped.
    problem: RowProblem,
    /// The source's kind of row.
    entity: String,
    /// The source's key of the row, where that much could be read.
    key: Option<String>,
    /// Where the row stands at the source, if it could not be read: a file's name, line and column.
    place: Option<String>,
    /// What is wrong with it, in words for people, at most 300 characters.
    reason: String,
    /// The last run that met it, if it could not be read.
    run_id: Option<RunId>,
    /// If it was read: its fields, 50 at most, with the kind and length of each value and never a value.
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    sample: Option<Value>,
}

/// How rows in quarantine are tried again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QuarantineRetry")]
pub(crate) struct QuarantineRetryBody {
    /// The connection.
    connection_id: ConnectionId,
    /// How many are mapped again from what is stored, without asking the source.
    mapped: u64,
    /// How many are asked for again by key.
    fetched: u64,
    /// How many the source cannot be asked for by key: the next run that reads their listing or their changes reads them.
    left_to_next_pass: u64,
}

impl QuarantineRetryBody {
    pub(crate) fn new(connection_id: ConnectionId, retried: QuarantineRetried) -> Self {
        Self {
            connection_id,
            mapped: retried.mapped,
            fetched: retried.read,
            left_to_next_pass: retried.waiting,
        }
    }
}

/// Where a row stopped. More may come.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum RowProblem {
    /// It could not be read at the source. Nothing of it is stored.
    Unreadable,
    /// It was read, and no record can be made of it. A record that an earlier state of it made stays as it is.
    Unmapped,
}

impl From<Quarantined> for QuarantinedRowBody {
    fn from(Quarantined { row, sample, .. }: Quarantined) -> Self {
        let (problem, place, run_id) = match row.fault {
            RowFault::Unreadable { place, run } => (RowProblem::Unreadable, Some(place), Some(run)),
            RowFault::Unmapped { .. } => (RowProblem::Unmapped, None, None),
        };
        Self {
            id: row.id.to_string(),
            problem,
            entity: row.entity.to_string(),
            key: row.key.map(|key| key.as_str().to_owned()),
            place,
            reason: row.reason,
            run_id,
            sample,
        }
    }
}
