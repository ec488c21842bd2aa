//! The sync engine's storage.

mod absence;
mod bulk;
mod commit;
mod known;
mod parts;
mod retry;
mod runs;
mod suspicions;

use std::collections::BTreeMap;

use async_trait::async_trait;
use wrenchtime_connector::{EntityName, RemoteKey, SortKey, StreamName};
use wrenchtime_model::{ConnectionId, SuspicionId};
use wrenchtime_sync::{
    Absence, Fence, KnownRow, NewRun, PageCommit, PageOutcome, Removal, RunFinish, RunReport,
    RunStart, Storage, StorageError, StoredDocument, StoredRange, StreamState, Suspicion,
    UnmappedQuery,
};

use super::SqliteStore;
pub(super) use runs::{RUN, cancel_unfinished};
pub(super) use suspicions::{decide, shown};

/// SQLite takes 32,766 parameters in a statement; lists of keys are cut well below.
const KEYS_AT_ONCE: usize = 8_000;

#[async_trait]
impl Storage for SqliteStore {
    async fn acquire(&self, connection: ConnectionId) -> Result<Fence, StorageError> {
        Ok(runs::acquire(self, connection).await?)
    }

    async fn begin_run(&self, fence: &Fence, run: NewRun) -> Result<RunStart, StorageError> {
        Ok(runs::begin(self, fence, run).await?)
    }

    async fn stream_states(
        &self,
        connection: ConnectionId,
    ) -> Result<BTreeMap<StreamName, StreamState>, StorageError> {
        Ok(known::stream_states(self, connection).await?)
    }

    async fn known(
        &self,
        connection: ConnectionId,
        entity: &EntityName,
        keys: &[SortKey],
    ) -> Result<Vec<KnownRow>, StorageError> {
        Ok(known::by_keys(self, connection, entity, keys).await?)
    }

    async fn known_range(
        &self,
        connection: ConnectionId,
        range: StoredRange,
    ) -> Result<Vec<KnownRow>, StorageError> {
        Ok(known::in_range(self, connection, range).await?)
    }

    async fn commit(&self, fence: &Fence, commit: PageCommit) -> Result<PageOutcome, StorageError> {
        Ok(commit::commit(self, fence, commit).await?)
    }

    async fn count_missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
    ) -> Result<(u64, u64), StorageError> {
        Ok(absence::count(self, connection, absence).await?)
    }

    async fn suspicions(&self, connection: ConnectionId) -> Result<Vec<Suspicion>, StorageError> {
        Ok(suspicions::all(self, connection).await?)
    }

    async fn count_suspect(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        suspicion: SuspicionId,
    ) -> Result<u64, StorageError> {
        Ok(absence::count_suspect(self, connection, (absence, suspicion)).await?)
    }

    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError> {
        Ok(absence::list(self, connection, absence, (after, limit)).await?)
    }

    async fn unmapped(
        &self,
        connection: ConnectionId,
        query: UnmappedQuery,
    ) -> Result<Vec<StoredDocument>, StorageError> {
        Ok(retry::unmapped(self, connection, &query).await?)
    }

    async fn unread(
        &self,
        connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RemoteKey)>, StorageError> {
        Ok(retry::unread(self, connection).await?)
    }

    async fn remove(&self, fence: &Fence, removal: Removal) -> Result<PageOutcome, StorageError> {
        Ok(absence::remove(self, fence, removal).await?)
    }

    async fn finish_run(
        &self,
        fence: &Fence,
        finish: RunFinish,
    ) -> Result<RunReport, StorageError> {
        Ok(runs::finish(self, fence, finish).await?)
    }
}
