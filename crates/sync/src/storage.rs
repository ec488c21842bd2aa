//! What the engine needs from a store.
//!
//! No method hands out a transaction: each is atomic, and its argument carries all that must be atomic with it.
//! Every write carries a [`Fence`] and is refused when a newer one exists.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wrenchtime_connector::{
    Bound, ChangeTime, Cursor, Document, EntityName, Mapped, RemoteKey, RowIssue, SortKey,
    StreamName,
};
use wrenchtime_model::{ConnectionId, EventType, Resource, RunId, SuspicionId, Timestamp};

use crate::{Judgement, Mode, Outcome, RunProgress, RunReport, Suspicion};

/// Keeps documents, records, the event log and checkpoints.
#[async_trait]
pub trait Storage: std::fmt::Debug + Send + Sync + 'static {
    /// Takes the connection over: raises its epoch, so that nobody who held it before can write any more.
    async fn acquire(&self, connection: ConnectionId) -> Result<Fence, StorageError>;

    /// Begins a run, or goes on with the unfinished one that a process left behind.
    ///
    /// # Behavior
    /// - An unfinished run of the connection is returned as it stands, whatever `run` asks for, unless the new run
    ///   is full and the left one is not: then that one is closed as cancelled.
    /// - The first full run of a connection is marked as initial until a run of it ends complete or partial.
    async fn begin_run(&self, fence: &Fence, run: NewRun) -> Result<RunStart, StorageError>;

    /// Returns the checkpoints of all streams of the connection.
    async fn stream_states(
        &self,
        connection: ConnectionId,
    ) -> Result<BTreeMap<StreamName, StreamState>, StorageError>;

    /// Returns what is stored of these rows, in any order; those never seen are left out.
    async fn known(
        &self,
        connection: ConnectionId,
        entity: &EntityName,
        keys: &[SortKey],
    ) -> Result<Vec<KnownRow>, StorageError>;

    /// Returns stored rows of a range that are not gone, in key order.
    async fn known_range(
        &self,
        connection: ConnectionId,
        range: StoredRange,
    ) -> Result<Vec<KnownRow>, StorageError>;

    /// Writes a page: its documents, records, events, marks, progress, the stream's checkpoint, and what it says of
    /// the suspicion against the stream.
    ///
    /// # Behavior
    /// - A document older than the stored one by observation is left out and counted as stale.
    /// - A record whose content hash, resource and liveness are as stored is not written; its source times are.
    /// - Every other record gets the connection's next sequence and instant together ([`EventClock`]), and an event.
    /// - Records that a document made before and does not make now are gone.
    /// - A deleted document makes no records: those it made are gone.
    /// - A quarantined document leaves the records that it made as they were.
    /// - The commit's own events stand behind those of its records.
    /// - A suspicion that is raised takes the rows that its [`Absence`] misses at that moment under suspicion, in
    ///   place of those before. [`Judgement::Raise`] tells when a decision outlasts it.
    async fn commit(&self, fence: &Fence, commit: PageCommit) -> Result<PageOutcome, StorageError>;

    /// Counts the rows that a listing did not show, and all that are stored and not gone.
    ///
    /// Rows observed after `absence.observation` do not count as missing.
    async fn count_missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
    ) -> Result<(u64, u64), StorageError>;

    /// Returns the suspicions that stand against streams of the connection, with what is decided of them.
    async fn suspicions(&self, connection: ConnectionId) -> Result<Vec<Suspicion>, StorageError>;

    /// Counts those of the rows that a listing did not show which this suspicion has shown. A row that was read since
    /// then came back, and is not counted.
    async fn count_suspect(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        suspicion: SuspicionId,
    ) -> Result<u64, StorageError>;

    /// Returns rows that a listing did not show, in key order, behind `after`.
    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError>;

    /// Marks rows as gone, with their records and events, unless they were observed later than the removal.
    async fn remove(&self, fence: &Fence, removal: Removal) -> Result<PageOutcome, StorageError>;

    /// Returns documents that could not be mapped and were tried by another version of the mapper, in any order.
    ///
    /// Those that somebody wants to be tried again are among them, whichever version it was; those that are gone are not.
    async fn unmapped(
        &self,
        connection: ConnectionId,
        query: UnmappedQuery,
    ) -> Result<Vec<StoredDocument>, StorageError>;

    /// Returns rows that could not be read and that somebody wants to be read again, by entity, a thousand at most.
    async fn unread(
        &self,
        connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RemoteKey)>, StorageError>;

    /// Ends a run: its outcome, its events, and nothing left of its marks.
    ///
    /// # Behavior
    /// - Writes `sync.completed` when the outcome is complete or partial, `sync.failed` when it is failed, nothing
    ///   when it is cancelled, each with the report as data.
    /// - A run that ends cancelled stays resumable: its checkpoints stay.
    async fn finish_run(&self, fence: &Fence, finish: RunFinish)
    -> Result<RunReport, StorageError>;
}

/// The right to write to a connection, until somebody acquires it anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fence {
    /// The connection.
    pub connection: ConnectionId,
    /// Rises with every acquisition.
    pub epoch: u32,
}

impl Fence {
    /// Returns the number before the first observation under this fence. Observations of a later fence are greater
    /// than all of an earlier one, so no counter needs storing.
    pub fn observation_base(&self) -> i64 {
        i64::from(self.epoch) << 31
    }
}

/// Why a store did not do it. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Somebody else runs this connection now.
    #[error("connection {0} was taken over by another runner")]
    Fenced(ConnectionId),
    /// The connection does not exist, or may not be synced any more.
    #[error("connection {0} cannot be synced: it does not exist or was disconnected")]
    NoConnection(ConnectionId),
    /// The store does not answer, or has no room.
    #[error("the store cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was read back is not what was written.
    #[error("the store holds what cannot be read: {0}")]
    Corrupt(String),
}

/// A run to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// How much it reads.
    pub mode: Mode,
    /// When it begins, by this machine's clock.
    pub started_at: DateTime<Utc>,
}

/// A run begun or gone on with.
#[derive(Clone, PartialEq, Debug)]
pub struct RunStart {
    /// The run as stored.
    pub run: RunState,
    /// Nothing of the connection has been complete yet: its record events are marked as initial.
    pub initial: bool,
}

/// A run as stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Its id.
    pub id: RunId,
    /// How much it reads.
    pub mode: Mode,
    /// When it began, by this machine's clock.
    pub started_at: DateTime<Utc>,
    /// How far it is.
    pub progress: RunProgress,
    /// When and how it ended; nothing while it is under way.
    pub finished: Option<(DateTime<Utc>, Outcome)>,
}

/// A stream's checkpoint. Its size does not depend on how many rows there are.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamState {
    /// Where the next pass begins.
    pub bound: Option<Bound>,
    /// Version of the mapper at the end of the last complete pass. Under another one a listing's token does not count.
    pub mapped_by: String,
    /// The pass under way.
    pub pass: Option<Pass>,
    /// When the last complete pass ended, by this machine's clock.
    pub completed_at: Option<DateTime<Utc>>,
    /// Too many rows were missing to believe the last pass that could tell. What relies on the stream waits.
    pub suspect: bool,
    /// In a listing, what its last complete pass left out: rows that the copy did not have and that had changed before
    /// this; nothing where all rows came in.
    pub since: Option<DateTime<Utc>>,
}

/// A pass over a stream, under way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pass {
    /// The run that began it. Marks belong to it.
    pub run: RunId,
    /// When it began, by the source's clock. A resumed pass keeps it.
    pub started_at: DateTime<Utc>,
    /// The observation number before its first request.
    pub observation: i64,
    /// Where it began.
    pub from: Option<Bound>,
    /// Where the last committed page ended.
    pub cursor: Option<Cursor>,
    /// In a sorted listing, the last key seen.
    pub position: Option<SortKey>,
    /// The latest change seen.
    pub largest: Option<ChangeTime>,
    /// How many rows were seen.
    pub rows: u64,
    /// Rows were met whose key could not be read: absence proves nothing.
    pub blind: bool,
    /// What it leaves out, as in [`StreamState::since`].
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
}

/// Asks for documents that could not be mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnmappedQuery {
    /// Of one of these entities.
    pub entities: Vec<EntityName>,
    /// Tried by another version of the mapper than this one.
    pub not_by: String,
    /// How many at most.
    pub limit: u32,
}

/// A document as it was last read.
#[derive(Clone, Debug)]
pub struct StoredDocument {
    /// The row.
    pub document: Document,
    /// Its key as sorted.
    pub sort_key: SortKey,
    /// [`Document::hash`].
    pub hash: [u8; 32],
    /// The observation of the read.
    pub observation: i64,
}

/// What is stored of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownRow {
    /// The row's key.
    pub key: RemoteKey,
    /// The same, as sorted.
    pub sort_key: SortKey,
    /// The source's version at the last read.
    pub version: Option<String>,
    /// [`Document::hash`] at the last read.
    pub hash: [u8; 32],
    /// Version of the mapper that its records were made by; empty when it is quarantined.
    pub mapped_by: String,
    /// The observation of the last read that was written.
    pub observation: i64,
    /// Gone: marked as deleted by the source, or absent.
    pub gone: bool,
    /// Resources of the records that it made.
    pub resources: Vec<Resource>,
}

/// A range of an entity's stored rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRange {
    /// The entity.
    pub entity: EntityName,
    /// Behind this key; from the first without one.
    pub after: Option<SortKey>,
    /// Up to and with this key; to the last without one.
    pub up_to: Option<SortKey>,
    /// How many at most.
    pub limit: u32,
}

/// A page to write.
#[derive(Clone, Debug)]
pub struct PageCommit {
    /// The run.
    pub run: RunId,
    /// The stream.
    pub stream: StreamName,
    /// Its entity.
    pub entity: EntityName,
    /// Its checkpoint from now on.
    pub state: StreamState,
    /// Rows that differ from what is stored. Rows that do not are not here.
    pub documents: Vec<DocumentWrite>,
    /// Rows that could not be read.
    pub issues: Vec<RowIssue>,
    /// Rows that were asked for again because they could not be read: what was told of them before is void. Those that
    /// still cannot be read are among the issues.
    pub reread: Vec<RemoteKey>,
    /// What a listing saw or missed.
    pub marks: Marks,
    /// What it says of the suspicion against the stream.
    pub judgement: Judgement,
    /// What else is to be told: that rows are suspect, for example.
    pub events: Vec<LifecycleEvent>,
    /// Record events are part of the connection's first sync.
    pub initial: bool,
    /// The run's progress without what this commit itself changes: the store adds its own [`PageOutcome`] to it.
    pub progress: RunProgress,
}

/// A row to write.
#[derive(Clone, Debug)]
pub struct DocumentWrite {
    /// The row.
    pub document: Document,
    /// Its key as sorted.
    pub sort_key: SortKey,
    /// [`Document::hash`].
    pub hash: [u8; 32],
    /// Drawn before the request that read it.
    pub observation: i64,
    /// What became of it.
    pub written: Written,
}

/// What became of a document.
#[derive(Clone, Debug)]
pub enum Written {
    /// It was mapped. A deleted document maps to nothing.
    Mapped {
        /// The mapper's version.
        by: String,
        /// The records that it makes now.
        records: Vec<RecordWrite>,
    },
    /// It could not be mapped.
    Quarantined {
        /// The mapper's version.
        by: String,
        /// Why.
        reason: String,
    },
}

/// A record to write.
#[derive(Clone, Debug)]
pub struct RecordWrite {
    /// The record.
    pub record: Mapped,
    /// Hash of its content alone.
    pub content_hash: [u8; 32],
}

/// What a page of a listing says of rows beside those on it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Marks {
    /// Nothing.
    #[default]
    None,
    /// These rows are stored and the listing passed over them.
    Absent(Vec<SortKey>),
    /// The listing has no order, and these rows were on the page.
    Seen(Vec<SortKey>),
}

/// Which rows a listing did not show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Absence {
    /// The run whose marks count.
    pub run: RunId,
    /// The entity.
    pub entity: EntityName,
    /// The marks are of rows seen, so missing is what is not marked; otherwise missing is what is marked.
    pub by_seen: bool,
    /// Rows observed after this are not missing.
    pub observation: i64,
}

/// Rows to mark as gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    /// The run.
    pub run: RunId,
    /// The entity.
    pub entity: EntityName,
    /// The rows.
    pub keys: Vec<SortKey>,
    /// Rows observed after this stay.
    pub observation: i64,
    /// Record events are part of the connection's first sync.
    pub initial: bool,
}

/// A run to end.
#[derive(Clone, PartialEq, Debug)]
pub struct RunFinish {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// When, by this machine's clock.
    pub finished_at: DateTime<Utc>,
    /// All that it did.
    pub progress: RunProgress,
}

/// Something to be written into the event log that is no record's change.
#[derive(Clone, PartialEq, Debug)]
pub struct LifecycleEvent {
    /// What happened.
    pub event: EventType,
    /// Details.
    pub data: Value,
}

/// What a commit changed, by resource.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PageOutcome {
    /// Records seen for the first time, or back.
    pub created: BTreeMap<Resource, u64>,
    /// Records whose content changed.
    pub changed: BTreeMap<Resource, u64>,
    /// Records that were as stored after all.
    pub unchanged: BTreeMap<Resource, u64>,
    /// Records that are gone.
    pub deleted: BTreeMap<Resource, u64>,
    /// Documents left out because a later observation is stored.
    pub stale: u64,
}

/// Hands out sequence and instant together, both rising. Lives under the connection's lock until the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventClock {
    /// The last sequence handed out; 0 before the first.
    pub sequence: u64,
    /// The last instant handed out.
    pub time: Option<Timestamp>,
}

impl EventClock {
    /// Returns the next pair: the sequence one up, the instant the clock's or one microsecond past the last,
    /// whichever is later.
    pub fn tick(&mut self, now: DateTime<Utc>) -> (u64, Timestamp) {
        let now = Timestamp::from(now);
        let time = match self.time {
            Some(last) if last >= now => {
                Timestamp::from(last.as_datetime() + TimeDelta::microseconds(1))
            }
            _ => now,
        };
        self.sequence += 1;
        self.time = Some(time);
        (self.sequence, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_agree_when_the_clock_stands_still_or_goes_back() {
        let mut clock = EventClock {
            sequence: 7,
            time: None,
        };
        let noon: DateTime<Utc> = "2031-05-01T12:00:00Z".parse().unwrap();
        let first = clock.tick(noon);
        let second = clock.tick(noon);
        let third = clock.tick(noon - TimeDelta::hours(1));
        let later = clock.tick(noon + TimeDelta::hours(1));
        assert_eq!((first.0, second.0, third.0, later.0), (8, 9, 10, 11));
        assert!(first.1 < second.1 && second.1 < third.1 && third.1 < later.1);
        assert_eq!(later.1, Timestamp::from(noon + TimeDelta::hours(1)));
    }

    #[test]
    fn a_later_fence_observes_later() {
        let connection = ConnectionId::new();
        let base = |epoch| Fence { connection, epoch }.observation_base();
        assert!(base(1) + i64::from(i32::MAX) < base(2));
        assert!(base(u32::MAX) > 0);
    }
}
