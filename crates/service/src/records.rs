//! Reading records and the change feed.

use wrenchtime_model::ConnectionId;

use crate::storage::{
    ChangesPage, ChangesQuery, GetQuery, ListPage, ListQuery, StoredRecord, SyncSnapshot,
};
use crate::{Result, Service};

impl Service {
    /// Returns a page of a list, from one snapshot.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage> {
        Ok(self.core.records.list(query).await?)
    }

    /// Returns a record, also one that is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record(&self, query: &GetQuery) -> Result<Option<StoredRecord>> {
        Ok(self.core.records.get(query).await?)
    }

    /// Returns a stretch of a connection's event log, from one snapshot.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage> {
        Ok(self.core.records.changes(query).await?)
    }

    /// Returns how far a connection's copy is.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn snapshot(&self, connection: ConnectionId) -> Result<SyncSnapshot> {
        Ok(self.core.records.sync_snapshot(connection).await?)
    }
}
