//! Transactions that write, and whether any can be written.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::Mutex;

use super::SqliteStore;
use crate::error::Fault;

/// Kept under this name for the length of a trial.
const TRIAL: &str = "write_trial";
/// As much as a large page of rows: a disk with room for less takes no sync.
const TRIAL_BYTES: i64 = 4 * 1024 * 1024;
/// For how long a trial that failed answers for the next.
const TRIAL_HOLDS: TimeDelta = TimeDelta::seconds(5);

/// Whether writes are in doubt: since a transaction was given up, for whatever reason, until a trial succeeds. What is
/// written in between may be small, or nothing at all, and proves little.
#[derive(Default)]
pub(super) struct Writes {
    /// How many transactions were given up.
    given_up: AtomicU64,
    /// How many of them came before the last trial that succeeded.
    answered: AtomicU64,
    /// How many are being committed: what they wrote may be seen already.
    committing: AtomicU64,
    /// How many came to their end, one way or the other.
    ended: AtomicU64,
    /// The last trial, if it failed.
    failed: Mutex<Option<Failed>>,
}

/// A trial that failed.
struct Failed {
    at: DateTime<Utc>,
    why: String,
}

impl Writes {
    /// Returns how many transactions came to their end; nothing while one is on its way there. As long as the number stays,
    /// readers see the same.
    pub(super) fn settled(&self) -> Option<u64> {
        // In this order: one that ends in between is counted.
        let is_settled = self.committing.load(Ordering::SeqCst) == 0;
        is_settled.then(|| self.ended.load(Ordering::SeqCst))
    }

    fn are_in_doubt(&self) -> bool {
        self.given_up.load(Ordering::Relaxed) != self.answered.load(Ordering::Relaxed)
    }
}

/// Leaves writes in doubt, unless it is told of a commit before it is dropped.
struct Outcome {
    /// Kept open, and its directory locked, until it is known.
    store: SqliteStore,
    is_committing: bool,
    is_committed: bool,
}

impl Outcome {
    fn begin_commit(&mut self) {
        self.is_committing = true;
        self.store
            .inner
            .writes
            .committing
            .fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !self.is_committed {
            self.store
                .inner
                .writes
                .given_up
                .fetch_add(1, Ordering::Relaxed);
        }
        self.store.inner.writes.ended.fetch_add(1, Ordering::SeqCst);
        if self.is_committing {
            self.store
                .inner
                .writes
                .committing
                .fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A transaction that may write. Nothing of it stays unless it is committed.
pub(super) struct WriteTx {
    tx: Transaction<'static, Sqlite>,
    outcome: Outcome,
}

impl WriteTx {
    /// Commits, also when whoever waits for it goes away: that it ended is told when it has, and not before.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        let commit = tokio::spawn(self.commit_to_the_end()).await;
        commit.unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error))))
    }

    async fn commit_to_the_end(self) -> Result<(), sqlx::Error> {
        let Self { tx, mut outcome } = self;
        outcome.begin_commit();
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
        store: store.clone(),
        is_committing: false,
        is_committed: false,
    };
    let tx = store.inner.writer.begin_with("BEGIN IMMEDIATE").await?;
    Ok(WriteTx { tx, outcome })
}

/// Fails when nothing can be written.
///
/// Whoever gave up a transaction may have had a reason of its own, so one is made whose failure has no other cause. As
/// long as transactions come to their end, it is spared; those who ask at the same time, or soon again, share one.
pub(super) async fn check(store: &SqliteStore) -> Result<(), Fault> {
    let writes = &store.inner.writes;
    if !writes.are_in_doubt() {
        return Ok(());
    }
    let mut failed = writes.failed.lock().await;
    if !writes.are_in_doubt() {
        return Ok(());
    }
    let now = store.inner.clock.now();
    if let Some(Failed { at, why }) = failed.as_ref()
        && (now - *at).abs() < TRIAL_HOLDS
    {
        return Err(Fault::NoRoom(why.clone()));
    }
    let before = writes.given_up.load(Ordering::Relaxed);
    match attempt(store).await {
        Ok(()) => {
            *failed = None;
            writes.answered.store(before, Ordering::Relaxed);
            Ok(())
        }
        Err(fault) => {
            let why = fault.to_string();
            *failed = Some(Failed { at: now, why });
            Err(fault)
        }
    }
}

/// Writes about a page and takes it away again. Deleted content is overwritten here, so that all of it is written.
async fn attempt(store: &SqliteStore) -> Result<(), Fault> {
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
    use std::time::Duration;

    use sqlx::AssertSqlSafe;
    use tempfile::TempDir;
    use wrenchtime_connector::{Clock, ManualClock};
    use wrenchtime_service::storage::ConnectionStore;
    use wrenchtime_webhooks::{DeliveryId, DeliveryStore};

    use crate::{SqliteOptions, SqliteStore};

    struct Disk {
        store: SqliteStore,
        clock: ManualClock,
        _directory: TempDir,
    }

    impl Disk {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let clock = ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap());
            let options = SqliteOptions::new(directory.path(), Arc::new(clock.clone()));
            Self {
                store: SqliteStore::open(options).await.unwrap(),
                clock,
                _directory: directory,
            }
        }

        /// Leaves room for so many pages of 8 KiB. To be said again after a failure, which has the connection replaced.
        async fn room(&self, pages: i64) {
            let writer = &self.store.inner.writer;
            let size: i64 = sqlx::query_scalar("PRAGMA page_count")
                .fetch_one(writer)
                .await
                .unwrap();
            let bound = format!("PRAGMA max_page_count = {}", size + pages);
            sqlx::query(AssertSqlSafe(bound))
                .execute(writer)
                .await
                .unwrap();
        }

        async fn is_ready(&self) -> bool {
            self.clock.advance(Duration::from_secs(60));
            self.store.ready().await.is_ok()
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_recovered_from_when_there_is_room_again() {
        let disk = Disk::new().await;
        let store = &disk.store;
        let large = vec![7; 100_000];
        store.put_meta("before", b"kept").await.unwrap();
        for _ in 0..3 {
            disk.room(0).await;
            let full = store.put_meta("large", &large).await.unwrap_err();
            let cause = std::error::Error::source(&full).unwrap().to_string();
            assert_eq!(
                cause.matches("database or disk is full").count(),
                1,
                "{cause}"
            );
            assert_eq!(store.meta("large").await.unwrap(), None);
            disk.room(0).await;
            assert!(!disk.is_ready().await);
        }
        disk.room(100_000).await;
        assert!(disk.is_ready().await);
        assert_eq!(store.meta(super::TRIAL).await.unwrap(), None);
        store.put_meta("large", &large).await.unwrap();
        assert_eq!(store.meta("large").await.unwrap(), Some(large));
        assert_eq!(store.meta("before").await.unwrap().unwrap(), b"kept");
        store.close().await;
    }

    #[tokio::test]
    async fn what_changes_nothing_or_little_does_not_prove_that_a_page_can_be_written() {
        let disk = Disk::new().await;
        let store = &disk.store;
        let page = vec![7; 2_000_000];
        disk.room(64).await;
        store.put_meta("page", &page).await.unwrap_err();
        disk.room(64).await;
        assert!(
            !disk.is_ready().await,
            "there is room for a small trial only"
        );
        disk.room(64).await;
        let nobody: DeliveryId = "msg_00000000000050008000000000000000".parse().unwrap();
        assert!(!store.retry(nobody, disk.clock.now()).await.unwrap());
        assert!(!disk.is_ready().await, "nothing was written since");
        disk.room(64).await;
        store.put_meta("small", b"fits").await.unwrap();
        assert!(!disk.is_ready().await, "a page is larger");
        disk.room(100_000).await;
        assert!(disk.is_ready().await);
        assert_eq!(store.meta(super::TRIAL).await.unwrap(), None);
        let mut log = store.file().as_os_str().to_owned();
        log.push("-wal");
        let written = std::fs::metadata(log).unwrap().len();
        assert!(written > super::TRIAL_BYTES.unsigned_abs(), "{written}");
        store.close().await;
    }

    #[tokio::test]
    async fn a_trial_is_shared_for_a_while() {
        let disk = Disk::new().await;
        let store = &disk.store;
        disk.room(0).await;
        store.put_meta("large", &[7; 100_000]).await.unwrap_err();
        disk.room(0).await;
        assert!(!disk.is_ready().await);
        disk.room(100_000).await;
        let told = store.ready().await.unwrap_err();
        let cause = std::error::Error::source(&told).unwrap().to_string();
        assert!(cause.contains("database or disk is full"), "{cause}");
        disk.clock.advance(Duration::from_secs(5));
        store.ready().await.unwrap();
        store.close().await;
    }
}
