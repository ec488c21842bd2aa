//! Connections whose records do not go back to the first.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use wrenchtime_connector::{Clock, Settings, SystemName};
use wrenchtime_memory::{MemorySource, default_entities};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::RecordReader;
use wrenchtime_service::{Actor, Connect, Error, MasterKey, RecordsSince, Result, Schedule, State};

use crate::fixture::{Fixture, clock, until};

const ACTOR: &Actor = &Actor::CommandLine;

/// A work order that changed so many days before the tests begin, for each key.
fn fill(source: &MemorySource) {
    for days in [10, 20, 40, 80] {
        let changed = clock().now() - TimeDelta::days(days);
        let key = days.to_string();
        source.put("work_orders", &key, json!({ "title": "x" }), changed);
    }
}

async fn connect(fixture: &Fixture, since: RecordsSince) -> Result<ConnectionId> {
    let settings = Settings::new([("name", "Plant"), ("secret", "secret")]);
    let request = Connect::new(SystemName::from_static("memory"), settings)
        .with_schedule(Schedule::OnDemand)
        .with_records_since(since);
    let connected = fixture.service.connect(request, ACTOR).await?;
    Ok(connected.connection.id)
}

async fn until_read(fixture: &Fixture, id: ConnectionId, runs: usize) {
    until("it was read", async || {
        let done = fixture.runs(id).await;
        done.len() >= runs && done.iter().all(|run| run.finished.is_some())
    })
    .await;
}

async fn records(fixture: &Fixture, id: ConnectionId) -> u64 {
    let snapshot = fixture.store.sync_snapshot(id).await.unwrap();
    snapshot.records.values().map(|counts| counts.live).sum()
}

async fn since(fixture: &Fixture, id: ConnectionId) -> Option<DateTime<Utc>> {
    fixture.service.connection(id).await.unwrap().records_since
}

#[track_caller]
fn assert_invalid<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    let error = result.unwrap_err();
    let named = matches!(&error, Error::Invalid { field, .. } if *field == "records_since");
    assert!(named && error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn days_are_counted_once_and_records_go_further_back_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, source, key) = (clock(), MemorySource::new(), MasterKey::generate());
    fill(&source);
    let open = || Fixture::open(directory.path(), Arc::new(clock.clone()), &source, &key);
    let fixture = open().await.unwrap();
    fixture.service.start(None).await.unwrap();
    let id = connect(&fixture, RecordsSince::Days(30)).await.unwrap();
    let from = Some(clock.now() - TimeDelta::days(30));
    until_read(&fixture, id, 1).await;
    assert_eq!(
        (since(&fixture, id).await, records(&fixture, id).await),
        (from, 2)
    );
    fixture.close().await;

    // What is stored stays while it ages, also after a restart.
    clock.advance(Duration::from_secs(15 * 86_400));
    let fixture = open().await.unwrap();
    fixture.service.start(None).await.unwrap();
    assert_eq!(
        (since(&fixture, id).await, records(&fixture, id).await),
        (from, 2)
    );

    let further = |since| fixture.service.look_back_further(id, since, ACTOR);
    assert_invalid(further(RecordsSince::Days(30)).await, "go back further");
    assert_invalid(
        further(RecordsSince::At(clock.now() + TimeDelta::days(1))).await,
        "future",
    );
    let runs = fixture.runs(id).await.len();
    let wider = further(RecordsSince::Days(60)).await.unwrap();
    assert_eq!(wider.records_since, Some(clock.now() - TimeDelta::days(60)));
    until_read(&fixture, id, runs + 1).await;
    assert_eq!(records(&fixture, id).await, 3);
    assert_eq!(
        further(RecordsSince::All).await.unwrap().records_since,
        None
    );
    until_read(&fixture, id, runs + 2).await;
    assert_eq!(records(&fixture, id).await, 4);

    // To ask for what is so already does nothing.
    further(RecordsSince::All).await.unwrap();
    assert_eq!(fixture.runs(id).await.len(), runs + 2);
    fixture.service.disconnect(id, ACTOR).await.unwrap();
    let refused = further(RecordsSince::All).await.unwrap_err();
    let expected = State::Disconnected;
    assert!(matches!(refused, Error::State { state, .. } if state == expected));
    fixture.close().await;
}

#[tokio::test]
async fn a_system_without_change_times_keeps_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut entities = default_entities();
    for stream in entities.iter_mut().flat_map(|entity| &mut entity.streams) {
        stream.dated = false;
    }
    let source = MemorySource::with_entities(entities);
    let key = MasterKey::generate();
    let fixture = Fixture::open(directory.path(), Arc::new(clock()), &source, &key)
        .await
        .unwrap();
    for wanted in [RecordsSince::Days(1), RecordsSince::At(clock().now())] {
        assert_invalid(connect(&fixture, wanted).await, "does not show when");
    }
    assert_eq!(source.requests(), [], "the source was not asked");
    connect(&fixture, RecordsSince::All).await.unwrap();
    fixture.close().await;
}
