//! The promises on SQLite, and those that only a file makes.

mod formats;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use wrenchtime_connector::ManualClock;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::State;
use wrenchtime_service::storage::{ConnectionStore, StoredConnection, Transition};
use wrenchtime_store::{OpenError, ReadLists, SqliteOptions, SqliteStore};
use wrenchtime_sync::{Storage, StorageError};

use crate::fixture::{DocumentWriteExt, Fixture, Lane, Parts, audit, new_connection, noon, second};
use crate::whole::given_up_after;

#[derive(Debug)]
pub(crate) struct SqliteFixture {
    pub(crate) directory: TempDir,
    clock: ManualClock,
    pub(crate) store: SqliteStore,
}

fn options(directory: &Path, clock: &ManualClock) -> SqliteOptions {
    SqliteOptions::new(directory, Arc::new(clock.clone())).with_readers(2)
}

impl SqliteFixture {
    async fn reading(lists: ReadLists) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(noon());
        let options = options(directory.path(), &clock).with_lists(lists);
        let store = SqliteStore::open(options).await.unwrap();
        Self {
            directory,
            clock,
            store,
        }
    }
}

#[async_trait]
impl Fixture for SqliteFixture {
    type Store = SqliteStore;

    async fn new() -> Self {
        Self::reading(ReadLists::Beside).await
    }

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = SqliteStore::open(options(self.directory.path(), &self.clock))
            .await
            .unwrap();
        Self { store, ..self }
    }

    async fn close(&self) {
        self.store.close().await;
    }

    async fn trap(&self) {
        let trap =
            "CREATE TRIGGER trap BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'trapped'); END";
        intrude(self.store.file())
            .await
            .execute(trap)
            .await
            .unwrap();
    }

    async fn clear(&self) {
        let clear = "DROP TRIGGER trap";
        intrude(self.store.file())
            .await
            .execute(clear)
            .await
            .unwrap();
    }
}

crate::store_suite! { super::SqliteFixture }

#[test]
fn commits_do_what_the_store_in_memory_does() {
    crate::property::commits_do_what_the_store_in_memory_does::<SqliteFixture>();
}

#[test]
fn a_polling_client_misses_nothing() {
    crate::property::a_polling_client_misses_nothing::<SqliteFixture>();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_readers_miss_nothing_of_fifty_writers() {
    let fixture = SqliteFixture::new().await;
    let stores = [fixture.store.clone(), fixture.store.clone()];
    let outcome = crate::crowd::gather(stores, fixture.clock(), 3).await;
    outcome.assert_whole(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_readers_in_place_miss_nothing_of_fifty_writers() {
    let fixture = SqliteFixture::reading(ReadLists::InPlace).await;
    let stores = [fixture.store.clone(), fixture.store.clone()];
    let outcome = crate::crowd::gather(stores, fixture.clock(), 3).await;
    outcome.assert_whole(3);
}

#[tokio::test]
async fn lists_in_place_are_read_beside_where_a_runtime_has_one_thread() {
    let fixture = SqliteFixture::reading(ReadLists::InPlace).await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("a", "one"), lane.document("b", "two")])
        .await;
    assert_eq!(lane.records(Resource::Asset).await.len(), 2);
}

/// Opens the file beside the store, as no program of ours does.
pub(crate) async fn intrude(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub(crate) async fn opened(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(options(directory, &ManualClock::new(noon()))).await
}

#[tokio::test]
async fn a_transaction_that_sqlite_itself_rolled_back_is_not_in_the_way_of_the_next() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let mut intruder = intrude(fixture.store.file()).await;
    // As on a full disk: nothing is left that could be rolled back.
    intruder
        .execute(
            "CREATE TRIGGER trap BEFORE INSERT ON events BEGIN SELECT RAISE(ROLLBACK, 'trapped'); END",
        )
        .await
        .unwrap();
    let page = lane.page(vec![
        lane.document("1", "big pump"),
        lane.document("2", "fan"),
    ]);
    for polls in [1, 4, 16, i64::MAX] {
        let ended = given_up_after(polls, lane.store.commit(&lane.fence, page.clone())).await;
        assert!(
            matches!(ended, None | Some(Err(StorageError::Unavailable(_)))),
            "{ended:?}"
        );
    }
    assert_eq!(lane.known("2").await, None);
    assert_eq!(lane.record("1").await.content(), r#"{"name":"pump"}"#);

    intruder.execute("DROP TRIGGER trap").await.unwrap();
    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
    assert_eq!((outcome.created.len(), outcome.changed.len()), (1, 1));
    assert_eq!(lane.changes().await.len(), 3);
}

#[tokio::test]
async fn one_process_at_a_time_has_the_directory() {
    let fixture = SqliteFixture::new().await;
    let directory = fixture.directory.path();
    let refused = opened(directory).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Locked { path } if path == directory));
    assert!(
        refused
            .to_string()
            .contains("stop that one or name another directory")
    );
    fixture.store.close().await;
    let again = opened(directory).await.unwrap();
    again.add_connection(ConnectionId::new()).await.unwrap();
    // Giving up the store gives the directory up, closed or not.
    drop((again, fixture.store));
    opened(directory).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "text").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = opened(&path).await.unwrap_err();
        assert!(
            matches!(&refused, OpenError::Directory { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains(&path.display().to_string()));
    }
    let below = directory.path().join("a/b");
    opened(&below).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&below).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrenchtime.db");
    let damaged = [&b"SQLite format 3\0"[..], &[7; 4096]].concat();
    for content in [
        b"id,name\n1,pump and more than sixteen bytes\n".to_vec(),
        damaged,
    ] {
        std::fs::write(&file, &content).unwrap();
        let refused = opened(directory.path()).await.unwrap_err();
        assert!(
            matches!(&refused, OpenError::NotADatabase { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("move it away or restore it"));
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
    std::fs::remove_file(&file).unwrap();
    intrude(&file)
        .await
        .execute("CREATE TABLE theirs (x)")
        .await
        .unwrap();
    let refused = opened(directory.path()).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Foreign { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let fixture = SqliteFixture::new().await;
    fixture.store.close().await;
    let file = fixture.store.file().to_owned();
    let mut intruder = intrude(&file).await;
    intruder.execute("PRAGMA user_version = 99").await.unwrap();
    intruder.close().await.unwrap();
    let refused = opened(fixture.directory.path()).await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::Newer { found: 99, .. }),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .contains("run that release or restore an older backup")
    );
}

#[tokio::test]
async fn files_are_made_as_promised() {
    let fixture = SqliteFixture::new().await;
    let mut intruder = intrude(fixture.store.file()).await;
    let numbers: (i64, i64, String) = sqlx::query_as(
        "SELECT p.page_size, a.auto_vacuum, j.journal_mode FROM pragma_page_size p, pragma_auto_vacuum a, \
         pragma_journal_mode j",
    )
    .fetch_one(&mut intruder)
    .await
    .unwrap();
    // 2 is incremental.
    assert_eq!(numbers, (8192, 2, "wal".to_owned()));
    let faults: Vec<(String,)> = sqlx::query_as("PRAGMA foreign_key_check")
        .fetch_all(&mut intruder)
        .await
        .unwrap();
    assert!(faults.is_empty());
}

#[tokio::test]
async fn a_look_writes_nothing() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    fixture.store.meta_init("check", b"sealed").await.unwrap();
    fixture.store.close().await;
    let content = || {
        let entries = std::fs::read_dir(fixture.directory.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    let before = content();
    let again = opened(fixture.directory.path()).await.unwrap();
    let kept = again.meta_init("check", b"another").await.unwrap();
    assert_eq!(kept, b"sealed");
    again.close().await;
    let after = content();
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (path, bytes) in before {
        assert!(after[&path] == bytes, "{} is another", path.display());
    }
}

#[tokio::test]
async fn what_was_overwritten_is_not_left_in_the_file() {
    const SECRET: &str = "the-text-that-must-go";
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", SECRET)]).await;
    lane.commit(vec![lane.document("1", "harmless").seen_at(2)])
        .await;
    fixture.store.close().await;
    let bytes = std::fs::read(fixture.store.file()).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("harmless"));
    assert!(!holds(SECRET));
}

#[tokio::test]
async fn who_holds_a_token_is_never_older_than_what_is_stored() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let token = new_connection(lane.id).token.hash;
    let written = |connection: StoredConnection| -> u64 {
        connection
            .reason
            .map_or(0, |reason| reason.parse().unwrap())
    };
    for turn in 1..=240_u64 {
        let transition = Transition {
            id: lane.id,
            expected: vec![State::Active, State::Offline],
            sealed: None,
            to: [State::Active, State::Offline][usize::from(turn % 2 == 0)],
            reason: Some(turn.to_string()),
            event: None,
            at: second(turn),
            audit: audit("connection.changed"),
        };
        // Whoever waits goes away before, while or after it is committed.
        let polls = i64::try_from(turn % 12).unwrap() + 1;
        given_up_after(polls, lane.store.transition(transition)).await;
        for _ in 0..10 {
            let stored = lane.store.connection(lane.id).await.unwrap().unwrap();
            let (_, told) = lane.store.token_by_hash(&token).await.unwrap().unwrap();
            let (stored, told) = (written(stored), written(told));
            assert!(
                told >= stored,
                "turn {turn}: {told} is told, {stored} is stored"
            );
        }
    }
}
