//! The service's storage: connections, keys, tokens, audit, and the records as the API reads them.

mod connections;
mod credentials;
mod issues;
mod keys;
mod list;
mod read;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_service::storage::{
    AuditEntry, ChangesPage, ChangesQuery, ConnectionFilter, ConnectionStore, ConnectionToken,
    Disconnect, Extension, GetQuery, ListPage, ListQuery, ManagementKey, NewConnection,
    NewCredentials, NewSchedule, QuarantinePage, QuarantineQuery, QuarantineRetried,
    QuarantineRetry, RecordReader, SecretHash, Standing, StorageError, StoredConnection,
    StoredRecord, SuspicionDecision, SuspicionShown, SyncSnapshot, Transition,
};
use wrenchtime_sync::{RunState, Suspicion};

use super::{PostgresStore, sync};
use crate::error::Fault;

#[async_trait]
impl ConnectionStore for PostgresStore {
    async fn ready(&self) -> Result<(), StorageError> {
        Ok(keys::check_writable(self).await?)
    }

    async fn meta_init(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StorageError> {
        Ok(keys::meta_init(self, name, value).await?)
    }

    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(keys::meta(self, name).await?)
    }

    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StorageError> {
        Ok(keys::put_meta(self, name, value).await?)
    }

    async fn add_key(&self, key: ManagementKey, audit: AuditEntry) -> Result<(), StorageError> {
        Ok(keys::add(self, &key, &audit).await?)
    }

    async fn key_by_hash(&self, hash: &SecretHash) -> Result<Option<ManagementKey>, StorageError> {
        Ok(keys::by_hash(self, hash).await?)
    }

    async fn keys(&self) -> Result<Vec<ManagementKey>, StorageError> {
        Ok(keys::all(self).await?)
    }

    async fn revoke_key(
        &self,
        id: Uuid,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        Ok(keys::revoke(self, id, at, &audit).await?)
    }

    async fn token_by_hash(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(ConnectionToken, StoredConnection)>, StorageError> {
        Ok(keys::token_by_hash(self, hash).await?)
    }

    async fn create_connection(&self, new: NewConnection) -> Result<(), StorageError> {
        Ok(connections::create(self, &new).await?)
    }

    async fn connection(&self, id: ConnectionId) -> Result<Option<StoredConnection>, StorageError> {
        Ok(connections::one(self, id).await?)
    }

    async fn connections(
        &self,
        filter: &ConnectionFilter,
    ) -> Result<Vec<StoredConnection>, StorageError> {
        Ok(connections::list(self, filter).await?)
    }

    async fn transition(
        &self,
        transition: Transition,
    ) -> Result<Option<StoredConnection>, StorageError> {
        Ok(connections::transition(self, &transition).await?)
    }

    async fn disconnect(
        &self,
        disconnect: Disconnect,
    ) -> Result<Option<StoredConnection>, StorageError> {
        Ok(connections::disconnect(self, &disconnect).await?)
    }

    async fn replace_credentials(
        &self,
        new: NewCredentials,
    ) -> Result<Option<StoredConnection>, StorageError> {
        Ok(credentials::replace(self, &new).await?)
    }

    async fn set_schedule(&self, id: ConnectionId, new: NewSchedule) -> Result<bool, StorageError> {
        Ok(connections::set_schedule(self, id, &new).await?)
    }

    async fn extend(&self, extension: Extension) -> Result<Option<StoredConnection>, StorageError> {
        Ok(connections::extend(self, &extension).await?)
    }

    async fn runs(
        &self,
        connection: ConnectionId,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunState>, StorageError> {
        Ok(read::runs(self, connection, before, limit).await?)
    }

    async fn run(
        &self,
        connection: ConnectionId,
        run: RunId,
    ) -> Result<Option<RunState>, StorageError> {
        Ok(read::run(self, connection, run).await?)
    }

    async fn decide_suspicion(
        &self,
        decision: SuspicionDecision,
    ) -> Result<Option<Suspicion>, StorageError> {
        let mut tx = self.write().await?;
        let decided = sync::decide(&mut tx, &decision).await?;
        if decided.is_some() {
            keys::write_audit(&mut tx, &decision.audit).await?;
            tx.commit().await.map_err(Fault::from)?;
        }
        Ok(decided)
    }

    async fn retry_quarantine(
        &self,
        retry: QuarantineRetry,
    ) -> Result<Option<QuarantineRetried>, StorageError> {
        Ok(issues::retry(self, &retry).await?)
    }

    async fn standings(&self) -> Result<Vec<Standing>, StorageError> {
        Ok(connections::standings(self).await?)
    }

    async fn audit(&self, entry: AuditEntry) -> Result<(), StorageError> {
        let mut tx = self.write().await?;
        keys::write_audit(&mut tx, &entry).await?;
        tx.commit().await.map_err(Fault::from)?;
        Ok(())
    }
}

#[async_trait]
impl RecordReader for PostgresStore {
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StorageError> {
        Ok(list::list(self, query).await?)
    }

    async fn get(&self, query: &GetQuery) -> Result<Option<StoredRecord>, StorageError> {
        Ok(read::get(self, query).await?)
    }

    async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage, StorageError> {
        Ok(read::changes(self, query).await?)
    }

    async fn sync_snapshot(&self, connection: ConnectionId) -> Result<SyncSnapshot, StorageError> {
        Ok(read::sync_snapshot(self, connection).await?)
    }

    async fn suspicions(
        &self,
        connection: ConnectionId,
        sample: u32,
    ) -> Result<Vec<SuspicionShown>, StorageError> {
        Ok(sync::shown(self, connection, sample).await?)
    }

    async fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StorageError> {
        Ok(issues::quarantine(self, query).await?)
    }
}
