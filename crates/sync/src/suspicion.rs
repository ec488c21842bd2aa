//! Listings that lack more rows than can be believed, and what is decided of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use wrenchtime_connector::{EntityName, StreamName};
use wrenchtime_model::{RunId, SuspicionId};

use crate::Absence;

/// A listing that lacks so many of the stored rows that nothing is removed until an operator says that they are gone.
///
/// A stream has one at most. It bears the same id as long as what it shows was shown before: when rows are missing that
/// were not, it is another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspicion {
    /// What a decision names.
    pub id: SuspicionId,
    /// The listing.
    pub stream: StreamName,
    /// Its entity.
    pub entity: EntityName,
    /// The run whose pass missed the rows last.
    pub run: RunId,
    /// When a pass first missed too many rows, by this machine's clock. Earlier than this suspicion where another went
    /// before it.
    pub since: DateTime<Utc>,
    /// When the last pass that missed them ended, by this machine's clock.
    pub found_at: DateTime<Utc>,
    /// How many rows are missing.
    pub missing: u64,
    /// Of how many that are stored.
    pub stored: u64,
    /// When somebody said that the rows are gone. The next pass that proves absence acts upon it.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// What an operator says of a suspicion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The rows are gone indeed: the next pass may miss them.
    Confirm,
    /// The source was wrong. The suspicion is over, the rows stay, and the next pass is judged anew.
    Reject,
}

/// What a commit says of the suspicion against its stream.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Judgement {
    /// Nothing.
    #[default]
    Keep,
    /// The listing is believed: there is none any more.
    Lift,
    /// Rows are missing.
    Raise {
        /// The suspicion from now on, in place of any other. Where the stored one has its id, what is decided of that
        /// one holds for this.
        suspicion: Suspicion,
        /// The rows that are suspect from now on; none where the pass proves absence of no single one.
        missing: Option<Absence>,
    },
}
