//! The store: copies in memory, and a journal from which they are made again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use wrenchtime_connector::{Clock, EntityName, RemoteKey, RowIssue, SortKey, StreamName};
use wrenchtime_model::{ConnectionId, Event, Record, Resource, SuspicionId};
use wrenchtime_sync::{
    Absence, Decision, Fence, KnownRow, NewRun, PageCommit, PageOutcome, Removal, RunFinish,
    RunReport, RunStart, Storage, StorageError, StoredDocument, StoredRange, StreamState,
    Suspicion, UnmappedQuery,
};

use crate::copy::Copy;
use crate::draft::Draft;
use crate::journal::{Journal, Line, unavailable};

/// Keeps connections in a journal file. A connection begins to exist when it is first acquired.
#[derive(Clone, Debug)]
pub struct FileStorage {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Inner {
    journal: Journal,
    copies: BTreeMap<ConnectionId, Copy>,
}

impl FileStorage {
    /// Opens a store, with what earlier processes left in its file. Its instants come from this clock.
    ///
    /// # Errors
    /// When the file cannot be read, holds what this store did not write, or is open already.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StorageError> {
        let mut copies: BTreeMap<ConnectionId, Copy> = BTreeMap::new();
        let journal = Journal::open(path, |line| {
            let copy = copies.entry(line.connection).or_default();
            line.changes
                .into_iter()
                .for_each(|change| copy.apply(change));
        })?;
        let inner = Arc::new(Mutex::new(Inner { journal, copies }));
        Ok(Self { inner, clock })
    }

    /// Returns the records of a resource, those that are gone included, in the order of their last change.
    ///
    /// # Errors
    /// When the store cannot be used, or a record's content is not of this type.
    pub async fn records<T: DeserializeOwned + Send + 'static>(
        &self,
        connection: ConnectionId,
        resource: Resource,
    ) -> Result<Vec<Record<T>>, StorageError> {
        let read = self.read(connection, move |copy| {
            let records = copy
                .records
                .values()
                .filter(|stored| stored.resource == resource);
            let read = records.map(|stored| {
                let content = serde_json::from_str(stored.content.get()).map_err(|error| {
                    StorageError::Corrupt(format!("record {}: {error}", stored.envelope.id))
                })?;
                let envelope = stored.envelope.clone();
                Ok(Record { envelope, content })
            });
            Some(read.collect::<Result<Vec<_>, _>>())
        });
        let mut records = read.await?.transpose()?.unwrap_or_default();
        records.sort_by_key(|record| record.envelope.sequence);
        Ok(records)
    }

    /// Returns a connection's event log.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn events(&self, connection: ConnectionId) -> Result<Vec<Event>, StorageError> {
        self.read(connection, |copy| copy.events.clone()).await
    }

    /// Returns the rows of a connection that could not be read when they were last met.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn issues(
        &self,
        connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RowIssue)>, StorageError> {
        self.read(connection, |copy| {
            let issues = copy.issues();
            issues
                .map(|(entity, issue)| (entity.clone(), issue.clone()))
                .collect()
        })
        .await
    }

    /// Decides what stands against a listing that lacks too many rows. Returns nothing when no such suspicion stands.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn decide(
        &self,
        connection: ConnectionId,
        suspicion: SuspicionId,
        decision: Decision,
    ) -> Result<Option<Suspicion>, StorageError> {
        let decide = move |draft: &mut Draft<'_>| Ok(draft.decide(suspicion, decision));
        self.draft(connection, None, decide).await
    }

    async fn read<T: Default + Send + 'static>(
        &self,
        connection: ConnectionId,
        read: impl FnOnce(&Copy) -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        self.with(move |inner| {
            inner.journal.check()?;
            Ok(inner.copies.get(&connection).map(read).unwrap_or_default())
        })
        .await
    }

    /// Writes under a fence. What the write changes stands in one line of the journal.
    async fn write<T: Send + 'static>(
        &self,
        fence: &Fence,
        write: impl FnOnce(&mut Draft<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let fence = *fence;
        self.draft(fence.connection, Some(fence.epoch), write).await
    }

    async fn draft<T: Send + 'static>(
        &self,
        connection: ConnectionId,
        epoch: Option<u32>,
        write: impl FnOnce(&mut Draft<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let clock = Arc::clone(&self.clock);
        self.with(move |inner| {
            inner.journal.check()?;
            let copy = inner.copies.entry(connection).or_default();
            if epoch.is_some_and(|epoch| epoch != copy.epoch) {
                return Err(StorageError::Fenced(connection));
            }
            let mut draft = Draft::new(copy, connection, clock.now());
            let written = write(&mut draft)?;
            let changes = draft.into_changes();
            if !changes.is_empty() {
                // When this fails, memory is ahead of the file, and the journal lets nobody see it.
                inner.journal.append(&Line {
                    connection,
                    changes,
                })?;
            }
            Ok(written)
        })
        .await
    }

    /// Works under the lock, on a thread that may wait for the disk. Goes on to its end when the caller is dropped.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let inner = Arc::clone(&self.inner);
        let work = move || {
            let broken = |_| unavailable("an earlier call broke off halfway");
            work(&mut *inner.lock().map_err(broken)?)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(unavailable)?
    }
}

#[async_trait]
impl Storage for FileStorage {
    async fn acquire(&self, connection: ConnectionId) -> Result<Fence, StorageError> {
        let raise = |draft: &mut Draft<'_>| Ok(draft.raise_epoch());
        let epoch = self.draft(connection, None, raise).await?;
        Ok(Fence { connection, epoch })
    }

    async fn begin_run(&self, fence: &Fence, run: NewRun) -> Result<RunStart, StorageError> {
        self.write(fence, move |draft| Ok(draft.begin_run(&run)))
            .await
    }

    async fn stream_states(
        &self,
        connection: ConnectionId,
    ) -> Result<BTreeMap<StreamName, StreamState>, StorageError> {
        self.read(connection, |copy| copy.streams.clone()).await
    }

    async fn known(
        &self,
        connection: ConnectionId,
        entity: &EntityName,
        keys: &[SortKey],
    ) -> Result<Vec<KnownRow>, StorageError> {
        let (entity, keys) = (entity.clone(), keys.to_vec());
        self.read(connection, move |copy| copy.known(&entity, &keys))
            .await
    }

    async fn known_range(
        &self,
        connection: ConnectionId,
        range: StoredRange,
    ) -> Result<Vec<KnownRow>, StorageError> {
        self.read(connection, move |copy| copy.range(&range)).await
    }

    async fn commit(&self, fence: &Fence, commit: PageCommit) -> Result<PageOutcome, StorageError> {
        self.write(fence, |draft| draft.commit(commit)).await
    }

    async fn count_missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
    ) -> Result<(u64, u64), StorageError> {
        let absence = absence.clone();
        let counts = self.read(connection, move |copy| {
            (
                copy.missing(&absence).count(),
                copy.live(&absence.entity).count(),
            )
        });
        let (missing, live) = counts.await?;
        let number = |count| u64::try_from(count).unwrap_or(u64::MAX);
        Ok((number(missing), number(live)))
    }

    async fn suspicions(&self, connection: ConnectionId) -> Result<Vec<Suspicion>, StorageError> {
        self.read(connection, |copy| {
            let all = copy.suspicions.values();
            all.map(|shown| shown.suspicion.clone()).collect()
        })
        .await
    }

    async fn count_suspect(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        suspicion: SuspicionId,
    ) -> Result<u64, StorageError> {
        let absence = absence.clone();
        let count = self.read(connection, move |copy| {
            copy.count_suspect(&absence, suspicion)
        });
        Ok(u64::try_from(count.await?).unwrap_or(u64::MAX))
    }

    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError> {
        let (absence, after) = (absence.clone(), after.cloned());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(connection, move |copy| {
            copy.missing(&absence)
                .skip_while(|(key, _)| after.as_ref().is_some_and(|after| *key <= after))
                .take(limit)
                .map(|(key, row)| row.known(key))
                .collect()
        })
        .await
    }

    async fn unmapped(
        &self,
        connection: ConnectionId,
        query: UnmappedQuery,
    ) -> Result<Vec<StoredDocument>, StorageError> {
        self.read(connection, move |copy| copy.unmapped(&query))
            .await
    }

    async fn unread(
        &self,
        _connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RemoteKey)>, StorageError> {
        // Nobody tells this store that a row is to be read again. The next pass that shows it does.
        Ok(Vec::new())
    }

    async fn remove(&self, fence: &Fence, removal: Removal) -> Result<PageOutcome, StorageError> {
        self.write(fence, |draft| Ok(draft.remove(removal))).await
    }

    async fn finish_run(
        &self,
        fence: &Fence,
        finish: RunFinish,
    ) -> Result<RunReport, StorageError> {
        self.write(fence, |draft| draft.finish_run(finish)).await
    }
}
