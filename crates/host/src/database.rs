//! The store that a service runs on.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use wrenchtime_connector::Clock;
use wrenchtime_service::storage::{ConnectionStore, RecordReader};
use wrenchtime_store::{
    OpenError, PostgresOptions, PostgresStore, ReadLists, SqliteOptions, SqliteStore,
};
use wrenchtime_sync::Storage;
use wrenchtime_webhooks::{DeliveryStore, EventSource};

/// The store, whichever database it is.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file in the data directory.
    Sqlite(SqliteStore),
    /// A server.
    Postgres(PostgresStore),
}

/// The store as each part of a service sees it.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) connections: Arc<dyn ConnectionStore>,
    pub(crate) records: Arc<dyn RecordReader>,
    pub(crate) sync: Arc<dyn Storage>,
    pub(crate) events: Arc<dyn EventSource>,
    pub(crate) deliveries: Arc<dyn DeliveryStore>,
}

impl Database {
    /// Opens the database at this address, else the file in the data directory. Either way the directory is locked.
    pub(crate) async fn open(
        data_dir: &Path,
        address: Option<&SecretString>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        Ok(match address {
            Some(address) => {
                let options = PostgresOptions::new(address.clone(), clock).with_directory(data_dir);
                Self::Postgres(PostgresStore::open(options).await?)
            }
            None => {
                let options = SqliteOptions::new(data_dir, clock).with_lists(ReadLists::InPlace);
                Self::Sqlite(SqliteStore::open(options).await?)
            }
        })
    }

    pub(crate) fn stores(&self) -> Stores {
        match self {
            Self::Sqlite(store) => stores(store),
            Self::Postgres(store) => stores(store),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

fn stores<S>(store: &S) -> Stores
where
    S: ConnectionStore + RecordReader + Storage + EventSource + DeliveryStore + Clone,
{
    Stores {
        connections: Arc::new(store.clone()),
        records: Arc::new(store.clone()),
        sync: Arc::new(store.clone()),
        events: Arc::new(store.clone()),
        deliveries: Arc::new(store.clone()),
    }
}
