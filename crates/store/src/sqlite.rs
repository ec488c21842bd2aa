//! The store on SQLite. All SQL of this database stands below this module.
//!
//! Limits are `LIMIT 0 + ?`: SQLite prepares a statement anew whenever a parameter that is the whole limit is bound.

mod callers;
mod connection;
mod direct;
mod mark;
mod migrate;
mod open;
mod records;
mod service;
mod sync;
mod webhooks;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};
use wrenchtime_connector::Clock;
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::StorageError;

use crate::OpenError;
use crate::error::Fault;
use crate::lock::DirectoryLock;
use callers::Callers;
use direct::Direct;
use mark::Mark;
use write::{WriteTx, Writes};

/// A transaction that reads.
type Tx = Transaction<'static, Sqlite>;

/// How to open a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The data directory. It is made if there is none.
    pub directory: PathBuf,
    /// What times are taken from.
    pub clock: Arc<dyn Clock>,
    /// How many connections read beside the one that writes; 4 by default. Lists have as many of their own, opened when they
    /// are needed.
    pub readers: u32,
    /// How lists are read.
    pub lists: ReadLists,
}

/// How lists are read from the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadLists {
    /// On threads for blocking work, by calls that read: right in every runtime.
    #[default]
    Beside,
    /// On the thread that asks, from the file mapped into memory: a quarter less time for a page.
    ///
    /// The thread's other tasks move to another one (`tokio::task::block_in_place`), which takes a runtime of several threads
    /// and panics in a `LocalSet`; in a runtime of one thread lists are read [beside](Self::Beside). A disk that cannot read
    /// what is mapped ends the process (SIGBUS) instead of failing the list. What was read counts as resident memory of the
    /// process until the log changes or the system needs it: up to 2 GiB for each connection that reads.
    InPlace,
}

impl SqliteOptions {
    /// Opens this data directory, by this clock.
    pub fn new(directory: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory: directory.into(),
            clock,
            readers: 4,
            lists: ReadLists::default(),
        }
    }

    /// Sets how many connections read beside the one that writes, at least one.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets how lists are read.
    #[must_use]
    pub fn with_lists(mut self, lists: ReadLists) -> Self {
        self.lists = lists;
        self
    }
}

/// A store in one SQLite file, for one process at a time. Clones share it.
///
/// One connection writes, several read. Readers see what was committed when they began and wait for nobody.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    writer: SqlitePool,
    writes: Writes,
    callers: Callers,
    readers: SqlitePool,
    direct: Arc<Direct>,
    mark: Mark,
    /// Dropped last, when nobody uses the file any more.
    lock: DirectoryLock,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("file", &self.inner.file)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store of a data directory, makes it if there is none, and brings it to this release's format.
    ///
    /// # Errors
    /// When the directory cannot be used or is in use, or the file is not this store's or a newer release's. Each
    /// error says what to do.
    pub async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        open::open(options).await
    }

    /// Tells whether a process has the store of this data directory open.
    pub fn is_open(directory: &Path) -> bool {
        DirectoryLock::is_held(directory)
    }

    /// Returns the database's file.
    pub fn file(&self) -> &Path {
        &self.inner.file
    }

    /// Adds a connection for use with the engine alone, without the service. One that is there stays as it is.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn add_connection(&self, connection: ConnectionId) -> Result<(), StorageError> {
        let mut tx = self.write().await?;
        connection::add(&mut tx, connection, self.inner.clock.now().into()).await?;
        tx.commit().await.map_err(Fault::from)?;
        Ok(())
    }

    /// Closes the file and gives the data directory back, after what is under way has ended. Every later call fails.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.direct.close().await;
        // Behind the last writer in line; who closes twice has noted it then.
        if !self.inner.writer.is_closed() {
            self.note_mark(&self.inner.writer).await;
        }
        self.inner.writer.close().await;
        if let Err(error) = self.inner.lock.release() {
            tracing::warn!(%error, "data directory stays locked until the process ends");
        }
    }

    /// Notes beside the file how far it is. What fails only shortens what a restored backup is told by.
    async fn note_mark(&self, pool: &SqlitePool) {
        if let Err(error) = self.inner.mark.note(pool).await {
            tracing::warn!(%error, "cannot note how far the event logs are");
        }
    }

    /// Begins a transaction that may write. There is one at a time.
    async fn write(&self) -> Result<WriteTx, Fault> {
        write::begin(self).await
    }

    /// Begins a transaction that reads one snapshot.
    async fn read(&self) -> Result<Tx, Fault> {
        Ok(self.inner.readers.begin().await?)
    }
}
