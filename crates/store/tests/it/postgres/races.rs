//! What holds when several processes are at one connection at once. Each store handle stands for a process.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::storage::{ChangesQuery, ConnectionStore, RecordReader};
use wrenchtime_store::PostgresStore;
use wrenchtime_sync::{Fence, Mode, Outcome, Storage, StorageError};

use super::PostgresFixture;
use crate::fixture::{Fixture, Lane, Parts, document, finish, new_connection, new_run, page};

#[tokio::test]
async fn the_older_of_two_processes_is_refused() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = fixture.beside(2).await;
    let newer = other.acquire(lane.id).await.unwrap();
    let page = lane.page(vec![lane.document("1", "pump")]);
    lane.assert_fenced(&lane.store.commit(&lane.fence, page.clone()).await);
    other.commit(&newer, page).await.unwrap();
    let end = finish(lane.run, Outcome::Complete);
    lane.assert_fenced(&lane.store.finish_run(&lane.fence, end).await);
    assert_eq!(lane.changes().await.len(), 1);
}

/// Takes the connection over and writes pages that name the fence, until another takes it.
async fn run_until_replaced(store: &PostgresStore, id: ConnectionId) -> u32 {
    let fence: Fence = store.acquire(id).await.unwrap();
    let run = match store.begin_run(&fence, new_run(Mode::Full)).await {
        Ok(start) => start.run.id,
        Err(StorageError::Fenced(_)) => return 0,
        Err(error) => panic!("{error:?}"),
    };
    for number in 0..8 {
        let key = format!("{:06}-{number}", fence.epoch);
        let page = page(run, vec![document(id, &key, "x")]);
        match store.commit(&fence, page).await {
            Ok(_) => {}
            Err(StorageError::Fenced(_)) => return number,
            Err(error) => panic!("{error:?}"),
        }
        tokio::task::yield_now().await;
    }
    8
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_page_of_an_older_runner_follows_one_of_a_newer() {
    let fixture = PostgresFixture::new().await;
    let id = ConnectionId::new();
    fixture
        .store
        .create_connection(new_connection(id))
        .await
        .unwrap();
    let stores = [fixture.store.clone(), fixture.beside(3).await];
    let mut runners = JoinSet::new();
    for number in 0..6 {
        let store = stores[number % 2].clone();
        runners.spawn(async move {
            let mut written = 0;
            for _ in 0..8 {
                written += run_until_replaced(&store, id).await;
            }
            written
        });
    }
    let mut written: u32 = runners.join_all().await.into_iter().sum();
    // Nobody takes over from the last of them, nor from this one, however little the others came to do.
    written += run_until_replaced(&stores[0], id).await;
    let query = ChangesQuery {
        connection: id,
        after: 0,
        limit: 500,
        include_records: true,
    };
    let told = stores[1].changes(&query).await.unwrap();
    let epochs: Vec<String> = told
        .entries
        .into_iter()
        .map(|(_, record)| record.unwrap().envelope().remote_id)
        .collect();
    assert_eq!(epochs.len(), usize::try_from(written).unwrap());
    assert!(epochs.len() >= 16, "two runners at least came to their end");
    assert!(epochs.is_sorted(), "{epochs:?}");
}

/// Polls a future for so long, then drops it. Timers of the runtime are too coarse for a round trip.
async fn give_up_after<T>(patience: Duration, future: impl Future<Output = T>) {
    let begun = Instant::now();
    let impatience = async {
        while begun.elapsed() < patience {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = future => {}
        () = impatience => {}
    }
}

/// Waits until no connection is inside of a transaction, and fails when one stays there.
async fn wait_until_none_is_open(watcher: &mut PgConnection, after: Duration) {
    for _ in 0..200 {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.005) \
             WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut *watcher)
        .await
        .unwrap();
        if open == 0 {
            return;
        }
    }
    panic!("a transaction stays open after {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_leaves_no_transaction_open() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut watcher = fixture.database.connect().await;
    // Most of all at the beginning, where little has been said yet and nobody knows yet that it was.
    for number in 0..300 {
        let patience = Duration::from_micros(number % 100 * 10);
        let query = lane.query(Resource::Asset);
        give_up_after(patience, lane.store.list(&query)).await;
        if number % 10 == 9 {
            wait_until_none_is_open(&mut watcher, patience).await;
        }
    }
    for number in 0..100 {
        let patience = Duration::from_micros(number * 60);
        let pair = [format!("{number}"), format!("{number}b")];
        let page = lane.page(pair.map(|key| lane.document(&key, "x")).into());
        let committing = lane.store.commit(&lane.fence, page);
        give_up_after(patience, committing).await;
        wait_until_none_is_open(&mut watcher, patience).await;
        let stored = lane.records(Resource::Asset).await.len();
        assert!(stored.is_multiple_of(2), "half a page after {patience:?}");
    }
}

#[tokio::test]
async fn a_server_that_hung_up_is_called_again() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    for number in 0..5 {
        let key = number.to_string();
        lane.commit(vec![lane.document(&key, "x")]).await;
        assert_eq!(lane.records(Resource::Asset).await.len(), number + 1);
        fixture.database.hang_up().await;
    }
}

#[tokio::test]
async fn who_holds_the_lock_for_ever_does_not_stop_the_others_for_ever() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut stuck = fixture.database.connect().await;
    let mut tx = stuck.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM wrenchtime.connections FOR UPDATE")
        .execute(&mut *tx)
        .await
        .unwrap();
    let hasty = fixture.impatient(Duration::from_millis(200)).await;
    let page = lane.page(vec![lane.document("1", "pump")]);
    let refused = hasty.commit(&lane.fence, page).await;
    assert!(
        matches!(refused, Err(StorageError::Unavailable(_))),
        "{refused:?}"
    );
    // Readers do not wait for it.
    assert!(lane.records(Resource::Asset).await.is_empty());
    tx.rollback().await.unwrap();
    lane.commit(vec![lane.document("1", "pump")]).await;
}
