//! What a run is asked for and what it tells.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use wrenchtime_model::{Resource, RunId, Timestamp};

use crate::storage::{RunFinish, RunState};

/// How much a run reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What changed since the last run, and the listings that are due.
    Incremental,
    /// Everything, compared with the copy. The first run of a connection is one.
    Full,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything was read and understood.
    Complete,
    /// Something could not be read or mapped, or a pass was suspect; the rest is up to date.
    Partial,
    /// Nothing could be read.
    Failed,
    /// It was ended from outside. The next run goes on where it stopped.
    Cancelled,
}

/// What happened to one resource in a run.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Whole rows that were read. Rows that a listing of versions showed to be as stored were not.
    pub fetched: u64,
    /// Records seen for the first time, or back after they were gone.
    pub created: u64,
    /// Records whose content changed.
    pub changed: u64,
    /// Rows that were as the copy has them.
    pub unchanged: u64,
    /// Records that are gone.
    pub deleted: u64,
    /// Rows that could not be read or mapped.
    pub quarantined: u64,
    /// Rows that a listing showed to be otherwise than the copy had them, although a stream of changes should have
    /// told of it. Anything but 0 is a fault: of the source, of what its connector declares, or of this program.
    pub drifted: u64,
    /// Requests to the source, retries included. Counted at an entity's first resource.
    pub requests: u64,
    /// Time from the first request to the last commit. Counted at an entity's first resource.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RunProgress {
    /// Counts of each resource so far, by its name.
    pub resources: BTreeMap<Resource, Counts>,
    /// Pages committed so far.
    pub pages: u64,
    /// Streams that have come to their end, and all that take part.
    pub streams_done: u32,
    /// All streams that take part.
    pub streams_total: u32,
    /// How many rows there are to read, where the source tells it.
    pub rows_expected: Option<u64>,
    /// What went wrong so far, in words, by stream.
    pub faults: BTreeMap<String, String>,
}

/// What a run did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// The run.
    pub id: RunId,
    /// How much it read.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began, by this machine's clock.
    #[serde(serialize_with = "as_timestamp")]
    pub started_at: DateTime<Utc>,
    /// When it ended, by this machine's clock.
    #[serde(serialize_with = "as_timestamp")]
    pub finished_at: DateTime<Utc>,
    /// Counts and faults.
    pub progress: RunProgress,
}

impl RunReport {
    /// Makes the report of a run as its store ends it.
    pub fn new(run: &RunState, finish: &RunFinish) -> Self {
        Self {
            id: run.id,
            mode: run.mode,
            outcome: finish.outcome,
            started_at: run.started_at,
            finished_at: finish.finished_at,
            progress: finish.progress.clone(),
        }
    }
}

/// Events show instants as everything else does: with six decimals.
fn as_timestamp<S: serde::Serializer>(
    instant: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Timestamp::from(*instant).serialize(serializer)
}
