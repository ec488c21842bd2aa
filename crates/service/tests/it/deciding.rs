//! Listings that lack too many rows, and what comes of deciding.

use std::sync::Arc;

use serde_json::json;
use wrenchtime_memory::MemorySource;
use wrenchtime_model::{ConnectionId, Resource, SuspicionId};
use wrenchtime_service::sync::{Decision, Mode, Outcome};
use wrenchtime_service::{Actor, Error, Schedule, Service};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

const ROWS: u32 = 250;
const LEFT: u32 = 100;

/// Returns a service whose one connection was read, whereafter the source lost most of its rows.
async fn world(directory: &std::path::Path) -> (Fixture, ConnectionId) {
    let fixture = Fixture::new(directory, Arc::new(Stepped::new())).await;
    for number in 0..ROWS {
        let key = format!("{number:03}");
        fixture
            .source
            .put("work_orders", &key, json!({ "title": "x" }), None);
    }
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, true).await;
    idle_after(&fixture, id, 1).await;
    lose(&fixture.source);
    sync(&fixture, id).await;
    idle_after(&fixture, id, 2).await;
    (fixture, id)
}

fn lose(source: &MemorySource) {
    for number in LEFT..ROWS {
        source.remove("work_orders", &format!("{number:03}"));
    }
}

async fn sync(fixture: &Fixture, id: ConnectionId) {
    let request = demand(Mode::Incremental);
    fixture.service.start_sync(id, request).await.unwrap();
}

async fn idle_after(fixture: &Fixture, id: ConnectionId, count: usize) {
    until("runs ended", async || {
        let runs = fixture.runs(id).await;
        runs.len() == count && runs.iter().all(|run| run.finished.is_some())
    })
    .await;
}

async fn standing(service: &Service, id: ConnectionId) -> Option<SuspicionId> {
    let stands = service.suspicions(id).await.unwrap();
    stands.first().map(|shown| shown.suspicion.id)
}

async fn live(fixture: &Fixture, id: ConnectionId) -> u64 {
    let snapshot = fixture.service.snapshot(id).await.unwrap();
    snapshot.records[&Resource::WorkOrder].live
}

async fn decide(service: &Service, id: ConnectionId, decision: (SuspicionId, Decision)) -> bool {
    let decided = service.decide(id, decision, &Actor::CommandLine).await;
    decided.unwrap().is_some()
}

#[tokio::test]
async fn what_is_confirmed_is_acted_upon_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (fixture, id) = world(directory.path()).await;
    let stands = fixture.service.suspicions(id).await.unwrap();
    assert_eq!(stands.len(), 1);
    let suspicion = &stands[0].suspicion;
    assert_eq!((suspicion.missing, suspicion.stored), (150, 250));
    let keys: Vec<String> = stands[0].sample.iter().map(ToString::to_string).collect();
    let expected: Vec<String> = (100..120).map(|number: u32| number.to_string()).collect();
    assert_eq!(keys, expected);
    let system = fixture.service.connection(id).await.unwrap().system;
    let resources = fixture.service.resources_of(&system, &suspicion.entity);
    assert_eq!(resources, [Resource::WorkOrder]);

    assert!(decide(&fixture.service, id, (suspicion.id, Decision::Confirm)).await);
    idle_after(&fixture, id, 3).await;
    let run = fixture.runs(id).await.pop().unwrap();
    assert!(
        matches!(run.finished, Some((_, Outcome::Complete))),
        "{run:?}"
    );
    assert_eq!(live(&fixture, id).await, u64::from(LEFT));
    assert_eq!(standing(&fixture.service, id).await, None);
    assert!(!decide(&fixture.service, id, (suspicion.id, Decision::Confirm)).await);
    fixture.close().await;
}

#[tokio::test]
async fn what_is_confirmed_during_a_run_is_acted_upon_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let (fixture, id) = world(directory.path()).await;
    let stands = standing(&fixture.service, id).await.unwrap();
    let (service, runtime) = (fixture.service.clone(), tokio::runtime::Handle::current());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let asked = fixture.source.requests().len();
    fixture.source.at_request(asked + 1, move |_| {
        runtime.spawn(
            async move { tell.send(decide(&service, id, (stands, Decision::Confirm)).await) },
        );
    });
    sync(&fixture, id).await;
    assert_eq!(told.recv().await, Some(true));
    idle_after(&fixture, id, 4).await;
    assert_eq!(live(&fixture, id).await, u64::from(LEFT));
    assert_eq!(standing(&fixture.service, id).await, None);
    fixture.close().await;
}

#[tokio::test]
async fn what_is_rejected_removes_nothing_and_begins_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (fixture, id) = world(directory.path()).await;
    let stands = standing(&fixture.service, id).await.unwrap();
    assert!(decide(&fixture.service, id, (stands, Decision::Reject)).await);
    assert_eq!(standing(&fixture.service, id).await, None);
    sync(&fixture, id).await;
    idle_after(&fixture, id, 3).await;
    assert_eq!(live(&fixture, id).await, u64::from(ROWS));
    let again = standing(&fixture.service, id).await.unwrap();
    assert_ne!(again, stands);
    assert!(!decide(&fixture.service, id, (stands, Decision::Confirm)).await);
    fixture
        .service
        .disconnect(id, &Actor::CommandLine)
        .await
        .unwrap();
    let refused = fixture
        .service
        .decide(id, (again, Decision::Confirm), &Actor::CommandLine)
        .await;
    assert!(matches!(refused, Err(Error::State { .. })));
    assert_eq!(standing(&fixture.service, id).await, Some(again));
    fixture.close().await;
}

#[tokio::test]
async fn what_is_confirmed_outlasts_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let key = wrenchtime_service::MasterKey::generate();
    let source = MemorySource::new();
    let clock = Arc::new(Stepped::new());
    let open = async || {
        Fixture::open(
            directory.path(),
            Arc::<Stepped>::clone(&clock),
            &source,
            &key,
        )
        .await
        .unwrap()
    };
    let fixture = open().await;
    for number in 0..ROWS {
        source.put(
            "work_orders",
            &format!("{number:03}"),
            json!({ "title": "x" }),
            None,
        );
    }
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, true).await;
    idle_after(&fixture, id, 1).await;
    lose(&source);
    sync(&fixture, id).await;
    idle_after(&fixture, id, 2).await;
    fixture.close().await;

    // Nothing runs yet when it is confirmed, and the run that follows asks for no listing.
    let fixture = open().await;
    let stands = standing(&fixture.service, id).await.unwrap();
    assert!(decide(&fixture.service, id, (stands, Decision::Confirm)).await);
    fixture.close().await;
    let fixture = open().await;
    fixture.service.start(None).await.unwrap();
    sync(&fixture, id).await;
    idle_after(&fixture, id, 3).await;
    assert_eq!(live(&fixture, id).await, u64::from(LEFT));
    fixture.close().await;
}
