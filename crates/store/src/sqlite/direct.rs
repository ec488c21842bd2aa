//! Reads that take a row's text where SQLite has it.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};

use super::ReadLists;
use crate::error::Fault;

/// How much of a file is mapped, in bytes: as much as SQLite maps at all.
const MAPPED_BYTES: i64 = 0x7fff_0000;

/// Read-only connections beside the driver's, for what is read all the time and is large.
///
/// The driver has a thread for each connection, copies each value twice on its way out, and wakes three tasks for one
/// answer. For a page of a list that is more than the reading itself.
#[derive(Debug)]
pub(super) struct Direct {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// One for each connection that may be open.
    places: Arc<Semaphore>,
    most: u32,
    how: ReadLists,
}

impl Direct {
    /// Opens none yet; the first reads do.
    pub(super) fn new(file: &Path, most: u32, how: ReadLists) -> Self {
        Self {
            file: file.to_owned(),
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(most as usize)),
            most,
            how,
        }
    }

    /// Reads where no other task is held up; in place, others of the same task are.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let places = Arc::clone(&self.places);
        let place = places.acquire_owned().await.map_err(|_| closed())?;
        if self.is_in_place() {
            let result = block_in_place(|| self.read_here(work));
            drop(place);
            return result;
        }
        let direct = Arc::clone(self);
        let reading = spawn_blocking(move || {
            let result = direct.read_here(work);
            drop(place);
            result
        });
        match reading.await {
            Ok(result) => result,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(closed()),
            },
        }
    }

    /// Tells whether the thread that asks reads. It can only where the runtime has others.
    fn is_in_place(&self) -> bool {
        let flavor = || Handle::current().runtime_flavor();
        self.how == ReadLists::InPlace && flavor() == RuntimeFlavor::MultiThread
    }

    fn read_here<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.file, self.how)?,
        };
        let result = work(&connection);
        self.idle().push(connection);
        result
    }

    /// Waits for what is being read, and closes all.
    pub(super) async fn close(&self) {
        // Fails only when it is closed already.
        let all = self.places.acquire_many(self.most).await;
        self.places.close();
        drop(all);
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> Fault {
    Fault::Sql(sqlx::Error::PoolClosed)
}

fn open(file: &Path, how: ReadLists) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if how == ReadLists::InPlace {
        connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path) -> PathBuf {
        let file = directory.join("x.db");
        let made = Connection::open(&file).unwrap();
        made.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (7)",
        )
        .unwrap();
        file
    }

    fn mapped(connection: &Connection) -> i64 {
        connection
            .pragma_query_value(None, "mmap_size", |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn the_file_is_mapped_where_lists_are_read_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        let connection = open(&file, ReadLists::InPlace).unwrap();
        assert_eq!(mapped(&connection), MAPPED_BYTES);
        let connection = open(&file, ReadLists::Beside).unwrap();
        assert_eq!(mapped(&connection), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_that_panics_gives_its_place_back() {
        let directory = tempfile::tempdir().unwrap();
        for how in [ReadLists::Beside, ReadLists::InPlace] {
            let direct = Arc::new(Direct::new(&file(directory.path()), 1, how));
            let panicking = Arc::clone(&direct);
            let read =
                tokio::spawn(async move { panicking.read::<()>(|_| panic!("on purpose")).await });
            assert!(read.await.unwrap_err().is_panic());
            let read = direct.read(|file| {
                let value = file.query_row("SELECT a FROM t", [], |row| row.get(0));
                Ok::<i64, Fault>(value?)
            });
            assert_eq!(read.await.unwrap(), 7);
            direct.close().await;
            assert!(direct.read(|_| Ok(())).await.is_err());
            std::fs::remove_file(directory.path().join("x.db")).unwrap();
        }
    }
}
