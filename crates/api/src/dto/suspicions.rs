//! What stands against listings that lack too many rows.

use schemars::JsonSchema;
use serde::Serialize;
use wrenchtime_model::{Resource, RunId, SuspicionId, Timestamp};
use wrenchtime_service::storage::SuspicionShown;

/// A listing of the source that lacks so many of the stored rows that none is removed until somebody says that they are
/// gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Suspicion")]
pub(crate) struct SuspicionBody {
    /// What a decision names. It stays the same until a pass misses rows that were not missing before.
    id: SuspicionId,
    /// The listing.
    stream: String,
    /// The source's kind of row.
    entity: String,
    /// Resources of the records that such rows make.
    resources: Vec<Resource>,
    /// How many rows are missing.
    missing: u64,
    /// Of how many that are stored.
    stored: u64,
    /// When a run first missed too many rows, by Wrenchtime's clock.
    since: Timestamp,
    /// When a run last did.
    found_at: Timestamp,
    /// The run that last did.
    run_id: RunId,
    /// When somebody said that the rows are gone; null until then. The next run that reads the listing acts upon it.
    confirmed_at: Option<Timestamp>,
    /// The source's keys of missing rows, the first 20. Empty where the listing had rows whose keys cannot be read, so
    /// that nobody knows which are missing.
    sample: Vec<String>,
}

impl SuspicionBody {
    pub(crate) fn new(shown: SuspicionShown, resources: Vec<Resource>) -> Self {
        let SuspicionShown { suspicion, sample } = shown;
        Self {
            id: suspicion.id,
            stream: suspicion.stream.to_string(),
            entity: suspicion.entity.to_string(),
            resources,
            missing: suspicion.missing,
            stored: suspicion.stored,
            since: suspicion.since.into(),
            found_at: suspicion.found_at.into(),
            run_id: suspicion.run,
            confirmed_at: suspicion.confirmed_at.map(Timestamp::from),
            sample: sample.iter().map(ToString::to_string).collect(),
        }
    }
}
