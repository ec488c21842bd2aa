//! What becomes of positions in the logs when a database is put back from a backup.

use std::path::Path;
use std::sync::Arc;

use tempfile::tempdir;
use uuid::Uuid;
use wrenchtime_connector::ManualClock;
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_service::storage::{ChangesQuery, ConnectionStore, NewCredentials, RecordReader};
use wrenchtime_store::{PostgresOptions, PostgresStore};
use wrenchtime_sync::{Outcome, Storage};

use super::PostgresFixture;
use super::database::Database;
use super::gate::race;
use crate::connections::lifecycle;
use crate::credentials::new_credentials;
use crate::fixture::{Fixture, Lane, finish, noon};

async fn open(database: &Database, directory: &Path) -> PostgresStore {
    let options = PostgresOptions::new(database.url(), Arc::new(ManualClock::new(noon())));
    PostgresStore::open(options.with_directory(directory))
        .await
        .unwrap()
}

async fn epoch(store: &PostgresStore, connection: ConnectionId) -> Uuid {
    let query = ChangesQuery {
        connection,
        after: 0,
        limit: 1,
        include_records: false,
    };
    store.changes(&query).await.unwrap().epoch
}

/// Opens a database, returns its epoch and closes it again.
async fn epoch_at_start(database: &Database, directory: &Path, connection: ConnectionId) -> Uuid {
    let store = open(database, directory).await;
    let found = epoch(&store, connection).await;
    store.close().await;
    found
}

#[tokio::test]
async fn a_database_of_before_gives_out_positions_of_one_other_epoch() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let id = lane.id;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let first = epoch(&fixture.store, id).await;
    fixture.store.close().await;
    let backup = fixture.database.copy().await;

    let fixture = fixture.reopen().await;
    assert_eq!(epoch(&fixture.store, id).await, first, "a restart is none");
    let lane = Lane::go_on(&fixture, id).await;
    lane.commit(vec![lane.document("2", "fan")]).await;
    // Two more processes see the log as far as it is: one now, one after a run.
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    assert_eq!(
        epoch_at_start(&fixture.database, one.path(), id).await,
        first
    );
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    assert_eq!(
        epoch_at_start(&fixture.database, other.path(), id).await,
        first
    );
    fixture.store.close().await;

    let second = epoch_at_start(&backup, one.path(), id).await;
    assert_ne!(second, first);
    for directory in [other.path(), fixture.directory.path(), one.path()] {
        let again = epoch_at_start(&backup, directory, id).await;
        assert_eq!(again, second, "it is drawn once for all");
    }
}

#[tokio::test]
async fn a_backup_of_before_an_epoch_was_drawn_gets_another_one() {
    let fixture = PostgresFixture::new().await;
    let id = Lane::begin(&fixture).await.id;
    let first = epoch(&fixture.store, id).await;
    fixture.store.close().await;
    let backup = fixture.database.copy().await;
    // What cannot be understood cannot say that nothing is missing.
    let mark = fixture.directory.path().join("wrenchtime-postgres.mark");
    std::fs::write(&mark, "half of").unwrap();
    let second = epoch_at_start(&fixture.database, fixture.directory.path(), id).await;
    let third = epoch_at_start(&backup, fixture.directory.path(), id).await;
    assert!(second != first && third != first && third != second);
    // Without a mark nothing is known, and nothing is wrong.
    std::fs::remove_file(&mark).unwrap();
    let again = epoch_at_start(&backup, fixture.directory.path(), id).await;
    assert_eq!(again, third);
}

#[tokio::test]
async fn a_backup_restored_under_a_running_process_is_noticed() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump"), lane.document("2", "fan")])
        .await;
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let first = epoch(&fixture.store, lane.id).await;
    fixture.database.hang_up().await;
    assert_eq!(
        epoch(&fixture.store, lane.id).await,
        first,
        "a restart is none"
    );
    fixture
        .database
        .run(
            "DELETE FROM wrenchtime.events WHERE sequence > 1; \
             UPDATE wrenchtime.connections SET last_sequence = 1",
        )
        .await;
    fixture.database.hang_up().await;
    let second = epoch(&fixture.store, lane.id).await;
    assert_ne!(second, first);

    // No run has ended since, so only the process itself knows what it wrote.
    let lane = Lane::go_on(&fixture, lane.id).await;
    lane.commit(vec![lane.document("3", "belt")]).await;
    lane.commit(vec![lane.document("4", "valve")]).await;
    fixture.database.hang_up().await;
    assert_eq!(epoch(&fixture.store, lane.id).await, second);
    fixture
        .database
        .run(
            "DELETE FROM wrenchtime.events WHERE sequence > 2; \
             UPDATE wrenchtime.connections SET last_sequence = 2",
        )
        .await;
    fixture.database.hang_up().await;
    let third = epoch(&fixture.store, lane.id).await;
    assert!(third != first && third != second);
    fixture.database.hang_up().await;
    assert_eq!(
        epoch(&fixture.store, lane.id).await,
        third,
        "it is drawn once"
    );
}

/// A process knows what it wrote, whichever way it did.
#[tokio::test]
async fn a_backup_of_before_other_credentials_is_noticed() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let first = epoch(&fixture.store, lane.id).await;
    let before = lane.store.connection(lane.id).await.unwrap().unwrap();
    let new = NewCredentials {
        event: Some(lifecycle(EventType::ConnectionOnline)),
        ..new_credentials(&before)
    };
    lane.store.replace_credentials(new).await.unwrap().unwrap();
    fixture
        .database
        .run("DELETE FROM wrenchtime.events; UPDATE wrenchtime.connections SET last_sequence = 0")
        .await;
    fixture.database.hang_up().await;
    assert_ne!(epoch(&fixture.store, lane.id).await, first);
}

#[tokio::test]
async fn processes_that_notice_a_backup_at_once_draw_one_epoch() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let first = epoch(&fixture.store, lane.id).await;
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    for directory in [one.path(), other.path()] {
        epoch_at_start(&fixture.database, directory, lane.id).await;
    }
    fixture
        .database
        .run("DELETE FROM wrenchtime.events; UPDATE wrenchtime.connections SET last_sequence = 0")
        .await;
    let open = async |directory: &Path| {
        let url = fixture.database.serializable();
        let options = PostgresOptions::new(url, Arc::new(ManualClock::new(noon())));
        PostgresStore::open(options.with_directory(directory)).await
    };
    let (a, b) = race(
        &fixture.database,
        "meta",
        Box::pin(open(one.path())),
        Box::pin(open(other.path())),
    )
    .await;
    let drawn = epoch(&a.unwrap(), lane.id).await;
    assert_ne!(drawn, first);
    assert_eq!(epoch(&b.unwrap(), lane.id).await, drawn);
}
