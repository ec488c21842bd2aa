//! Runs, and how fresh a copy is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wrenchtime_model::{ConnectionId, Resource, RunId, Timestamp};
use wrenchtime_service::SyncStatus;
use wrenchtime_service::sync::{Counts, Mode, Outcome, RunState};

/// One run of the sync engine.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SyncRun")]
pub(crate) struct RunBody {
    /// Its id.
    id: RunId,
    /// How much it reads.
    mode: ModeBody,
    /// When it began, by Wrenchtime's clock.
    started_at: Timestamp,
    /// When it ended, by Wrenchtime's clock; null while it is under way.
    finished_at: Option<Timestamp>,
    /// How it ended.
    outcome: Option<OutcomeBody>,
    /// Counts of each resource, by its name.
    resources: BTreeMap<Resource, CountsBody>,
    /// Pages written.
    pages: u64,
    /// Streams that have come to their end.
    streams_done: u32,
    /// All streams that take part.
    streams_total: u32,
    /// How many rows there are to read, where the source tells it.
    rows_expected: Option<u64>,
    /// What went wrong, in words, by stream.
    faults: BTreeMap<String, String>,
}

impl From<RunState> for RunBody {
    fn from(run: RunState) -> Self {
        let progress = run.progress;
        Self {
            id: run.id,
            mode: run.mode.into(),
            started_at: run.started_at.into(),
            finished_at: run.finished.map(|(at, _)| at.into()),
            outcome: run.finished.map(|(_, outcome)| outcome.into()),
            resources: progress
                .resources
                .into_iter()
                .map(|(resource, counts)| (resource, counts.into()))
                .collect(),
            pages: progress.pages,
            streams_done: progress.streams_done,
            streams_total: progress.streams_total,
            rows_expected: progress.rows_expected,
            faults: progress.faults,
        }
    }
}

/// How much a run reads.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SyncMode")]
pub(crate) enum ModeBody {
    /// What changed since the last run, and all listings.
    Incremental,
    /// Everything, compared with the copy.
    Full,
}

impl From<Mode> for ModeBody {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Incremental => Self::Incremental,
            Mode::Full => Self::Full,
        }
    }
}

impl From<ModeBody> for Mode {
    fn from(mode: ModeBody) -> Self {
        match mode {
            ModeBody::Incremental => Self::Incremental,
            ModeBody::Full => Self::Full,
        }
    }
}

/// How a run ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SyncOutcome")]
enum OutcomeBody {
    /// Everything was read and understood.
    Complete,
    /// Something could not be read or understood; the rest is up to date.
    Partial,
    /// Nothing could be read.
    Failed,
    /// It was ended from outside.
    Cancelled,
}

impl From<Outcome> for OutcomeBody {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => Self::Complete,
            Outcome::Partial => Self::Partial,
            Outcome::Failed => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

/// What happened to one resource in a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SyncCounts")]
struct CountsBody {
    /// Rows that were read.
    fetched: u64,
    /// Records seen for the first time, or back.
    created: u64,
    /// Records whose content changed.
    changed: u64,
    /// Rows that were as the copy has them.
    unchanged: u64,
    /// Records that are gone.
    deleted: u64,
    /// Rows that could not be read or understood.
    quarantined: u64,
    /// Rows that a listing showed to be otherwise than the copy had them, although the source's changes, which are read
    /// between listings, should have told of it. Should be 0.
    drifted: u64,
    /// Requests to the source.
    requests: u64,
    /// Seconds from the first request to the last commit.
    seconds: f64,
}

impl From<Counts> for CountsBody {
    fn from(counts: Counts) -> Self {
        Self {
            fetched: counts.fetched,
            created: counts.created,
            changed: counts.changed,
            unchanged: counts.unchanged,
            deleted: counts.deleted,
            quarantined: counts.quarantined,
            drifted: counts.drifted,
            requests: counts.requests,
            seconds: counts.seconds,
        }
    }
}

/// A run to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NewSync")]
pub(crate) struct NewSyncBody {
    /// How much it reads.
    pub(crate) mode: ModeBody,
}

impl Default for NewSyncBody {
    fn default() -> Self {
        Self {
            mode: ModeBody::Incremental,
        }
    }
}

/// What became of a request for a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcceptedSync")]
pub(crate) struct AcceptedSyncBody {
    /// The connection.
    pub(crate) connection_id: ConnectionId,
    /// `queued`: it begins as soon as there is room. `joined`: the run under way does what was asked for.
    pub(crate) request: SyncRequestState,
}

/// What became of a request for a run.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum SyncRequestState {
    /// It begins as soon as there is room.
    Queued,
    /// The run under way does what was asked for.
    Joined,
}

/// How fresh a connection's copy is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SyncStatus")]
pub(crate) struct SyncStatusBody {
    /// The connection.
    connection_id: ConnectionId,
    /// Safe to pass as `modified_after` next time, for every resource.
    next_modified_after: Timestamp,
    /// Each resource that the system has.
    resources: Vec<ResourceStatusBody>,
}

/// How fresh one resource is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ResourceStatus")]
struct ResourceStatusBody {
    /// The resource.
    resource: Resource,
    /// When it was last read completely, by Wrenchtime's clock. Safe to pass as `modified_after` next time.
    last_synced_at: Option<Timestamp>,
    /// Every row of the source was seen at least once.
    complete: bool,
    /// How many records there are.
    records: u64,
    /// How many are gone and kept as tombstones.
    deleted: u64,
}

impl SyncStatusBody {
    pub(crate) fn new(connection_id: ConnectionId, status: SyncStatus) -> Self {
        Self {
            connection_id,
            next_modified_after: status.next_modified_after,
            resources: status
                .resources
                .into_iter()
                .map(|resource| ResourceStatusBody {
                    resource: resource.resource,
                    last_synced_at: resource.last_synced_at,
                    complete: resource.complete,
                    records: resource.records.live,
                    deleted: resource.records.deleted,
                })
                .collect(),
        }
    }
}
