//! What becomes of positions in the logs when a database is put back from a backup.

use uuid::Uuid;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{ChangesQuery, RecordReader};
use wrenchtime_store::SqliteStore;
use wrenchtime_sync::{Outcome, Storage};

use crate::fixture::{Fixture, Lane, finish};
use crate::sqlite::{SqliteFixture, opened};

async fn epoch(store: &SqliteStore, connection: ConnectionId) -> Uuid {
    let query = ChangesQuery {
        connection,
        after: 0,
        limit: 1,
        include_records: false,
    };
    store.changes(&query).await.unwrap().epoch
}

#[tokio::test]
async fn a_database_of_before_gives_out_positions_of_another_epoch() {
    for is_killed in [false, true] {
        let fixture = SqliteFixture::new().await;
        let lane = Lane::begin(&fixture).await;
        let id = lane.id;
        lane.commit(vec![lane.document("1", "pump")]).await;
        let first = epoch(&fixture.store, id).await;
        fixture.store.close().await;
        let file = fixture.store.file().to_owned();
        let backup = std::fs::read(&file).unwrap();

        let fixture = fixture.reopen().await;
        assert_eq!(epoch(&fixture.store, id).await, first, "a restart is none");
        let lane = Lane::go_on(&fixture, id).await;
        lane.commit(vec![lane.document("2", "fan")]).await;
        let end = finish(lane.run, Outcome::Complete);
        lane.store.finish_run(&lane.fence, end).await.unwrap();
        let directory = fixture.directory;
        if is_killed {
            // Nothing is written at the end that a process would not have written by then.
            let mark = directory.path().join("wrenchtime.mark");
            let noted = std::fs::read(&mark).unwrap();
            fixture.store.close().await;
            std::fs::write(&mark, noted).unwrap();
        } else {
            fixture.store.close().await;
        }
        drop(fixture.store);

        std::fs::write(&file, &backup).unwrap();
        let restored = opened(directory.path()).await.unwrap();
        let second = epoch(&restored, id).await;
        assert_ne!(second, first, "killed: {is_killed}");
        restored.close().await;
        let again = opened(directory.path()).await.unwrap();
        assert_eq!(epoch(&again, id).await, second, "it is drawn once");
        again.close().await;

        // The same file again, now with a mark of another epoch.
        std::fs::write(&file, &backup).unwrap();
        let restored = opened(directory.path()).await.unwrap();
        let third = epoch(&restored, id).await;
        assert!(third != first && third != second);
    }
}

#[tokio::test]
async fn a_database_without_its_mark_keeps_its_epoch() {
    let fixture = SqliteFixture::new().await;
    let id = Lane::begin(&fixture).await.id;
    let first = epoch(&fixture.store, id).await;
    fixture.store.close().await;
    let mark = fixture.directory.path().join("wrenchtime.mark");
    let noted = std::fs::read(&mark).unwrap();
    std::fs::remove_file(&mark).unwrap();
    let fixture = fixture.reopen().await;
    assert_eq!(epoch(&fixture.store, id).await, first);
    assert_eq!(std::fs::read(&mark).unwrap(), noted);

    // What cannot be understood cannot say that nothing is missing.
    std::fs::write(&mark, "half of").unwrap();
    let fixture = fixture.reopen().await;
    assert_ne!(epoch(&fixture.store, id).await, first);
}
