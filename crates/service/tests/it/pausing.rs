//! Connections that are not read for a while.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wrenchtime_connector::ManualClock;
use wrenchtime_memory::MemorySource;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::sync::{Mode, Outcome};
use wrenchtime_service::{Actor, Error, MasterKey, Schedule, State};

use crate::fixture::{Fixture, clock, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

const ACTOR: &Actor = &Actor::CommandLine;

/// Five pages of work orders.
fn fill(source: &MemorySource) {
    for number in 0..450 {
        let key = format!("{number:03}");
        source.put("work_orders", &key, json!({ "title": "x" }), None);
    }
}

/// Begins the first run and pauses the connection in the middle of it.
async fn pause_in_the_middle(fixture: &Fixture) -> ConnectionId {
    fill(&fixture.source);
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let asked = fixture.source.requests().len();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let runtime = tokio::runtime::Handle::current();
    fixture.source.at_request(asked + 3, move |_| {
        runtime.spawn(async move {
            let paused = service.pause(id, ACTOR).await.unwrap();
            tell.send(paused.state).unwrap();
        });
    });
    fixture.service.start(None).await.unwrap();
    let service = &fixture.service;
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    assert_eq!(told.recv().await, Some(State::Paused));
    until("the run was left", async || {
        service.status(id).await.unwrap().syncing.is_none()
    })
    .await;
    id
}

async fn assert_refused(fixture: &Fixture, id: ConnectionId) {
    for mode in [Mode::Full, Mode::Incremental] {
        let error = fixture.service.start_sync(id, demand(mode)).await;
        let error = error.unwrap_err();
        let expected = State::Paused;
        assert!(matches!(&error, Error::State { state, .. } if *state == expected));
        assert!(error.to_string().contains("is paused: syncing"), "{error}");
    }
}

async fn assert_one_whole_run(fixture: &Fixture, id: ConnectionId) {
    until("the run ended", async || {
        fixture.runs(id).await[0].finished.is_some()
    })
    .await;
    let runs = fixture.runs(id).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert!(matches!(runs[0].finished, Some((_, Outcome::Complete))));
    let status = fixture.service.sync_status(id).await.unwrap();
    let live = status.resources.iter().map(|one| one.records.live);
    assert_eq!(live.sum::<u64>(), 450);
    // At most the pages in flight were asked for twice: one being written, one being mapped, one being read.
    let pages = fixture.source.requests();
    let of_orders = pages
        .iter()
        .filter(|request| format!("{request:?}").contains("work_orders-all"));
    assert!(of_orders.count() <= 5 + 3, "{pages:?}");
}

#[tokio::test]
async fn a_run_is_left_after_its_page_and_goes_on_when_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = pause_in_the_middle(&fixture).await;
    assert!(fixture.runs(id).await[0].finished.is_none());
    assert_refused(&fixture, id).await;
    let asked = fixture.source.requests().len();
    let again = fixture.service.pause(id, ACTOR).await.unwrap();
    assert_eq!(again.state, State::Paused);
    let status = fixture.service.status(id).await.unwrap();
    assert!(status.stale_since().is_some() && status.next_sync_at.is_none());
    assert_eq!(fixture.source.requests().len(), asked);
    let resumed = fixture.service.resume(id, ACTOR).await.unwrap();
    assert_eq!(resumed.state, State::Active);
    assert_one_whole_run(&fixture, id).await;
    assert!(fixture.announced(id).await.is_empty());
    fixture.close().await;
}

#[tokio::test]
async fn a_pause_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock: Arc<ManualClock> = Arc::new(clock());
    let source = MemorySource::new();
    let key = MasterKey::generate();
    let open = async || {
        Fixture::open(directory.path(), Arc::clone(&clock) as _, &source, &key)
            .await
            .unwrap()
    };
    let fixture = open().await;
    let id = pause_in_the_middle(&fixture).await;
    fixture.close().await;

    let asked = source.requests().len();
    let fixture = open().await;
    fixture.service.start(None).await.unwrap();
    assert_eq!(fixture.state(id).await, State::Paused);
    assert_refused(&fixture, id).await;
    fixture.close().await;
    assert_eq!(source.requests().len(), asked);

    let fixture = open().await;
    fixture.service.start(None).await.unwrap();
    fixture.service.resume(id, ACTOR).await.unwrap();
    assert_one_whole_run(&fixture, id).await;
    fixture.close().await;
}

#[tokio::test]
async fn a_schedule_rests_in_a_pause_and_counts_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    fixture.service.start(None).await.unwrap();
    let every = Schedule::Every(Duration::from_secs(60));
    let id = fixture.connect(every, true).await;
    until("the next run is planned", async || {
        let status = fixture.service.status(id).await.unwrap();
        status.last_success_at.is_some() && status.next_sync_at.is_some()
    })
    .await;
    fixture.service.pause(id, ACTOR).await.unwrap();
    until("no run is planned", async || {
        let status = fixture.service.status(id).await.unwrap();
        status.next_sync_at.is_none()
    })
    .await;
    clock.advance(100_000);
    assert_refused(&fixture, id).await;
    let runs = fixture.runs(id).await.len();
    assert_eq!(runs, 1);
    fixture.service.resume(id, ACTOR).await.unwrap();
    until("it ran", async || fixture.runs(id).await.len() == 2).await;
    fixture.close().await;
}

#[tokio::test]
async fn only_what_is_read_can_be_paused() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = &fixture.service;
    // Resuming what works is no fault: a reply may have been lost.
    assert_eq!(
        service.resume(id, ACTOR).await.unwrap().state,
        State::Active
    );
    service.pause(id, ACTOR).await.unwrap();
    service.disconnect(id, ACTOR).await.unwrap();
    for error in [
        service.pause(id, ACTOR).await.unwrap_err(),
        service.resume(id, ACTOR).await.unwrap_err(),
    ] {
        let expected = State::Disconnected;
        assert!(matches!(&error, Error::State { state, .. } if *state == expected));
    }
    let unknown = service.pause(ConnectionId::new(), ACTOR).await.unwrap_err();
    assert!(matches!(unknown, Error::NoConnection(_)), "{unknown}");
    fixture.close().await;
}
