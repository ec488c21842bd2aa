//! The sync engine's storage.

mod absence;
mod bulk;
mod commit;
mod known;
mod runs;

use std::collections::BTreeMap;

use async_trait::async_trait;
use wrenchtime_connector::{EntityName, SortKey, StreamName};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{
    Absence, Fence, KnownRow, NewRun, PageCommit, PageOutcome, Removal, RunFinish, RunReport,
    RunStart, Storage, StorageError, StoredRange, StreamState,
};

use super::PostgresStore;
pub(super) use runs::{RUN, cancel_unfinished};

#[async_trait]
impl Storage for PostgresStore {
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

    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError> {
        Ok(absence::list(self, connection, absence, (after, limit)).await?)
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
