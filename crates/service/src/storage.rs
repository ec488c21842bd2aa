//! What the service needs from a store: connections and secrets' hashes, and the records as the API reads them.
//!
//! No method hands out a transaction: each is atomic, and its argument carries all that must be atomic with it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use wrenchtime_connector::{EntityName, RemoteKey, StreamName, SystemName};
use wrenchtime_model::{ConnectionId, Envelope, Event, RecordId, Resource, RunId, Timestamp};
use wrenchtime_sync::{LifecycleEvent, RunState};

use crate::State;

/// Keeps connections, keys, tokens and the audit log, and shows runs.
#[async_trait]
pub trait ConnectionStore: std::fmt::Debug + Send + Sync + 'static {
    /// Tells whether values can be read, and written as well.
    ///
    /// # Behavior
    /// - After a write that was not completed, whatever the reason, it fails until one can be completed.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when they cannot.
    async fn ready(&self) -> Result<(), StorageError>;

    /// Returns the value kept under this name after storing `value` if there was none: the first caller's value stays.
    async fn meta_init(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StorageError>;

    /// Returns the value kept under this name.
    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Keeps a value under this name, instead of any that was there.
    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StorageError>;

    /// Adds a management key.
    async fn add_key(&self, key: ManagementKey, audit: AuditEntry) -> Result<(), StorageError>;

    /// Returns the management key with this hash, also a revoked one.
    async fn key_by_hash(&self, hash: &SecretHash) -> Result<Option<ManagementKey>, StorageError>;

    /// Returns all management keys, oldest first.
    async fn keys(&self) -> Result<Vec<ManagementKey>, StorageError>;

    /// Revokes a key from now on. Tells whether there was one that was not revoked.
    async fn revoke_key(
        &self,
        id: Uuid,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Returns the connection token with this hash, also a revoked one, and its connection.
    async fn token_by_hash(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(ConnectionToken, StoredConnection)>, StorageError>;

    /// Adds a connection with its first token.
    ///
    /// # Behavior
    /// - Its event log is empty and its event clock stands at `created_at`, so that no event of it is ever earlier.
    async fn create_connection(&self, new: NewConnection) -> Result<(), StorageError>;

    /// Returns a connection, also a disconnected one.
    async fn connection(&self, id: ConnectionId) -> Result<Option<StoredConnection>, StorageError>;

    /// Returns connections in order of their ids, which is the order of their making.
    async fn connections(
        &self,
        filter: &ConnectionFilter,
    ) -> Result<Vec<StoredConnection>, StorageError>;

    /// Moves a connection to another state, with the event that tells of it and the audit entry.
    ///
    /// Returns it as it is then, or nothing when it does not exist, stands in none of the expected states, or has
    /// other settings than the expected ones; nothing was written then.
    async fn transition(
        &self,
        transition: Transition,
    ) -> Result<Option<StoredConnection>, StorageError>;

    /// Ends a connection for good.
    ///
    /// # Behavior
    /// - State, event and audit entry as in [`ConnectionStore::transition`]; nothing is returned, and nothing written,
    ///   when it does not exist or is disconnected already.
    /// - All its tokens are revoked and its schedule is gone, in the same commit.
    /// - Its fence is raised, so that a run under way cannot commit any more; an unfinished run is closed as
    ///   cancelled, and [`wrenchtime_sync::Storage::acquire`] refuses it from then on.
    /// - Records, documents and sealed settings stay.
    async fn disconnect(
        &self,
        disconnect: Disconnect,
    ) -> Result<Option<StoredConnection>, StorageError>;

    /// Gives a connection other credentials, with the state that they lead to, its event and the audit entry.
    ///
    /// # Behavior
    /// - Settings, account, state, event, schedule and audit entries are one commit.
    /// - Where [`NewCredentials::to`] is absent, state, reason and [`StoredConnection::state_since`] stay.
    /// - Id, name, tokens, documents, records, checkpoints and runs stay.
    /// - Nothing is returned, and nothing written, when the connection does not exist or stands in another state than
    ///   the expected one.
    async fn replace_credentials(
        &self,
        new: NewCredentials,
    ) -> Result<Option<StoredConnection>, StorageError>;

    /// Sets how often a connection is synced; nothing means on demand only. Tells whether there is such a connection
    /// that is not disconnected.
    async fn set_schedule(
        &self,
        id: ConnectionId,
        every: Option<Duration>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Returns a connection's runs, newest first (by id, descending), before `before` where given.
    async fn runs(
        &self,
        connection: ConnectionId,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunState>, StorageError>;

    /// Returns one run of a connection.
    async fn run(
        &self,
        connection: ConnectionId,
        run: RunId,
    ) -> Result<Option<RunState>, StorageError>;

    /// Adds to the audit log. Nothing of it is ever changed.
    async fn audit(&self, entry: AuditEntry) -> Result<(), StorageError>;
}

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

    /// Returns a page of the rows that cannot be read or mapped now.
    ///
    /// # Behavior
    /// - Rows that could not be read come first, in the order in which they were met; then those that could not be
    ///   mapped, by entity.
    /// - A row that could not be read is left out once its entity's listing in [`QuarantineQuery::listings`] came to
    ///   its end after the run that met it. One that several runs met is told as the last of them did.
    /// - A row that could not be mapped is left out once it is mapped, or gone.
    ///
    /// # Errors
    /// [`StorageError::NoConnection`] when there is no such connection.
    async fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StorageError>;
}

/// Why a store did not do it. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no such connection.
    #[error("there is no connection {0}")]
    NoConnection(ConnectionId),
    /// The store does not answer, or has no room.
    #[error("the store cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was read back is not what was written.
    #[error("the store holds what cannot be read: {0}")]
    Corrupt(String),
}

/// SHA-256 of a key or token. The secrets themselves are stored nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SecretHash(pub [u8; 32]);

/// A management key as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagementKey {
    /// Its id. A UUID v7.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Hash of the secret.
    pub hash: SecretHash,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it is void.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A connection token as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionToken {
    /// Its id. A UUID v7.
    pub id: Uuid,
    /// The connection.
    pub connection: ConnectionId,
    /// Hash of the secret.
    pub hash: SecretHash,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is void, perhaps in the future.
    pub void_from: Option<DateTime<Utc>>,
}

/// Who did what, when. Holds no secret.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `key:<id>`, `command_line`, `system`.
    pub actor: String,
    /// What: `connection.created`.
    pub action: String,
    /// To which connection.
    pub connection: Option<ConnectionId>,
    /// Details.
    pub detail: Value,
}

/// A connection's settings, sealed by the service's vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSettings {
    /// The connection's data key, sealed under the master key.
    pub data_key: Vec<u8>,
    /// The settings, sealed under the data key.
    pub settings: Vec<u8>,
}

/// Whose account a connection opens, as the source told when it was checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredAccount {
    /// Tells accounts apart. Other credentials must open the same.
    pub identity: String,
    /// What people call it.
    pub display_name: String,
    /// The source's version, where it tells one.
    pub server_version: Option<String>,
}

/// A connection to add.
#[derive(Clone, PartialEq, Debug)]
pub struct NewConnection {
    /// Its id.
    pub id: ConnectionId,
    /// The system.
    pub system: SystemName,
    /// What people call it.
    pub name: String,
    /// The state that it begins in.
    pub state: State,
    /// Whose account it is.
    pub account: StoredAccount,
    /// Its settings.
    pub sealed: SealedSettings,
    /// Its first token.
    pub token: ConnectionToken,
    /// How often it is synced; nothing means on demand only. Whole seconds.
    pub schedule: Option<Duration>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub audit: AuditEntry,
}

/// A connection as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredConnection {
    /// Its id.
    pub id: ConnectionId,
    /// The system.
    pub system: SystemName,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub state_since: DateTime<Utc>,
    /// Why, in words for people, where there is something to say.
    pub reason: Option<String>,
    /// Whose account it is.
    pub account: StoredAccount,
    /// Its settings.
    pub sealed: SealedSettings,
    /// How often it is synced; nothing means on demand only.
    pub schedule: Option<Duration>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which connections to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectionFilter {
    /// Of this system.
    pub system: Option<SystemName>,
    /// In one of these states; in any when empty.
    pub states: Vec<State>,
    /// Behind this one.
    pub after: Option<ConnectionId>,
    /// How many at most.
    pub limit: u32,
}

/// A change of state to write.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    /// The connection.
    pub id: ConnectionId,
    /// The states in which it may stand now.
    pub expected: Vec<State>,
    /// The settings that it must have now, where it is moved by what came of using them; any when absent.
    pub sealed: Option<SealedSettings>,
    /// The state from now on.
    pub to: State,
    /// Why, in words for people.
    pub reason: Option<String>,
    /// What is written into the connection's event log.
    pub event: Option<LifecycleEvent>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub audit: AuditEntry,
}

/// Other credentials of a connection, checked, for the same account.
#[derive(Clone, PartialEq, Debug)]
pub struct NewCredentials {
    /// The connection.
    pub id: ConnectionId,
    /// The state in which it must stand now.
    pub expected: State,
    /// Its settings from now on.
    pub sealed: SealedSettings,
    /// Its account as it was told with them.
    pub account: StoredAccount,
    /// The state from now on, where it is another.
    pub to: Option<State>,
    /// What is written into the connection's event log.
    pub event: Option<LifecycleEvent>,
    /// How often it is synced from now on, where that changes as well.
    pub schedule: Option<NewSchedule>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub audit: AuditEntry,
}

/// Another schedule of a connection.
#[derive(Clone, PartialEq, Debug)]
pub struct NewSchedule {
    /// How often it is synced; nothing means on demand only. Whole seconds.
    pub every: Option<Duration>,
    /// Who did it.
    pub audit: AuditEntry,
}

/// The end of a connection.
#[derive(Clone, PartialEq, Debug)]
pub struct Disconnect {
    /// The connection.
    pub id: ConnectionId,
    /// Why, in words for people.
    pub reason: Option<String>,
    /// What is written into the connection's event log.
    pub event: LifecycleEvent,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub audit: AuditEntry,
}

/// A stretch of time or days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range<T> {
    /// From this one on, itself included.
    pub from: Option<T>,
    /// Before this one, itself left out.
    pub before: Option<T>,
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
pub struct RecordFilter {
    /// When its content last changed here.
    pub modified: Range<Timestamp>,
    /// When it was first stored here.
    pub created: Range<Timestamp>,
    /// When the source says that it last changed.
    pub remote_modified: Range<Timestamp>,
    /// When the source says that it was made.
    pub remote_created: Range<Timestamp>,
    /// When it is due.
    pub due: Range<Timestamp>,
    /// When it was completed.
    pub completed: Range<Timestamp>,
    /// The day on which it was ordered.
    pub order_date: Range<NaiveDate>,
    /// The day on which it is to arrive.
    pub delivery_date: Range<NaiveDate>,
    /// The unified status is one of these; any when empty.
    pub status: Vec<String>,
    /// The asset that it is about.
    pub asset_id: Option<RecordId>,
    /// The source's key of it.
    pub remote_id: Option<String>,
}

/// In which order a list stands, and where the page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// By record id, behind this one.
    Id(Option<RecordId>),
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
    /// The records.
    pub rows: Vec<StoredRecord>,
    /// There are more behind the last.
    pub more: bool,
    /// The instant of the last event in the connection's log, or when the connection was made where there is none.
    /// Whatever is committed after this snapshot has a later one.
    pub head: Timestamp,
    /// Each of [`ListQuery::complete_when`] has had a complete pass.
    pub complete: bool,
}

/// A record as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRecord {
    /// Its resource.
    pub resource: Resource,
    /// Identity, times, place in the feed.
    pub envelope: Envelope,
    /// Its content: the text of one JSON object, as the mapper wrote it.
    pub content: String,
    /// The source document that it was made of, verbatim, where it was asked for and is kept.
    pub raw: Option<String>,
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

/// A row that cannot be read or mapped. Its content is not part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantinedRow {
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
    Unmapped,
}
