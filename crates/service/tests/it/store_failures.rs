//! A store that fails for a while: what was asked for meanwhile is done when it works again.

use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use wrenchtime_connector::Clock;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::sync::Mode;
use wrenchtime_service::{Actor, Schedule};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

/// Says something to the database past the store.
async fn intrude(file: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(file);
    let mut intruder = SqliteConnection::connect_with(&options).await.unwrap();
    intruder.execute(statement).await.unwrap();
    intruder.close().await.unwrap();
}

/// From now on a run that begins or ends fails in the store.
async fn trap(fixture: &Fixture, at: &'static str) {
    intrude(fixture.store.file(), at).await;
}

async fn clear(fixture: &Fixture) {
    intrude(fixture.store.file(), "DROP TRIGGER trap").await;
}

const AT_THE_BEGINNING: &str = "CREATE TRIGGER trap BEFORE UPDATE OF epoch ON connections \
     BEGIN SELECT RAISE(ABORT, 'trapped'); END";
const AT_THE_END: &str = "CREATE TRIGGER trap BEFORE UPDATE OF finished_at ON runs \
     BEGIN SELECT RAISE(ABORT, 'trapped'); END";

async fn synced(fixture: &Fixture) -> ConnectionId {
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, true).await;
    until("the first run ended", async || {
        let status = fixture.service.status(id).await.unwrap();
        status.last_success_at.is_some() && status.syncing.is_none()
    })
    .await;
    id
}

async fn until_retried(fixture: &Fixture, clock: &Stepped, id: ConnectionId) {
    until("it is to be tried again", async || {
        let status = fixture.service.status(id).await.unwrap();
        status.next_sync_at == Some(clock.now() + TimeDelta::seconds(30))
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_asked_for_stays_the_same_over_a_failure() {
    for at in [AT_THE_BEGINNING, AT_THE_END] {
        let directory = tempfile::tempdir().unwrap();
        let clock = Stepped::new();
        let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
        let id = synced(&fixture).await;
        trap(&fixture, at).await;
        let wanted = demand(Mode::Full);
        fixture.service.start_sync(id, wanted).await.unwrap();
        until_retried(&fixture, &clock, id).await;
        clear(&fixture).await;
        clock.advance(30);
        until("the second run ended", async || {
            let runs = fixture.runs(id).await;
            runs.len() == 2 && runs[1].finished.is_some()
        })
        .await;
        assert_eq!(fixture.runs(id).await[1].mode, Mode::Full);
        fixture.close().await;
    }
}

#[tokio::test]
async fn a_store_that_was_away_for_long_is_not_waited_for_much_longer() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = synced(&fixture).await;
    trap(&fixture, AT_THE_BEGINNING).await;
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(id, wanted).await.unwrap();
    for wait in [30, 60, 120, 240, 300, 300] {
        until("it is to be tried again", async || {
            let status = fixture.service.status(id).await.unwrap();
            status.next_sync_at == Some(clock.now() + TimeDelta::seconds(wait))
        })
        .await;
        clock.advance(wait);
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_run_that_waits_to_be_tried_again_can_be_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = synced(&fixture).await;
    trap(&fixture, AT_THE_BEGINNING).await;
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(id, wanted).await.unwrap();
    until_retried(&fixture, &clock, id).await;
    assert!(fixture.service.cancel_sync(id).await.unwrap());
    assert!(!fixture.service.cancel_sync(id).await.unwrap());
    clear(&fixture).await;
    fixture.close().await;
}

/// Keeps the levels of what the service logs by itself.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wrenchtime_service::service"
    }

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_store_that_takes_no_writes_is_told_of_once() {
    let told = Told::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let service = &fixture.service;
    let trap = "CREATE TRIGGER trap BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'trapped'); END; \
         CREATE TRIGGER key BEFORE INSERT ON management_keys BEGIN SELECT RAISE(ABORT, 'trapped'); END";
    intrude(fixture.store.file(), trap).await;
    service.ready().await.unwrap();
    service.create_key("x", &Actor::System).await.unwrap_err();
    for _ in 0..3 {
        service.ready().await.unwrap_err();
        clock.advance(60);
    }
    intrude(fixture.store.file(), "DROP TRIGGER trap; DROP TRIGGER key").await;
    for _ in 0..3 {
        service.ready().await.unwrap();
    }
    assert_eq!(*told.0.lock().unwrap(), [Level::ERROR, Level::INFO]);
    fixture.close().await;
}
