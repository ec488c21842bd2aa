//! The stores that a history is run on: whatever implements the engine's storage and the readers' side.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use clap::ValueEnum;
use serde_json::Value;
use tempfile::TempDir;
use wrenchtime_connector::Clock;
use wrenchtime_model::{ConnectionId, Record};
use wrenchtime_service::storage::{
    AuditEntry, ChangesPage, ChangesQuery, ConnectionStore, GetQuery, ListOrder, ListPage,
    ListQuery, QuarantinePage, QuarantineQuery, RecordReader, StorageError, StoredRecord,
    SuspicionDecision, SuspicionShown, SyncSnapshot,
};
use wrenchtime_store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore};
use wrenchtime_sync::{Decision, MemoryRecord, MemoryStorage, Storage};

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum StoreKind {
    /// The engine's own, in memory.
    Memory,
    /// `SQLite`, in a file.
    Sqlite,
    /// PostgreSQL, in the database that `WRENCHTIME_TEST_POSTGRES` names. What histories leave there stays.
    Postgres,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// Names the database.
const SERVER: &str = "WRENCHTIME_TEST_POSTGRES";
/// To connect takes long in a build without optimisation, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// A store with connections of many histories, or of one.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) reader: Arc<dyn RecordReader>,
    kept: Kept,
    clock: Arc<dyn Clock>,
}

/// Where it keeps what it keeps.
#[derive(Debug)]
enum Kept {
    Memory(Arc<MemoryStorage>),
    File(SqliteStore, TempDir),
    Server(PostgresStore),
}

impl Store {
    pub(crate) async fn open(kind: StoreKind, clock: Arc<dyn Clock>) -> Result<Self> {
        match kind {
            StoreKind::Memory => {
                let storage = Arc::new(MemoryStorage::new(Arc::clone(&clock)));
                Ok(Self {
                    reader: Arc::new(MemoryReader(Arc::clone(&storage))),
                    storage: Arc::<MemoryStorage>::clone(&storage),
                    kept: Kept::Memory(storage),
                    clock,
                })
            }
            StoreKind::Sqlite => {
                let directory = tempfile::tempdir().context("make a data directory")?;
                Self::open_file(directory, clock).await
            }
            StoreKind::Postgres => Self::open_server(clock).await,
        }
    }

    async fn open_file(directory: TempDir, clock: Arc<dyn Clock>) -> Result<Self> {
        let options = SqliteOptions::new(directory.path(), Arc::clone(&clock)).with_readers(1);
        let store = SqliteStore::open(options).await.context("open the store")?;
        Ok(Self {
            storage: Arc::new(store.clone()),
            reader: Arc::new(store.clone()),
            kept: Kept::File(store, directory),
            clock,
        })
    }

    async fn open_server(clock: Arc<dyn Clock>) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever runs the oracle on a server starts the server"
        )]
        let url = std::env::var(SERVER);
        let url = url.with_context(|| {
            format!("{SERVER} names no database: `cargo xtask oracle --store postgres` starts one")
        })?;
        let options = PostgresOptions::new(url.into(), Arc::clone(&clock))
            .with_connections(1, 1)
            .with_acquire_timeout(PATIENCE);
        let store = PostgresStore::open(options)
            .await
            .context("open the store")?;
        Ok(Self {
            storage: Arc::new(store.clone()),
            reader: Arc::new(store.clone()),
            kept: Kept::Server(store),
            clock,
        })
    }

    pub(crate) async fn add(&self, connection: ConnectionId) -> Result<()> {
        match &self.kept {
            Kept::Memory(_) => {}
            Kept::File(store, _) => store.add_connection(connection).await?,
            Kept::Server(store) => store.add_connection(connection).await?,
        }
        Ok(())
    }

    /// Says of all rows that are missing from listings that they are gone.
    pub(crate) async fn confirm_all(&self, connection: ConnectionId) -> Result<()> {
        for suspicion in self.storage.suspicions(connection).await? {
            let decision = SuspicionDecision {
                connection,
                suspicion: suspicion.id,
                decision: Decision::Confirm,
                at: self.clock.now(),
                audit: AuditEntry {
                    at: self.clock.now(),
                    actor: "oracle".to_owned(),
                    action: "suspicion.confirmed".to_owned(),
                    connection: Some(connection),
                    detail: serde_json::Value::Null,
                },
            };
            let decided = match &self.kept {
                Kept::Memory(store) => store.decide(connection, suspicion.id, decision.decision),
                Kept::File(store, _) => store.decide_suspicion(decision).await?,
                Kept::Server(store) => store.decide_suspicion(decision).await?,
            };
            decided.context("a suspicion that was listed can be decided")?;
        }
        Ok(())
    }

    /// Closes the store: its connections and their threads end. What is in memory stays.
    pub(crate) async fn close(self) {
        match self.kept {
            Kept::Memory(_) => {}
            Kept::File(store, _) => store.close().await,
            Kept::Server(store) => store.close().await,
        }
    }

    /// Closes the store and opens it again, as after a restart. What is in memory stays.
    pub(crate) async fn reopen(self) -> Result<Self> {
        match self.kept {
            Kept::Memory(_) => Ok(self),
            Kept::File(store, directory) => {
                store.close().await;
                Self::open_file(directory, self.clock).await
            }
            Kept::Server(store) => {
                store.close().await;
                Self::open_server(self.clock).await
            }
        }
    }
}

/// The readers' side of the store in memory.
#[derive(Debug)]
struct MemoryReader(Arc<MemoryStorage>);

/// Puts a record together as it is shown.
fn shown(record: &MemoryRecord) -> Result<StoredRecord, StorageError> {
    let corrupt = |error: serde_json::Error| StorageError::Corrupt(error.to_string());
    let content: Value = serde_json::from_str(record.content.get()).map_err(corrupt)?;
    let whole = Record {
        envelope: record.envelope.clone(),
        content,
    };
    Ok(StoredRecord {
        text: serde_json::to_string(&whole).map_err(corrupt)?,
        raw: None,
    })
}

fn lacking(what: &str) -> StorageError {
    StorageError::Unavailable(format!("the store in memory has no {what}").into())
}

#[async_trait]
impl RecordReader for MemoryReader {
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StorageError> {
        let ListOrder::Sequence(after) = query.order else {
            return Err(lacking("list by creation"));
        };
        let events = self.0.events(query.connection);
        let head = events.last().map(|event| event.time);
        let mut rows = self.0.records(query.connection);
        rows.retain(|row| {
            let envelope = &row.envelope;
            let from = query.filter.modified.from;
            row.resource == query.resource
                && after.is_none_or(|after| envelope.sequence > after)
                && from.is_none_or(|from| envelope.modified_at >= from)
        });
        rows.sort_by_key(|row| row.envelope.sequence);
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let texts = rows.iter().map(|row| Ok(shown(row)?.text));
        let texts: Vec<String> = texts.collect::<Result<_, StorageError>>()?;
        Ok(ListPage {
            next: last.map(|row| ListOrder::Sequence(Some(row.envelope.sequence))),
            records: texts.iter().map(String::as_str).collect(),
            raw: None,
            head: head.unwrap_or_else(|| chrono::DateTime::UNIX_EPOCH.into()),
            complete: true,
        })
    }

    async fn get(&self, _query: &GetQuery) -> Result<Option<StoredRecord>, StorageError> {
        Err(lacking("reading by id"))
    }

    async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage, StorageError> {
        let records = self.0.records(query.connection);
        let events = self.0.events(query.connection);
        let head = events.last().map_or(0, |event| event.sequence);
        let mut behind: Vec<_> = events
            .into_iter()
            .filter(|event| event.sequence > query.after)
            .collect();
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = behind.len() > limit;
        behind.truncate(limit);
        let entries = behind.into_iter().map(|event| {
            let record = match &event.body {
                wrenchtime_model::EventBody::Record { record_id, .. } => {
                    let is_its = |row: &&MemoryRecord| row.envelope.id == *record_id;
                    records.iter().find(is_its).map(shown).transpose()?
                }
                wrenchtime_model::EventBody::Lifecycle { .. } => None,
            };
            Ok((event, record))
        });
        Ok(ChangesPage {
            entries: entries.collect::<Result<_, StorageError>>()?,
            head,
            more,
            epoch: uuid::Uuid::nil(),
        })
    }

    async fn quarantine(&self, _query: &QuarantineQuery) -> Result<QuarantinePage, StorageError> {
        Err(lacking("list of refused rows"))
    }

    async fn suspicions(
        &self,
        _connection: ConnectionId,
        _sample: u32,
    ) -> Result<Vec<SuspicionShown>, StorageError> {
        Err(lacking("sample of missing rows"))
    }

    async fn sync_snapshot(&self, _connection: ConnectionId) -> Result<SyncSnapshot, StorageError> {
        Err(lacking("snapshot"))
    }
}
