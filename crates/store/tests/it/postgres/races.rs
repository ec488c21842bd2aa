//! What holds when several processes are at one connection at once. Each store handle stands for a process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::storage::{ChangesQuery, ConnectionStore, RecordReader};
use wrenchtime_store::PostgresStore;
use wrenchtime_sync::{Fence, Mode, Outcome, Storage, StorageError};

use super::PostgresFixture;
use crate::fixture::{
    DocumentWriteExt, Fixture, Lane, document, finish, new_connection, new_run, page,
};
use crate::property::Client;

/// Every commit that writes events waits up to this long before it ends, with all that it wrote not yet to be seen.
const SLOW_COMMITS: &str = "CREATE FUNCTION wrenchtime.wait() RETURNS trigger LANGUAGE plpgsql \
     AS 'BEGIN PERFORM pg_sleep(random() * 0.004); RETURN NULL; END'; \
     CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON wrenchtime.events DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW EXECUTE FUNCTION wrenchtime.wait()";

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
        .map(|(_, record)| record.unwrap().envelope.remote_id)
        .collect();
    assert_eq!(epochs.len(), usize::try_from(written).unwrap());
    assert!(epochs.len() > 8, "somebody must have got somewhere");
    assert!(epochs.is_sorted(), "{epochs:?}");
}

/// A client that follows the change feed.
#[derive(Debug, Default)]
struct Follower {
    after: u64,
    /// Records as the feed told of them last.
    copy: BTreeMap<String, u64>,
}

impl Follower {
    /// Reads one stretch. Says which sequence came where another should have stood.
    async fn turn(&mut self, store: &PostgresStore, id: ConnectionId) -> Result<(), String> {
        let query = ChangesQuery {
            connection: id,
            after: self.after,
            limit: 7,
            include_records: true,
        };
        let page = store.changes(&query).await.unwrap();
        for (event, record) in page.entries {
            if event.sequence != self.after + 1 {
                return Err(format!("{} behind {}", event.sequence, self.after));
            }
            self.after = event.sequence;
            if let Some(record) = record {
                let envelope = record.envelope;
                self.copy.insert(envelope.remote_id, envelope.sequence);
            }
        }
        if !page.more && page.head != self.after {
            return Err(format!(
                "the end is {}, but {} was told",
                self.after, page.head
            ));
        }
        Ok(())
    }
}

const WRITERS: u64 = 50;
const PAGES: u64 = 4;
const READERS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_readers_miss_nothing_of_fifty_writers() {
    let fixture = Arc::new(PostgresFixture::new().await);
    fixture.database.run(SLOW_COMMITS).await;
    let lane = Lane::begin(&*fixture).await;
    let (id, fence, run) = (lane.id, lane.fence, lane.run);
    let stores = [fixture.beside(10).await, fixture.beside(10).await];
    let is_writing = Arc::new(AtomicBool::new(true));
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        let store = stores[number % 2].clone();
        let still = Arc::clone(&is_writing);
        readers.spawn(async move {
            let mut follower = Follower::default();
            while still.load(Ordering::SeqCst) {
                follower.turn(&store, id).await.unwrap();
            }
            while follower.after < WRITERS * PAGES * 2 {
                follower.turn(&store, id).await.unwrap();
            }
        });
        let store = stores[(number + 1) % 2].clone();
        let still = Arc::clone(&is_writing);
        readers.spawn(async move {
            let lane = Lane::<PostgresFixture> {
                store: &store,
                id,
                fence,
                run,
            };
            let mut client = Client::new();
            while still.load(Ordering::SeqCst) {
                client.turn(&lane).await;
            }
            client.catch_up(&lane).await;
        });
    }
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let store = stores[usize::try_from(number % 2).unwrap()].clone();
        let clock = fixture.clock().clone();
        writers.spawn(async move {
            for turn in 0..PAGES {
                // The clock stands, goes on and goes back.
                clock.set(crate::fixture::second(
                    [0, 3, 1, 2][usize::try_from(turn).unwrap()],
                ));
                let content = format!("{number} {turn}");
                // Two records, one of which every writer changes.
                let documents = [format!("{number}"), "all".to_owned()]
                    .map(|key| document(id, &key, &content).seen_at(1));
                store
                    .commit(&fence, page(run, documents.into()))
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    is_writing.store(false, Ordering::SeqCst);
    readers.join_all().await;
    let records = lane.records(Resource::Asset).await;
    assert_eq!(records.len() as u64, WRITERS + 1);
}

/// The same follower, where the sequence is drawn without the lock: it does notice.
#[tokio::test]
async fn a_sequence_drawn_without_the_lock_is_a_gap() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let draw = "UPDATE wrenchtime.connections SET last_sequence = last_sequence + 1, last_time = last_time + 1 \
         RETURNING row, last_sequence, last_time";
    let log = "INSERT INTO wrenchtime.events (connection, sequence, time, type, data) \
         VALUES ($1, $2, $3, 'sync.failed', '{}')";
    let mut writers = [
        fixture.database.connect().await,
        fixture.database.connect().await,
    ];
    let mut drawn = Vec::new();
    for writer in &mut writers {
        let place: (i64, i64, i64) = sqlx::query_as(draw).fetch_one(writer).await.unwrap();
        drawn.push(place);
    }
    // The one who drew last is the first to commit.
    let (row, sequence, time) = drawn[1];
    sqlx::query(log)
        .bind(row)
        .bind(sequence)
        .bind(time)
        .execute(&mut writers[1])
        .await
        .unwrap();
    let gap = Follower::default().turn(lane.store, lane.id).await;
    assert_eq!(gap.unwrap_err(), "2 behind 0");
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
