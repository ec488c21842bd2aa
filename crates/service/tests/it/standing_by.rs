//! Connections that another process takes over.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use wrenchtime_connector::Clock;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::Schedule;
use wrenchtime_service::sync::{Mode, Outcome, Storage};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

/// Begins a first run, and lets somebody else take the connection over in the middle of it and do nothing.
async fn lose(fixture: &Fixture) -> ConnectionId {
    fixture
        .source
        .put("work_orders", "1", json!({ "title": "x" }), None);
    let id = fixture
        .connect(Schedule::Every(Duration::from_secs(300)), false)
        .await;
    let asked = fixture.source.requests().len();
    let (store, runtime) = (fixture.store.clone(), Handle::current());
    fixture.source.at_request(asked + 1, move |_| {
        block_in_place(|| runtime.block_on(store.acquire(id))).unwrap();
    });
    fixture.service.start(None).await.unwrap();
    let service = &fixture.service;
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    until("the run was lost", async || {
        let status = service.status(id).await.unwrap();
        status.syncing.is_none() && status.last_run.is_some() && !status.queued
    })
    .await;
    assert_eq!(fixture.runs(id).await[0].finished, None);
    id
}

async fn is_complete(fixture: &Fixture, id: ConnectionId) -> bool {
    let runs = fixture.runs(id).await;
    matches!(runs[0].finished, Some((_, Outcome::Complete)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_goes_on_when_who_took_it_over_does_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = lose(&fixture).await;
    let lost = clock.now();
    until("it is run again", async || {
        clock.advance(30);
        is_complete(&fixture, id).await
    })
    .await;
    let waited = clock.now() - lost;
    assert!(waited >= TimeDelta::minutes(10), "{waited}");
    fixture.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_goes_on_at_once_when_somebody_asks() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = lose(&fixture).await;
    let wanted = demand(Mode::Incremental);
    fixture.service.start_sync(id, wanted).await.unwrap();
    until("it is run again", async || is_complete(&fixture, id).await).await;
    fixture.close().await;
}
