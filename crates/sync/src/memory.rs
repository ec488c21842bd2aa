//! A complete store in memory: for tests, for trying things out, and as the shortest reading of what a store does.

mod copy;
mod decisions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::value::RawValue;
use wrenchtime_connector::{Clock, Document, EntityName, RemoteKey, RowIssue, SortKey, StreamName};
use wrenchtime_model::{ConnectionId, Envelope, Event, Resource, SuspicionId};

use crate::{
    Absence, Decision, Fence, KnownRow, NewRun, PageCommit, PageOutcome, Removal, RunFinish,
    RunReport, RunStart, Storage, StorageError, StoredDocument, StoredRange, StreamState,
    Suspicion, UnmappedQuery,
};
use copy::ConnectionCopy;

/// Keeps everything in memory. Connections begin to exist when they are first acquired.
#[derive(Debug)]
pub struct MemoryStorage {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    copies: BTreeMap<ConnectionId, ConnectionCopy>,
    writes: Writes,
    fault: Option<Fault>,
    dead: bool,
}

/// A record as stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryRecord {
    /// Identity, times and place in the change feed.
    pub envelope: Envelope,
    /// Its resource.
    pub resource: Resource,
    /// Its content.
    pub content: Box<RawValue>,
}

/// A document as stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryDocument {
    /// The row as last read.
    pub document: Document,
    /// What the engine is told of it.
    pub row: KnownRow,
    /// Why it could not be mapped, if so.
    pub quarantined: Option<String>,
    /// The mapper's version that could not map it; empty when it is to be tried again by any.
    pub tried_by: String,
}

/// How much was written, over all connections.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Writes {
    /// Calls that write: acquisitions, runs begun and ended, commits, removals.
    pub calls: u64,
    /// Documents written.
    pub documents: u64,
    /// Records created, changed or removed.
    pub records: u64,
    /// Entries of event logs.
    pub events: u64,
}

/// Where the process seems to be killed: this call that writes, counted from 1, and every later call fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Before the call did anything.
    Before(u64),
    /// After the call did everything, and before it could say so.
    After(u64),
}

impl MemoryStorage {
    /// Makes an empty store whose instants come from this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State::default()),
        }
    }

    /// Returns all records of a connection, those that are gone included, by resource and key.
    pub fn records(&self, connection: ConnectionId) -> Vec<MemoryRecord> {
        let mut records = self.read(connection, ConnectionCopy::records);
        records.sort_by(|a, b| {
            let key = |record: &MemoryRecord| (record.resource, record.envelope.remote_id.clone());
            key(a).cmp(&key(b))
        });
        records
    }

    /// Returns all documents of a connection, those that are gone included, by entity and key.
    pub fn documents(&self, connection: ConnectionId) -> Vec<MemoryDocument> {
        self.read(connection, |copy| {
            copy.documents.values().cloned().collect()
        })
    }

    /// Returns a connection's event log.
    pub fn events(&self, connection: ConnectionId) -> Vec<Event> {
        self.read(connection, |copy| copy.events.clone())
    }

    /// Returns the rows of a connection that could not be read when they were last met.
    pub fn issues(&self, connection: ConnectionId) -> Vec<RowIssue> {
        self.read(connection, |copy| copy.issues.values().cloned().collect())
    }

    /// Returns the keys of the rows that a suspicion shows, in their order.
    pub fn suspects(&self, connection: ConnectionId, suspicion: SuspicionId) -> Vec<RemoteKey> {
        self.read(connection, |copy| copy.suspects(suspicion))
    }

    /// Decides a suspicion. Returns it as it stands then or stood last, or nothing when no such one stands.
    pub fn decide(
        &self,
        connection: ConnectionId,
        suspicion: SuspicionId,
        decision: Decision,
    ) -> Option<Suspicion> {
        let now = self.clock.now();
        let mut state = self.lock();
        let copy = state.copies.get_mut(&connection)?;
        copy.decide(suspicion, decision, now)
    }

    /// Lets the next run try again all of a connection's rows that could not be read or mapped.
    pub fn retry_all(&self, connection: ConnectionId) {
        if let Some(copy) = self.lock().copies.get_mut(&connection) {
            copy.retry_all();
        }
    }

    /// Returns how much was written so far.
    pub fn writes(&self) -> Writes {
        self.lock().writes
    }

    /// Lets the store break down at a call that writes, counted from now on.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        let calls = state.writes.calls;
        state.fault = Some(match fault {
            Fault::Before(call) => Fault::Before(calls + call),
            Fault::After(call) => Fault::After(calls + call),
        });
    }

    /// Takes a break-down back. Returns whether it had happened.
    pub fn recover(&self) -> bool {
        let mut state = self.lock();
        state.fault = None;
        std::mem::take(&mut state.dead)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T: Default>(
        &self,
        connection: ConnectionId,
        read: impl FnOnce(&ConnectionCopy) -> T,
    ) -> T {
        self.lock()
            .copies
            .get(&connection)
            .map(read)
            .unwrap_or_default()
    }

    fn ask<T: Default>(
        &self,
        connection: ConnectionId,
        read: impl FnOnce(&ConnectionCopy) -> T,
    ) -> Result<T, StorageError> {
        let state = self.lock();
        if state.dead {
            return Err(broken());
        }
        Ok(state.copies.get(&connection).map(read).unwrap_or_default())
    }

    fn write<T>(
        &self,
        connection: ConnectionId,
        epoch: Option<u32>,
        write: impl FnOnce(&mut ConnectionCopy, &mut Writes) -> T,
    ) -> Result<T, StorageError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.dead {
            state.writes.calls += 1;
        }
        state.dead |= state.fault == Some(Fault::Before(state.writes.calls));
        if state.dead {
            return Err(broken());
        }
        let copy = state
            .copies
            .entry(connection)
            .or_insert_with(|| ConnectionCopy::new(connection));
        if epoch.is_some_and(|epoch| epoch != copy.epoch) {
            return Err(StorageError::Fenced(connection));
        }
        let written = write(copy, &mut state.writes);
        state.dead = state.fault == Some(Fault::After(state.writes.calls));
        if state.dead {
            return Err(broken());
        }
        Ok(written)
    }
}

fn broken() -> StorageError {
    StorageError::Unavailable("the store was told to break down".into())
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("connections", &self.copies.len())
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn acquire(&self, connection: ConnectionId) -> Result<Fence, StorageError> {
        self.write(connection, None, |copy, _| {
            copy.epoch += 1;
            Fence {
                connection,
                epoch: copy.epoch,
            }
        })
    }

    async fn begin_run(&self, fence: &Fence, run: NewRun) -> Result<RunStart, StorageError> {
        self.write(fence.connection, Some(fence.epoch), |copy, _| {
            copy.begin_run(&run)
        })
    }

    async fn stream_states(
        &self,
        connection: ConnectionId,
    ) -> Result<BTreeMap<StreamName, StreamState>, StorageError> {
        self.ask(connection, |copy| copy.states.clone())
    }

    async fn known(
        &self,
        connection: ConnectionId,
        entity: &EntityName,
        keys: &[SortKey],
    ) -> Result<Vec<KnownRow>, StorageError> {
        self.ask(connection, |copy| {
            let row = |key: &SortKey| copy.documents.get(&(entity.clone(), key.clone()));
            let rows = keys.iter().filter_map(row);
            rows.map(|document| document.row.clone()).collect()
        })
    }

    async fn known_range(
        &self,
        connection: ConnectionId,
        range: StoredRange,
    ) -> Result<Vec<KnownRow>, StorageError> {
        self.ask(connection, |copy| copy.range(&range))
    }

    async fn commit(&self, fence: &Fence, commit: PageCommit) -> Result<PageOutcome, StorageError> {
        let now = self.clock.now();
        self.write(fence.connection, Some(fence.epoch), |copy, writes| {
            copy.commit(commit, now, writes)
        })
    }

    async fn count_missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
    ) -> Result<(u64, u64), StorageError> {
        self.ask(connection, |copy| copy.count_missing(absence))
    }

    async fn suspicions(&self, connection: ConnectionId) -> Result<Vec<Suspicion>, StorageError> {
        self.ask(connection, |copy| {
            let suspicions = copy.suspicions.values();
            suspicions.map(|(suspicion, _)| suspicion.clone()).collect()
        })
    }

    async fn count_suspect(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        suspicion: SuspicionId,
    ) -> Result<u64, StorageError> {
        self.ask(connection, |copy| copy.count_suspect(absence, suspicion))
    }

    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.ask(connection, |copy| {
            let behind = |row: &&KnownRow| after.is_none_or(|after| row.sort_key > *after);
            let rows = copy.missing(absence).filter(behind);
            rows.take(limit).cloned().collect()
        })
    }

    async fn unmapped(
        &self,
        connection: ConnectionId,
        query: UnmappedQuery,
    ) -> Result<Vec<StoredDocument>, StorageError> {
        self.ask(connection, |copy| copy.unmapped(&query))
    }

    async fn unread(
        &self,
        connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RemoteKey)>, StorageError> {
        self.ask(connection, |copy| copy.unread.iter().cloned().collect())
    }

    async fn remove(&self, fence: &Fence, removal: Removal) -> Result<PageOutcome, StorageError> {
        let now = self.clock.now();
        self.write(fence.connection, Some(fence.epoch), |copy, writes| {
            copy.remove(&removal, now, writes)
        })
    }

    async fn finish_run(
        &self,
        fence: &Fence,
        finish: RunFinish,
    ) -> Result<RunReport, StorageError> {
        let now = self.clock.now();
        self.write(fence.connection, Some(fence.epoch), |copy, writes| {
            copy.finish_run(&finish, now, writes)
        })?
    }
}
