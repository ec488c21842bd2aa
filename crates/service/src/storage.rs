//! What the service needs from a store: connections and secrets' hashes, and the records as the API reads them.
//!
//! No method hands out a transaction: each is atomic, and its argument carries all that must be atomic with it.

mod records;
mod schedules;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use wrenchtime_connector::{EntityName, StreamName, SystemName};
use wrenchtime_model::{ConnectionId, Resource, RunId, SuspicionId, Timestamp};
use wrenchtime_sync::{Decision, LifecycleEvent, RunState, Suspicion};

pub use self::records::{
    ChangesPage, ChangesQuery, GetQuery, ListOrder, ListPage, ListQuery, QuarantineId,
    QuarantinePage, QuarantinePosition, QuarantineQuery, QuarantinedRow, Range, RecordCounts,
    RecordFilter, RecordReader, RowFault, StoredRecord, SuspicionShown, SyncSnapshot,
};
pub use self::schedules::{Interval, NewSchedule};
pub use self::texts::JsonTexts;
use crate::State;

/// Keeps connections, keys, tokens and the audit log, and shows runs.
#[async_trait]
pub trait ConnectionStore: std::fmt::Debug + Send + Sync + 'static {
    /// Tells whether values can be read, and written as well.
    ///
    /// # Behavior
    /// - After a write that was not completed, whatever the reason, it fails until a page of rows can be written, where
    ///   that can be told by a trial. A trial leaves nothing, and what it told may stand for some seconds.
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
    /// - All its tokens are revoked and its schedules are gone, in the same commit.
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
    /// - [`StoredConnection::authorized_at`] is [`NewCredentials::at`] from then on.
    /// - Nothing is returned, and nothing written, when the connection does not exist, stands in another state than
    ///   the expected one, or has other settings than those to replace.
    async fn replace_credentials(
        &self,
        new: NewCredentials,
    ) -> Result<Option<StoredConnection>, StorageError>;

    /// Sets how often a connection and its resources are synced, by [`NewSchedule::over`]. Tells whether there is such a
    /// connection that is not disconnected.
    async fn set_schedule(&self, id: ConnectionId, new: NewSchedule) -> Result<bool, StorageError>;

    /// Lets a connection's records go further back, with the audit entry.
    ///
    /// Returns it as it is then; nothing, and nothing is written, when there is no such connection, it is disconnected, or
    /// its records go back as far already.
    async fn extend(&self, extension: Extension) -> Result<Option<StoredConnection>, StorageError>;

    /// Decides what stands against a listing, with the audit entry.
    ///
    /// Returns it as it stands then, or stood last; nothing, and nothing is written, when no such suspicion stands, or
    /// the connection is disconnected.
    ///
    /// # Behavior
    /// - Confirming twice is confirming once; the first instant stays.
    /// - Rejecting ends it, confirmed or not.
    /// - A run under way that raises the same suspicion anew keeps what is decided; one that raises another ends it.
    async fn decide_suspicion(
        &self,
        decision: SuspicionDecision,
    ) -> Result<Option<Suspicion>, StorageError>;

    /// Lets the next run try again what is in quarantine, with the audit entry.
    ///
    /// Returns how many rows are tried in which way; nothing, and nothing is written, when there is no such row, or the
    /// connection is disconnected.
    ///
    /// # Behavior
    /// - Only rows that [`RecordReader::quarantine`] tells of.
    /// - Documents that could not be mapped are shown by [`wrenchtime_sync::Storage::unmapped`] to any mapper until one
    ///   has tried them; rows that could not be read, by [`wrenchtime_sync::Storage::unread`] until they were read again.
    async fn retry_quarantine(
        &self,
        retry: QuarantineRetry,
    ) -> Result<Option<QuarantineRetried>, StorageError>;

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

    /// Counts connections by system and state, in the order of their names.
    async fn standings(&self) -> Result<Vec<Standing>, StorageError>;

    /// Adds to the audit log. Nothing of it is ever changed.
    async fn audit(&self, entry: AuditEntry) -> Result<(), StorageError>;
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
    /// From when on its records go; nothing for all. Whole microseconds.
    pub records_since: Option<DateTime<Utc>>,
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
    /// Since when it has them.
    pub authorized_at: DateTime<Utc>,
    /// How often it is synced; nothing means on demand only.
    pub schedule: Option<Duration>,
    /// How often resources are that have a schedule of their own; nothing means on demand only.
    pub resource_schedules: BTreeMap<Resource, Option<Duration>>,
    /// From when on its records go; nothing for all.
    pub records_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The connections of one system that are in one state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The system.
    pub system: SystemName,
    /// The state.
    pub state: State,
    /// How many they are. At least one.
    pub connections: u64,
    /// The longest ago that one of those with a schedule had a run that was complete or partial, or was made where it never had one.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many of their rows cannot be mapped now.
    pub quarantined: u64,
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
    /// The settings that it must have now: the ones before these were checked.
    pub replaces: SealedSettings,
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

/// Records of a connection from longer ago than before.
#[derive(Clone, PartialEq, Debug)]
pub struct Extension {
    /// The connection.
    pub id: ConnectionId,
    /// From when on its records go; nothing for all. Whole microseconds.
    pub since: Option<DateTime<Utc>>,
    /// Who did it.
    pub audit: AuditEntry,
}

impl Extension {
    /// Tells whether records of a connection go further back by it. A store asks it under the lock under which it writes.
    pub fn is_wider_than(&self, connection: &StoredConnection) -> bool {
        let before = connection.records_since;
        before.is_some_and(|before| self.since.is_none_or(|since| since < before))
    }
}

/// A decision on a suspicion.
#[derive(Clone, PartialEq, Debug)]
pub struct SuspicionDecision {
    /// The connection.
    pub connection: ConnectionId,
    /// The suspicion.
    pub suspicion: SuspicionId,
    /// What is decided.
    pub decision: Decision,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub audit: AuditEntry,
}

/// Rows in quarantine to be tried again.
#[derive(Clone, PartialEq, Debug)]
pub struct QuarantineRetry {
    /// The connection.
    pub connection: ConnectionId,
    /// This one; all without it.
    pub row: Option<QuarantineId>,
    /// The stream that lists each entity whole, as in [`QuarantineQuery::listings`].
    pub listings: BTreeMap<EntityName, StreamName>,
    /// Entities whose rows can be asked for by key.
    pub rereads: BTreeSet<EntityName>,
    /// Who wants it.
    pub audit: AuditEntry,
}

/// How rows in quarantine are tried again.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QuarantineRetried {
    /// Mapped from the stored document.
    pub mapped: u64,
    /// Asked for by key.
    pub read: u64,
    /// Left to the next pass that shows them.
    pub waiting: u64,
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
