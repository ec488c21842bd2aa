//! The stores that a history is run on: whatever implements the engine's storage and the readers' side.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use clap::ValueEnum;
use tempfile::TempDir;
use wrenchtime_connector::Clock;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{
    ChangesPage, ChangesQuery, GetQuery, ListOrder, ListPage, ListQuery, RecordReader,
    StorageError, StoredRecord, SyncSnapshot,
};
use wrenchtime_store::{SqliteOptions, SqliteStore};
use wrenchtime_sync::{MemoryStorage, Storage};

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum StoreKind {
    /// The engine's own, in memory.
    Memory,
    /// `SQLite`, in a file.
    Sqlite,
}

/// A store with connections of many histories, or of one.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) reader: Arc<dyn RecordReader>,
    file: Option<(SqliteStore, TempDir)>,
    clock: Arc<dyn Clock>,
}

impl Store {
    pub(crate) async fn open(kind: StoreKind, clock: Arc<dyn Clock>) -> Result<Self> {
        match kind {
            StoreKind::Memory => {
                let storage = Arc::new(MemoryStorage::new(Arc::clone(&clock)));
                Ok(Self {
                    reader: Arc::new(MemoryReader(Arc::clone(&storage))),
                    storage,
                    file: None,
                    clock,
                })
            }
            StoreKind::Sqlite => {
                let directory = tempfile::tempdir().context("make a data directory")?;
                Self::open_file(directory, clock).await
            }
        }
    }

    async fn open_file(directory: TempDir, clock: Arc<dyn Clock>) -> Result<Self> {
        let options = SqliteOptions::new(directory.path(), Arc::clone(&clock)).with_readers(1);
        let store = SqliteStore::open(options).await.context("open the store")?;
        Ok(Self {
            storage: Arc::new(store.clone()),
            reader: Arc::new(store.clone()),
            file: Some((store, directory)),
            clock,
        })
    }

    pub(crate) async fn add(&self, connection: ConnectionId) -> Result<()> {
        if let Some((store, _)) = &self.file {
            store.add_connection(connection).await?;
        }
        Ok(())
    }

    /// Closes the store and opens it again, as after a restart. What is in memory stays.
    pub(crate) async fn reopen(self) -> Result<Self> {
        match self.file {
            Some((store, directory)) => {
                store.close().await;
                Self::open_file(directory, self.clock).await
            }
            None => Ok(self),
        }
    }
}

/// The readers' side of the store in memory.
#[derive(Debug)]
struct MemoryReader(Arc<MemoryStorage>);

impl MemoryReader {
    fn records(&self, connection: ConnectionId) -> Vec<StoredRecord> {
        let records = self.0.records(connection).into_iter();
        records
            .map(|record| StoredRecord {
                resource: record.resource,
                envelope: record.envelope,
                content: record.content.get().to_owned(),
                raw: None,
            })
            .collect()
    }
}

fn lacking(what: &str) -> StorageError {
    StorageError::Unavailable(format!("the store in memory has no {what}").into())
}

#[async_trait]
impl RecordReader for MemoryReader {
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StorageError> {
        let ListOrder::Sequence(after) = query.order else {
            return Err(lacking("list by id"));
        };
        let events = self.0.events(query.connection);
        let head = events.last().map(|event| event.time);
        let mut rows = self.records(query.connection);
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
        Ok(ListPage {
            rows,
            more,
            head: head.unwrap_or_else(|| chrono::DateTime::UNIX_EPOCH.into()),
            complete: true,
        })
    }

    async fn get(&self, _query: &GetQuery) -> Result<Option<StoredRecord>, StorageError> {
        Err(lacking("reading by id"))
    }

    async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage, StorageError> {
        let records = self.records(query.connection);
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
                    let is_its = |row: &&StoredRecord| row.envelope.id == *record_id;
                    records.iter().find(is_its).cloned()
                }
                wrenchtime_model::EventBody::Lifecycle { .. } => None,
            };
            (event, record)
        });
        Ok(ChangesPage {
            entries: entries.collect(),
            head,
            more,
            epoch: uuid::Uuid::nil(),
        })
    }

    async fn sync_snapshot(&self, _connection: ConnectionId) -> Result<SyncSnapshot, StorageError> {
        Err(lacking("snapshot"))
    }
}
