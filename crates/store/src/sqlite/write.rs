//! Transactions that write, and whether any can be written.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::SqliteStore;
use crate::error::Fault;

/// Kept under this name for the length of a trial.
const TRIAL: &str = "write_trial";
/// About as much as a small page of rows: a disk with room for a byte takes no sync.
const TRIAL_BYTES: i64 = 64 * 1024;

/// Whether the last transaction came to its end.
#[derive(Clone, Default)]
pub(super) struct Writes {
    in_doubt: Arc<AtomicBool>,
}

/// Leaves writes in doubt, unless it is told of a commit before it is dropped.
struct Outcome {
    writes: Writes,
    is_committed: bool,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        let in_doubt = !self.is_committed;
        self.writes.in_doubt.store(in_doubt, Ordering::Relaxed);
    }
}

/// A transaction that may write. Nothing of it stays unless it is committed.
pub(super) struct WriteTx {
    tx: Transaction<'static, Sqlite>,
    outcome: Outcome,
}

impl WriteTx {
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { tx, mut outcome } = self;
        tx.commit().await?;
        outcome.is_committed = true;
        Ok(())
    }
}

impl Deref for WriteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

/// Begins a transaction that may write. There is one at a time.
pub(super) async fn begin(store: &SqliteStore) -> Result<WriteTx, Fault> {
    let outcome = Outcome {
        writes: store.inner.writes.clone(),
        is_committed: false,
    };
    let tx = store.inner.writer.begin_with("BEGIN IMMEDIATE").await?;
    Ok(WriteTx { tx, outcome })
}

/// Fails when nothing can be written.
///
/// Whoever gave up a transaction may have had a reason of its own, so one is made whose failure has no other cause. As
/// long as transactions come to their end, it is spared.
pub(super) async fn check(store: &SqliteStore) -> Result<(), Fault> {
    if !store.inner.writes.in_doubt.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut tx = begin(store).await?;
    sqlx::query("INSERT OR REPLACE INTO meta (name, value) VALUES (?, zeroblob(?))")
        .bind(TRIAL)
        .bind(TRIAL_BYTES)
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM meta WHERE name = ?")
        .bind(TRIAL)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::AssertSqlSafe;
    use wrenchtime_connector::ManualClock;
    use wrenchtime_service::storage::ConnectionStore;

    use crate::{SqliteOptions, SqliteStore};

    /// Bounds the database's size, as a disk does.
    async fn bound(store: &SqliteStore, pages: i64) {
        sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
            .execute(&store.inner.writer)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_recovered_from_when_there_is_room_again() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap());
        let options = SqliteOptions::new(directory.path(), Arc::new(clock));
        let store = SqliteStore::open(options).await.unwrap();
        let large = vec![7; 100_000];
        store.put_meta("before", b"kept").await.unwrap();
        for _ in 0..3 {
            // SQLite takes it for the present size.
            bound(&store, 1).await;
            let full = store.put_meta("large", &large).await.unwrap_err();
            let cause = std::error::Error::source(&full).unwrap().to_string();
            assert_eq!(
                cause.matches("database or disk is full").count(),
                1,
                "{cause}"
            );
            assert_eq!(store.meta("large").await.unwrap(), None);
            bound(&store, 1).await;
            assert!(store.ready().await.is_err());
        }
        bound(&store, 100_000).await;
        store.ready().await.unwrap();
        assert_eq!(store.meta(super::TRIAL).await.unwrap(), None);
        store.put_meta("large", &large).await.unwrap();
        assert_eq!(store.meta("large").await.unwrap(), Some(large));
        assert_eq!(store.meta("before").await.unwrap().unwrap(), b"kept");
        store.close().await;
    }
}
