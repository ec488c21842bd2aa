//! The promises on SQLite, and those that only a file makes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use wrenchtime_connector::ManualClock;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::storage::ConnectionStore;
use wrenchtime_store::{OpenError, SqliteOptions, SqliteStore};
use wrenchtime_sync::{Storage, StorageError};

use crate::fixture::{DocumentWriteExt, Fixture, Lane, noon};

#[derive(Debug)]
pub(crate) struct SqliteFixture {
    pub(crate) directory: TempDir,
    clock: ManualClock,
    pub(crate) store: SqliteStore,
}

fn options(directory: &Path, clock: &ManualClock) -> SqliteOptions {
    SqliteOptions::new(directory, Arc::new(clock.clone())).with_readers(2)
}

#[async_trait]
impl Fixture for SqliteFixture {
    type Store = SqliteStore;

    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(noon());
        let store = SqliteStore::open(options(directory.path(), &clock))
            .await
            .unwrap();
        Self {
            directory,
            clock,
            store,
        }
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
}

crate::store_suite! { super::SqliteFixture:
    pages {
        a_page_is_stored_with_all_that_belongs_to_it
        what_did_not_change_is_silent_but_for_the_sources_times
        a_changed_record_moves_in_the_feed
        both_orders_of_the_feed_agree
        what_a_document_makes_no_more_is_gone
        a_deleted_document_leaves_tombstones_until_it_returns
        another_resource_is_a_delete_and_a_create
        an_older_observation_is_left_out
        quarantine_keeps_records_as_they_were
        a_key_twice_on_a_page_counts_in_order
        a_record_belongs_to_the_document_that_made_it_last
        facets_follow_the_record
    }
    rows {
        large_pages_and_odd_keys_are_stored
        ranges_are_in_key_order_without_what_is_gone
        absence_is_told_by_marks_of_either_kind
        removal_spares_what_was_read_later
    }
    runs {
        an_unknown_connection_is_refused
        a_replaced_runner_writes_nothing
        an_unfinished_run_is_gone_on_with
        a_full_run_takes_the_place_of_a_lesser_one
        a_run_that_another_takes_the_place_of_leaves_no_marks
        first_runs_are_initial_until_one_succeeds
        the_end_of_a_run_is_told
        a_run_leaves_checkpoints_and_no_marks
        a_run_that_is_not_under_way_takes_no_page
        connections_do_not_see_each_other
        everything_is_there_after_a_restart
    }
    webhooks {
        the_log_is_read_with_records_as_they_are_now
        a_stretch_is_fanned_out_once
        an_endpoint_gets_nothing_logged_before_it
        no_stretch_holds_events_from_both_sides_of_an_endpoints_beginning
        endpoints_read_back_as_they_were_added
        a_removed_endpoint_takes_its_deliveries_along
        a_taken_delivery_is_nobody_elses_until_its_lease_ends
        one_endpoint_does_not_take_all_places
        an_attempt_decides_what_follows
        a_retry_by_hand_begins_a_new_plan
        deliveries_are_listed_newest_first_in_pages
    }
    connections {
        named_values_are_kept
        management_keys_are_found_by_hash
        a_connection_reads_back_as_it_was_made
        connections_are_listed_by_filter
        a_state_changes_only_from_an_expected_one
        credentials_are_replaced_only_in_the_expected_state
        credentials_state_event_and_schedule_are_one_commit
        a_disconnected_connection_is_read_and_never_written
        schedules_are_set
        runs_are_listed_newest_first
    }
    lists {
        lists_are_filtered_by_every_value
        filters_hold_together
        pages_of_a_list_hold_every_row_once
        raw_documents_come_on_request
        the_change_feed_is_read_in_stretches
        a_list_tells_how_far_the_copy_is
    }
    quarantine {
        both_kinds_are_listed_in_pages
        what_was_mended_leaves_the_quarantine
        a_row_that_several_runs_met_is_told_once
    }
    property {
        a_client_that_polls_during_commits_misses_nothing
    }
}

#[test]
fn commits_do_what_the_store_in_memory_does() {
    crate::property::commits_do_what_the_store_in_memory_does::<SqliteFixture>();
}

#[test]
fn a_polling_client_misses_nothing() {
    crate::property::a_polling_client_misses_nothing::<SqliteFixture>();
}

/// Opens the file beside the store, as no program of ours does.
async fn intrude(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub(crate) async fn opened(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(options(directory, &ManualClock::new(noon()))).await
}

/// Waits for a call a few times only, and returns what came of it in that time.
async fn given_up_after<T>(polls: i64, call: impl Future<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call);
    for _ in 0..polls {
        tokio::select! {
            biased;
            ended = &mut call => return Some(ended),
            () = tokio::task::yield_now() => {}
        }
        std::thread::yield_now();
    }
    None
}

#[tokio::test]
async fn a_statement_that_fails_in_the_middle_leaves_nothing() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let mut intruder = intrude(fixture.store.file()).await;
    intruder
        .execute(
            "CREATE TRIGGER trap BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'trapped'); END",
        )
        .await
        .unwrap();
    let mut page = lane.page(vec![
        lane.document("1", "big pump"),
        lane.document("2", "fan"),
    ]);
    page.progress.pages = 9;
    let failed = lane.store.commit(&lane.fence, page.clone()).await;
    assert!(
        matches!(failed, Err(StorageError::Unavailable(_))),
        "{failed:?}"
    );

    assert_eq!(lane.known("2").await, None);
    assert_eq!(lane.record("1").await.content, r#"{"name":"pump"}"#);
    assert_eq!(lane.records(Resource::Asset).await.len(), 1);
    assert_eq!(lane.changes().await.len(), 1);
    intruder.execute("DROP TRIGGER trap").await.unwrap();
    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
    assert_eq!((outcome.created.len(), outcome.changed.len()), (1, 1));
    assert_eq!(lane.changes().await.len(), 3);
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
    assert_eq!(lane.record("1").await.content, r#"{"name":"pump"}"#);

    intruder.execute("DROP TRIGGER trap").await.unwrap();
    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
    assert_eq!((outcome.created.len(), outcome.changed.len()), (1, 1));
    assert_eq!(lane.changes().await.len(), 3);
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_is_whole_or_nothing() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    for polls in 1..12 {
        let key = polls.to_string();
        let page = lane.page(vec![
            lane.document(&key, "x"),
            lane.document(&format!("{key}b"), "x"),
        ]);
        let _ = given_up_after(polls, lane.store.commit(&lane.fence, page)).await;
        // Writers stand in line, so behind this one the other is decided.
        lane.commit(vec![lane.document("again", &key).seen_at(polls)])
            .await;
        let both = (
            lane.known(&key).await.is_some(),
            lane.known(&format!("{key}b")).await.is_some(),
        );
        assert!(both.0 == both.1, "{both:?} after {polls} polls");
    }
    let counts = lane.records(Resource::Asset).await.len();
    assert!(lane.changes().await.len() >= counts);
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
async fn a_closed_store_says_so() {
    let fixture = SqliteFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    fixture.store.close().await;
    let page = lane.page(Vec::new());
    let waited = Duration::from_secs(5);
    let failed = tokio::time::timeout(waited, lane.store.commit(&lane.fence, page)).await;
    assert!(
        matches!(failed, Ok(Err(StorageError::Unavailable(_)))),
        "{failed:?}"
    );
}
