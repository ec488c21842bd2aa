//! The store on PostgreSQL, for any number of processes. All SQL of this database stands below this module, in the same
//! places as SQLite's.
//!
//! - **Who may write.** Every transaction that writes to a connection's records or log begins by locking the connection's
//!   row ([`connection::Lane`]). The fence is compared, and sequence and instant of each event are drawn, under that lock,
//!   which is held until the commit: of two processes the later one waits, then sees all that the earlier one wrote.
//!   Transactions are `READ COMMITTED`, so that each statement behind the lock sees what was committed before it.
//! - **Snapshots.** What reads more than one statement does so in one `REPEATABLE READ READ ONLY` transaction.
//! - **No retries.** With one row lock taken first there is nothing to serialise anew and no cycle to wait in. Should
//!   PostgreSQL refuse all the same, the caller is told that the store is unavailable and nothing was written, which it
//!   must be ready for anyway. Rows are locked in this order: connection, endpoint, delivery.
//! - **JSON as text.** Replies are put together from stored JSON without parsing, and hashes are of its bytes. `jsonb`
//!   gives back other bytes than it got; `json` would check once more what was checked, at a third of the time.
//! - **Numbers for instants.** Microseconds, as everywhere in this crate, so that every instant that there is can be kept
//!   and a filter binds what it compares; `to_timestamp(modified_at / 1e6)` shows one to people.

mod connection;
mod mark;
mod migrate;
mod open;
mod records;
mod service;
mod statistics;
mod sync;
mod text;
mod webhooks;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};
use wrenchtime_connector::Clock;
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::StorageError;

use crate::OpenError;
use crate::error::Fault;
use crate::lock::DirectoryLock;
use mark::Mark;
use statistics::Statistics;

/// A transaction, reading or writing.
type Tx = Transaction<'static, Postgres>;

/// How to open a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// Where the database is: `postgres://user:password@host:port/database`. What it leaves out is taken from `PGHOST`,
    /// `PGPASSFILE` and the like.
    pub url: SecretString,
    /// What times are taken from.
    pub clock: Arc<dyn Clock>,
    /// Where this process keeps how far the event logs were. Without one, a backup that is restored while no process is
    /// connected goes unseen.
    pub directory: Option<PathBuf>,
    /// How many connections read; 8 by default.
    pub readers: u32,
    /// How many connections write; 8 by default.
    pub writers: u32,
    /// How long a call waits for a free or new connection; 10 s by default.
    pub acquire_timeout: Duration,
    /// How long a statement may take, waiting for locks included; 5 minutes by default.
    pub statement_timeout: Duration,
}

impl PostgresOptions {
    /// Opens this database, by this clock.
    pub fn new(url: SecretString, clock: Arc<dyn Clock>) -> Self {
        Self {
            url,
            clock,
            directory: None,
            readers: 8,
            writers: 8,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(300),
        }
    }

    /// Sets the data directory. It is made if there is none, and locked: each process has its own.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets how many connections read and how many write, at least one each.
    #[must_use]
    pub fn with_connections(mut self, readers: u32, writers: u32) -> Self {
        self.readers = readers.max(1);
        self.writers = writers.max(1);
        self
    }

    /// Sets how long a call waits for a connection.
    #[must_use]
    pub fn with_acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// Sets how long a statement may take.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }
}

/// A store in a PostgreSQL database, for any number of processes at once. Clones share it.
///
/// Some connections write, others read, so that no reader stands in line behind writers. A connection that broke is
/// replaced; what was under way on it is told as [`StorageError::Unavailable`].
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where it is, without the password.
    place: String,
    clock: Arc<dyn Clock>,
    writers: PgPool,
    readers: PgPool,
    mark: Arc<Mark>,
    statistics: Statistics,
    lock: Option<DirectoryLock>,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("place", &self.inner.place)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store of a database, makes it if there is none, and brings it to this release's format.
    ///
    /// # Errors
    /// When the database cannot be reached, refuses, or is not this store's or a newer release's. Each error says what to
    /// do, and none holds the password.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        open::open(options).await
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

    /// Closes the connections and gives the data directory back, after what is under way has ended. Every later call
    /// fails.
    pub async fn close(&self) {
        self.inner.writers.close().await;
        // Behind the last writer; who closes twice has noted it then.
        if !self.inner.readers.is_closed() {
            self.note_mark().await;
        }
        self.inner.readers.close().await;
        if let Some(Err(error)) = self.inner.lock.as_ref().map(DirectoryLock::release) {
            tracing::warn!(%error, "data directory stays locked until the process ends");
        }
    }

    /// Notes how far the logs are. What fails only shortens what a restored backup is told by.
    async fn note_mark(&self) {
        if let Err(error) = self.inner.mark.note(&self.inner.readers).await {
            tracing::warn!(%error, "cannot note how far the event logs are");
        }
    }

    /// Begins a transaction that may write.
    async fn write(&self) -> Result<Tx, Fault> {
        begin(&self.inner.writers, "BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// Begins a transaction that reads one snapshot.
    async fn read(&self) -> Result<Tx, Fault> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        begin(&self.inner.readers, SNAPSHOT).await
    }
}

/// Begins a transaction in a task of its own. Whoever gave up between `BEGIN` and its answer would leave a connection in
/// the pool that is inside of a transaction which nobody ends; the task ends it.
async fn begin(pool: &PgPool, statement: &'static str) -> Result<Tx, Fault> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    // The task neither panics nor is aborted, unless the whole runtime ends.
    Ok(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
}
