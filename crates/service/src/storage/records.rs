//! Records, the change feed and what is in quarantine, as the API reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wrenchtime_connector::{EntityName, RemoteKey, StreamName};
use wrenchtime_model::{ConnectionId, Event, Record, RecordId, Resource, RunId, Timestamp};
use wrenchtime_sync::Suspicion;

use super::{JsonTexts, StorageError};

/// Reads records and the change feed. Each call sees one snapshot.
#[async_trait]
pub trait RecordReader: std::fmt::Debug + Send + Sync + 'static {
    /// Returns a page of a list.
    ///
    /// # Behavior
    /// - Rows stand in the query's order, behind its position, no more than its limit; all filters must hold.
    /// - [`ListPage::head`] is of the same snapshot as the rows.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StorageError>;

    /// Returns a record, also a deleted one.
    async fn get(&self, query: &GetQuery) -> Result<Option<StoredRecord>, StorageError>;

    /// Returns a stretch of a connection's event log, in order of sequence.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage, StorageError>;

    /// Returns how far a connection's copy is.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn sync_snapshot(&self, connection: ConnectionId) -> Result<SyncSnapshot, StorageError>;

    /// Returns what stands against listings that lack too many rows, by stream.
    ///
    /// # Behavior
    /// - Each comes with the first of its rows in key order, no more than `sample`. One that was raised by a pass which
    ///   proves nothing of single rows comes without.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn suspicions(
        &self,
        connection: ConnectionId,
        sample: u32,
    ) -> Result<Vec<SuspicionShown>, StorageError>;

    /// Returns a page of the rows that cannot be read or mapped now.
    ///
    /// # Behavior
    /// - Rows that could not be read come first, in the order in which they were met; then those that could not be
    ///   mapped, by entity.
    /// - A row that could not be read is left out once its entity's listing in [`QuarantineQuery::listings`] came to
    ///   its end after the run that met it, and not before, however many runs there are meanwhile: at least the latest
    ///   10,000 are remembered. One that several runs met is told as the last of them did.
    /// - Rows without a key are told apart by their place, and those of one place on a page one by one.
    /// - A row that could not be mapped is left out once it is mapped, or gone.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StorageError>;
}

/// A stretch of time or days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range<T> {
    /// From this one on, itself included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<T>,
    /// Before this one, itself left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<T>,
}

impl<T> Range<T> {
    /// Tells whether it has neither begin nor end.
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.before.is_none()
    }
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self {
            from: None,
            before: None,
        }
    }
}

/// What the records of a list must be like. A record without the value that a filter looks at does not match it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordFilter {
    /// When its content last changed here.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub modified: Range<Timestamp>,
    /// When it was first stored here.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub created: Range<Timestamp>,
    /// When the source says that it last changed.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub remote_modified: Range<Timestamp>,
    /// When the source says that it was made.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub remote_created: Range<Timestamp>,
    /// When it is due.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub due: Range<Timestamp>,
    /// When it was completed.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub completed: Range<Timestamp>,
    /// The day on which it was ordered.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub order_date: Range<NaiveDate>,
    /// The day on which it is to arrive.
    #[serde(skip_serializing_if = "Range::is_open")]
    pub delivery_date: Range<NaiveDate>,
    /// The unified status is one of these; any when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// The asset that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<RecordId>,
    /// The source's key of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
}

/// In which order a list stands, and where the page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// By the instant of first storing, behind this one. No two records of a connection have the same.
    Creation(Option<Timestamp>),
    /// By sequence, behind this one.
    Sequence(Option<u64>),
}

/// Asks for a page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// The connection.
    pub connection: ConnectionId,
    /// The resource.
    pub resource: Resource,
    /// What the records must be like.
    pub filter: RecordFilter,
    /// Records that are gone are listed as well.
    pub include_deleted: bool,
    /// Rows carry their source document.
    pub include_raw: bool,
    /// Order and position.
    pub order: ListOrder,
    /// How many rows at most; 1 to 500.
    pub limit: u32,
    /// The resource is complete once each of these streams has had a complete pass.
    pub complete_when: Vec<StreamName>,
}

/// A page of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct ListPage {
    /// The records, each a [`StoredRecord::text`].
    pub records: JsonTexts,
    /// Their source documents in the same order, where they were asked for.
    pub raw: Option<JsonTexts>,
    /// Where the next page begins; nothing behind the last one.
    pub next: Option<ListOrder>,
    /// The instant of the last event in the connection's log, or when the connection was made where there is none.
    /// Whatever is committed after this snapshot has a later one.
    pub head: Timestamp,
    /// Each of [`ListQuery::complete_when`] has had a complete pass.
    pub complete: bool,
}

/// A record as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRecord {
    /// Envelope and content side by side, as the text of one JSON object. What is the content's stands as the mapper
    /// wrote it.
    pub text: String,
    /// The source document that it was made of, verbatim, where it was asked for and is kept.
    pub raw: Option<String>,
}

impl StoredRecord {
    /// Reads envelope and content.
    ///
    /// # Errors
    /// When the content is not one of this type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<Record<T>> {
        serde_json::from_str(&self.text)
    }
}

/// Asks for one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GetQuery {
    /// The connection.
    pub connection: ConnectionId,
    /// The resource. A record of another resource is not found.
    pub resource: Resource,
    /// The record.
    pub id: RecordId,
    /// With its source document.
    pub include_raw: bool,
}

/// Asks for a stretch of the event log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChangesQuery {
    /// The connection.
    pub connection: ConnectionId,
    /// Behind this sequence; 0 for the beginning.
    pub after: u64,
    /// How many entries at most; 1 to 500.
    pub limit: u32,
    /// Record changes carry the record as it is now.
    pub include_records: bool,
}

/// A stretch of the event log.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangesPage {
    /// The entries.
    pub entries: Vec<(Event, Option<StoredRecord>)>,
    /// The last sequence of the log; 0 when it is empty.
    pub head: u64,
    /// There are more behind the last.
    pub more: bool,
    /// Tells this store's logs from those of any other, and from those before a backup was restored.
    pub epoch: Uuid,
}

/// How far a connection's copy is.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncSnapshot {
    /// When each stream's last complete pass ended; streams that had none are left out.
    pub completed: BTreeMap<StreamName, DateTime<Utc>>,
    /// How many records there are, and how many of them are gone, by resource.
    pub records: BTreeMap<Resource, RecordCounts>,
    /// How many documents are in quarantine, by entity.
    pub quarantined: BTreeMap<String, u64>,
    /// As [`ListPage::head`].
    pub head: Timestamp,
    /// When the last run ended that was complete or partial.
    pub last_success_at: Option<DateTime<Utc>>,
}

/// How many records a resource has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecordCounts {
    /// Those that are there.
    pub live: u64,
    /// Those that are gone and kept as tombstones.
    pub deleted: u64,
}

/// What stands against a listing, with some of the rows that it lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuspicionShown {
    /// What stands.
    pub suspicion: Suspicion,
    /// Keys of rows that are missing.
    pub sample: Vec<RemoteKey>,
}

/// Asks for rows that cannot be read or mapped now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantineQuery {
    /// The connection.
    pub connection: ConnectionId,
    /// The stream that lists each entity whole.
    pub listings: BTreeMap<EntityName, StreamName>,
    /// Behind this row.
    pub after: Option<QuarantinePosition>,
    /// How many rows at most; 1 to 500.
    pub limit: u32,
}

/// Where a row stands in the list of those in quarantine. Means something to the store alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantinePosition {
    /// Among those that could not be read.
    Unreadable(i64),
    /// Among those that could not be mapped: the entity, and where in it.
    Unmapped(String, i64),
}

/// A page of rows that cannot be read or mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantinePage {
    /// The rows.
    pub rows: Vec<QuarantinedRow>,
    /// Where the last one stands, when there are more behind it.
    pub next: Option<QuarantinePosition>,
}

/// Names a row in quarantine, within its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuarantineId {
    /// One that could not be read.
    Unreadable(i64),
    /// One that could not be mapped.
    Unmapped(i64),
}

impl fmt::Display for QuarantineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(row) => write!(f, "unreadable-{row}"),
            Self::Unmapped(row) => write!(f, "unmapped-{row}"),
        }
    }
}

impl FromStr for QuarantineId {
    type Err = NoQuarantineId;

    fn from_str(text: &str) -> Result<Self, NoQuarantineId> {
        let (kind, row) = text.split_once('-').ok_or(NoQuarantineId)?;
        let row = row.parse().map_err(|_| NoQuarantineId)?;
        match kind {
            "unreadable" => Ok(Self::Unreadable(row)),
            "unmapped" => Ok(Self::Unmapped(row)),
            _ => Err(NoQuarantineId),
        }
    }
}

/// A text that names no row in quarantine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an id of a row in quarantine")]
pub struct NoQuarantineId;

/// A row that cannot be read or mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantinedRow {
    /// What a retry names. A row that was met again has another.
    pub id: QuarantineId,
    /// Its entity.
    pub entity: EntityName,
    /// The source's key of it, where that much could be read.
    pub key: Option<RemoteKey>,
    /// What is wrong with it, in words for people.
    pub reason: String,
    /// Where that was found.
    pub fault: RowFault,
}

/// Where it was found that a row is in quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowFault {
    /// At the source: the row could not be read.
    Unreadable {
        /// Where it stands there: a file's name, line and column.
        place: String,
        /// The last run that met it.
        run: RunId,
    },
    /// Here: the row was read and no record can be made of it.
    Unmapped {
        /// The row as the source wrote it. Not for everybody's eyes.
        body: String,
    },
}
