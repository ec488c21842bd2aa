//! The storage of one run.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use wrenchtime_connector::{EntityName, RemoteKey, SortKey, StreamName};
use wrenchtime_model::{ConnectionId, SuspicionId};
use wrenchtime_sync::{
    Absence, DocumentWrite, Fence, KnownRow, NewRun, PageCommit, PageOutcome, Removal, RunFinish,
    RunReport, RunStart, Storage, StorageError, StoredDocument, StoredRange, StreamState,
    Suspicion, UnmappedQuery,
};

use super::Watch;
use crate::Sabotage;
use crate::clients::Clients;

/// The storage of one run.
#[derive(Debug)]
pub(crate) struct WatchedStorage {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) watch: Arc<Watch>,
    /// Applications that read while the run writes.
    pub(crate) clients: Arc<tokio::sync::Mutex<Clients>>,
    /// An operator said that what is missing is gone.
    pub(crate) accepts_deletes: bool,
    pub(crate) sabotage: Option<Sabotage>,
}

impl WatchedStorage {
    /// Whoever follows reads a page after each commit, so that its reading spans many of them.
    async fn let_clients_read(&self) -> Result<(), StorageError> {
        let mut clients = self.clients.lock().await;
        clients
            .step()
            .await
            .map_err(|error| StorageError::Unavailable(error.into()))
    }
}

#[async_trait]
impl Storage for WatchedStorage {
    async fn acquire(&self, connection: ConnectionId) -> Result<Fence, StorageError> {
        self.inner.acquire(connection).await
    }

    async fn begin_run(&self, fence: &Fence, run: NewRun) -> Result<RunStart, StorageError> {
        self.inner.begin_run(fence, run).await
    }

    async fn stream_states(
        &self,
        connection: ConnectionId,
    ) -> Result<BTreeMap<StreamName, StreamState>, StorageError> {
        self.inner.stream_states(connection).await
    }

    async fn known(
        &self,
        connection: ConnectionId,
        entity: &EntityName,
        keys: &[SortKey],
    ) -> Result<Vec<KnownRow>, StorageError> {
        let _turn = self.watch.turn(format!("compare rows of {entity}")).await;
        self.inner.known(connection, entity, keys).await
    }

    async fn known_range(
        &self,
        connection: ConnectionId,
        range: StoredRange,
    ) -> Result<Vec<KnownRow>, StorageError> {
        let _turn = self
            .watch
            .turn(format!("compare rows of {}", range.entity))
            .await;
        self.inner.known_range(connection, range).await
    }

    async fn commit(
        &self,
        fence: &Fence,
        mut commit: PageCommit,
    ) -> Result<PageOutcome, StorageError> {
        let _turn = self.watch.turn(format!("write {}", commit.stream)).await;
        let breaks = self.watch.write().await;
        let marked = |write: &&DocumentWrite| write.document.deleted;
        let gone = commit.documents.iter().filter(marked);
        let gone: Vec<SortKey> = gone.map(|write| write.sort_key.clone()).collect();
        let (entity, stream) = (commit.entity.clone(), commit.stream.clone());
        if self.sabotage == Some(Sabotage::LosesPages) && commit.documents.len() > 4 {
            commit.documents.pop();
        }
        let is_end = commit.state.pass.is_none();
        let outcome = self.inner.commit(fence, commit).await?;
        if is_end {
            self.watch.findings().missing.remove(&entity);
        }
        self.watch.check_gone(&entity, Some(&stream), &gone);
        self.let_clients_read().await?;
        if breaks {
            self.watch.hold().await;
        }
        Ok(outcome)
    }

    async fn count_missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
    ) -> Result<(u64, u64), StorageError> {
        let _turn = self
            .watch
            .turn(format!("count what is missing of {}", absence.entity))
            .await;
        let counted = self.inner.count_missing(connection, absence).await?;
        let mut findings = self.watch.findings();
        findings.missing.insert(absence.entity.clone(), counted);
        if self.sabotage == Some(Sabotage::BelievesAbsence) {
            return Ok((counted.0.min(1), counted.1));
        }
        Ok(counted)
    }

    async fn suspicions(&self, connection: ConnectionId) -> Result<Vec<Suspicion>, StorageError> {
        self.inner.suspicions(connection).await
    }

    async fn count_suspect(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        suspicion: SuspicionId,
    ) -> Result<u64, StorageError> {
        let _turn = self
            .watch
            .turn(format!("count what is suspect of {}", absence.entity))
            .await;
        self.inner
            .count_suspect(connection, absence, suspicion)
            .await
    }

    async fn unmapped(
        &self,
        connection: ConnectionId,
        query: UnmappedQuery,
    ) -> Result<Vec<StoredDocument>, StorageError> {
        self.inner.unmapped(connection, query).await
    }

    async fn unread(
        &self,
        connection: ConnectionId,
    ) -> Result<Vec<(EntityName, RemoteKey)>, StorageError> {
        self.inner.unread(connection).await
    }

    async fn missing(
        &self,
        connection: ConnectionId,
        absence: &Absence,
        after: Option<&SortKey>,
        limit: u32,
    ) -> Result<Vec<KnownRow>, StorageError> {
        let _turn = self
            .watch
            .turn(format!("list what is missing of {}", absence.entity))
            .await;
        self.inner.missing(connection, absence, after, limit).await
    }

    async fn remove(&self, fence: &Fence, removal: Removal) -> Result<PageOutcome, StorageError> {
        let _turn = self
            .watch
            .turn(format!("remove rows of {}", removal.entity))
            .await;
        let breaks = self.watch.write().await;
        let (entity, keys) = (removal.entity.clone(), removal.keys.clone());
        let outcome = self.inner.remove(fence, removal).await?;
        self.watch.check_many(&entity, self.accepts_deletes);
        self.watch.check_gone(&entity, None, &keys);
        self.let_clients_read().await?;
        if breaks {
            self.watch.hold().await;
        }
        Ok(outcome)
    }

    async fn finish_run(
        &self,
        fence: &Fence,
        finish: RunFinish,
    ) -> Result<RunReport, StorageError> {
        let _turn = self.watch.turn("end the run".to_owned()).await;
        let breaks = self.watch.write().await;
        let report = self.inner.finish_run(fence, finish).await?;
        if breaks {
            self.watch.hold().await;
        }
        Ok(report)
    }
}
