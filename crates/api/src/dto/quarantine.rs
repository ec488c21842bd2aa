//! Rows that could not be read or mapped.

use schemars::JsonSchema;
use serde::Serialize;
use wrenchtime_model::RunId;
use wrenchtime_service::storage::{QuarantinedRow, RowFault};

/// A row that cannot be read or mapped now. Its content is not shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QuarantinedRow")]
pub(crate) struct QuarantinedRowBody {
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

impl From<QuarantinedRow> for QuarantinedRowBody {
    fn from(row: QuarantinedRow) -> Self {
        let (problem, place, run_id) = match row.fault {
            RowFault::Unreadable { place, run } => (RowProblem::Unreadable, Some(place), Some(run)),
            RowFault::Unmapped => (RowProblem::Unmapped, None, None),
        };
        Self {
            problem,
            entity: row.entity.to_string(),
            key: row.key.map(|key| key.as_str().to_owned()),
            place,
            reason: row.reason,
            run_id,
        }
    }
}
