//! Opening the file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::callers::Callers;
use super::direct::Direct;
use super::mark::Mark;
use super::write::Writes;
use super::{Inner, SqliteOptions, SqliteStore, migrate};
use crate::OpenError;
use crate::error::Fault;
use crate::lock::DirectoryLock;

/// The database's file in the data directory.
const FILE: &str = "wrenchtime.db";
/// What a database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Bytes of its header.
const HEADER_BYTES: u64 = 100;
/// Measured on rows of two kilobytes: half as many pages to write as with 4096.
const PAGE_SIZE: u32 = 8192;
/// The most entries that a page of the change feed shows, and the one that tells whether there are more.
const ROWS_OF_PAGE: usize = 501;
/// Writers queue behind each other; a large page takes a fraction of a second.
const WAIT_FOR_WRITER: Duration = Duration::from_secs(120);

pub(super) async fn open(options: SqliteOptions) -> Result<SqliteStore, OpenError> {
    let lock = DirectoryLock::take(&options.directory)?;
    let file = options.directory.join(FILE);
    let header = header(&file)?;
    let refused = |source| refused(&file, source);
    let writer = pool(1)
        .connect_with(writing(&file, has_vacuum_mode(&header)))
        .await
        .map_err(refused)?;
    migrate::migrate(&writer, &file).await?;
    // It has the mode by now, and a connection that takes the place of a broken one must not need room on the disk.
    writer.set_connect_options(writing(&file, true));
    let mark = Mark::open(&writer, &file).await?;
    let readers = pool(options.readers.max(1))
        .connect_with(reading(&file))
        .await
        .map_err(refused)?;
    let most = options.readers.max(1);
    let direct = Arc::new(Direct::new(&file, most, options.lists));
    Ok(SqliteStore {
        inner: Arc::new(Inner {
            file,
            clock: options.clock,
            writer,
            writes: Writes::default(),
            callers: Callers::default(),
            readers,
            direct,
            mark,
            lock,
        }),
    })
}

/// Reads the header, empty when there is no file yet.
///
/// A file that is no database is told from one that cannot be opened before SQLite touches it.
fn header(file: &Path) -> Result<Vec<u8>, OpenError> {
    let refused = |source| OpenError::Directory {
        path: file.to_owned(),
        source,
    };
    let mut header = Vec::new();
    match std::fs::File::open(file) {
        Ok(opened) => opened
            .take(HEADER_BYTES)
            .read_to_end(&mut header)
            .map_err(refused)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(header),
        Err(error) => return Err(refused(error)),
    };
    if header.is_empty() || header.starts_with(MAGIC) {
        Ok(header)
    } else {
        Err(OpenError::NotADatabase {
            path: file.to_owned(),
        })
    }
}

/// Tells whether the file has its vacuum mode: largest root page and incremental flag are both there.
fn has_vacuum_mode(header: &[u8]) -> bool {
    let is_set = |at: std::ops::Range<usize>| {
        header
            .get(at)
            .is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
    };
    is_set(52..56) && is_set(64..68)
}

pub(super) fn refused(file: &Path, source: sqlx::Error) -> OpenError {
    let path = file.to_owned();
    let code = source
        .as_database_error()
        .and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    match code.as_deref() {
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        Some("11" | "26") => OpenError::NotADatabase { path },
        _ => OpenError::Database {
            path,
            source: Box::new(Fault::from(source)),
        },
    }
}

fn writing(file: &Path, has_vacuum_mode: bool) -> SqliteConnectOptions {
    let options = shared(file).create_if_missing(true).page_size(PAGE_SIZE);
    // SQLite writes the mode's page even when it is the same, and a mere look must change no byte.
    let options = if has_vacuum_mode {
        options
    } else {
        options.auto_vacuum(SqliteAutoVacuum::Incremental)
    };
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", "67108864")
        // Record ids are spread evenly, so a page of rows touches pages all over the indexes.
        .pragma("cache_size", "-32768")
        // 32 MiB of log before it is worked into the file: the same index pages are then written once, not four times.
        .pragma("wal_autocheckpoint", "4096")
}

fn reading(file: &Path) -> SqliteConnectOptions {
    shared(file)
        .read_only(true)
        .pragma("cache_size", "-2048")
        // A whole page of the change feed: the reading thread need not stop for whoever takes its rows.
        .row_buffer_size(ROWS_OF_PAGE)
}

fn shared(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30))
        .pragma("temp_store", "MEMORY")
        // A page's statement has thousands of placeholders: no text for a log.
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_FOR_WRITER)
        .acquire_slow_threshold(WAIT_FOR_WRITER)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_at_rest(connection)))
}

/// Tells whether a connection that comes back can be lent again.
///
/// On a full disk and on errors of the disk SQLite rolls back by itself. The driver's rollback then fails, and it takes
/// the connection for one in a transaction for ever: such a connection is closed, and the pool opens another.
async fn is_at_rest(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // One that was dropped is rolled back before this is answered.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}
