//! What is in quarantine is tried again when somebody wants it.

use std::sync::Arc;

use serde_json::json;
use wrenchtime_memory::MemorySource;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::storage::{QuarantineId, QuarantineRetried};
use wrenchtime_service::sync::Mode;
use wrenchtime_service::{Actor, Error, Quarantined, Schedule, Service};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

/// Returns a service whose one connection was read, but for two rows.
async fn world(directory: &std::path::Path) -> (Fixture, ConnectionId) {
    let fixture = Fixture::new(directory, Arc::new(Stepped::new())).await;
    for number in 0..5 {
        put(&fixture.source, number);
    }
    for number in [2, 3] {
        fixture
            .source
            .spoil("work_orders", &number.to_string(), "cut off");
    }
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, true).await;
    idle_after(&fixture, id, 1).await;
    assert_eq!(live(&fixture, id).await, 3);
    (fixture, id)
}

/// Rows have no change time, so that listings alone show them.
fn put(source: &MemorySource, number: u32) {
    let key = number.to_string();
    source.put("work_orders", &key, json!({ "title": "x" }), None);
}

async fn idle_after(fixture: &Fixture, id: ConnectionId, count: usize) {
    until("runs ended", async || {
        let runs = fixture.runs(id).await;
        runs.len() == count && runs.iter().all(|run| run.finished.is_some())
    })
    .await;
}

async fn live(fixture: &Fixture, id: ConnectionId) -> u64 {
    let snapshot = fixture.service.snapshot(id).await.unwrap();
    snapshot.records[&Resource::WorkOrder].live
}

async fn listed(service: &Service, id: ConnectionId) -> Vec<Quarantined> {
    let connection = service.connection(id).await.unwrap();
    service.quarantine(&connection, None, 9).await.unwrap().rows
}

async fn retry(
    service: &Service,
    id: ConnectionId,
    row: Option<QuarantineId>,
) -> QuarantineRetried {
    let retried = service.retry_quarantine(id, row, &Actor::CommandLine).await;
    retried.unwrap().unwrap()
}

#[tokio::test]
async fn rows_are_asked_for_by_key_when_somebody_wants_it() {
    let directory = tempfile::tempdir().unwrap();
    let (fixture, id) = world(directory.path()).await;
    let rows = listed(&fixture.service, id).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].sample, None);
    // One of two, of which both are mended.
    put(&fixture.source, 2);
    put(&fixture.source, 3);
    let second = rows
        .iter()
        .find(|row| row.row.key.as_ref().is_some_and(|key| key.as_str() == "3"));
    let counts = retry(&fixture.service, id, Some(second.unwrap().row.id)).await;
    assert_eq!((counts.mapped, counts.read, counts.waiting), (0, 1, 0));
    idle_after(&fixture, id, 2).await;
    assert_eq!(live(&fixture, id).await, 4);
    assert_eq!(listed(&fixture.service, id).await, rows[..1]);
    retry(&fixture.service, id, None).await;
    idle_after(&fixture, id, 3).await;
    assert_eq!(live(&fixture, id).await, 5);
    assert_eq!(listed(&fixture.service, id).await, []);
    // Nothing is left to try, and nothing begins.
    let nothing = retry(&fixture.service, id, None).await;
    assert_eq!(nothing, QuarantineRetried::default());
    let actor = Actor::CommandLine;
    fixture.service.disconnect(id, &actor).await.unwrap();
    let refused = fixture.service.retry_quarantine(id, None, &actor).await;
    assert!(matches!(refused, Err(Error::State { .. })));
    assert_eq!(fixture.runs(id).await.len(), 3);
    fixture.close().await;
}

#[tokio::test]
async fn what_is_wanted_during_a_run_is_tried_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let (fixture, id) = world(directory.path()).await;
    let (service, runtime) = (fixture.service.clone(), tokio::runtime::Handle::current());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let asked = fixture.source.requests().len();
    fixture.source.at_request(asked + 1, move |source| {
        // They are mended before anybody can look.
        put(source, 2);
        put(source, 3);
        runtime.spawn(async move { tell.send(retry(&service, id, None).await) });
    });
    fixture
        .service
        .start_sync(id, demand(Mode::Incremental))
        .await
        .unwrap();
    assert_eq!(told.recv().await.unwrap().read, 2);
    idle_after(&fixture, id, 3).await;
    assert_eq!(live(&fixture, id).await, 5);
    fixture.close().await;
}
