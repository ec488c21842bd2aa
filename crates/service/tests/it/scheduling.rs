//! Schedules of single resources.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use wrenchtime_connector::{Clock, Precision, StreamInfo, StreamName};
use wrenchtime_memory::{Asked, MemorySource, default_entities};
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::{Actor, ConnectionChange, Error, MasterKey, Schedule};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;

fn minutes(minutes: u64) -> Schedule {
    Schedule::Every(Duration::from_secs(minutes * 60))
}

/// A source that tells changes of both its entities: each run asks for them.
fn with_changes_of_assets() -> MemorySource {
    let mut entities = default_entities();
    for entity in &mut entities {
        if entity.resources == [Resource::Asset] {
            entity.streams.push(StreamInfo::changes(
                StreamName::from_static("assets-changes"),
                100,
                Precision::Millisecond,
                Duration::ZERO,
            ));
        }
    }
    MemorySource::with_entities(entities)
}

/// Returns which streams were asked for since so many requests.
fn streams(fixture: &Fixture, since: usize) -> BTreeSet<String> {
    let asked = fixture.source.requests().split_off(since);
    let streams = asked.into_iter().filter_map(|one| match one {
        Asked::Page { stream, .. } => Some(stream.to_string()),
        _ => None,
    });
    streams.collect()
}

async fn wait_for_runs(fixture: &Fixture, id: ConnectionId, number: usize) {
    until("the run ended and the next is planned", async || {
        let runs = fixture.runs(id).await;
        let ended = runs.iter().all(|run| run.finished.is_some());
        let status = fixture.service.status(id).await.unwrap();
        runs.len() == number && ended && status.next_sync_at.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_resource_is_read_by_its_own_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let source = with_changes_of_assets();
    let key = MasterKey::generate();
    let fixture = Fixture::open(directory.path(), Arc::new(clock.clone()), &source, &key)
        .await
        .unwrap();
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(minutes(15), true).await;
    wait_for_runs(&fixture, id, 1).await;
    let change =
        ConnectionChange::default().with_resource_schedule(Resource::WorkOrder, minutes(5));
    let changed = fixture.service.change(id, change, &Actor::System).await;
    let own = &changed.unwrap().resource_schedules;
    assert_eq!(own[&Resource::WorkOrder], Some(Duration::from_secs(300)));
    for run in 2..=5 {
        let due = clock.now() + TimeDelta::minutes(5);
        until("the next run is planned", async || {
            let status = fixture.service.status(id).await.unwrap();
            status.next_sync_at == Some(due)
        })
        .await;
        let asked = fixture.source.requests().len();
        clock.advance(300);
        wait_for_runs(&fixture, id, run).await;
        let streams = streams(&fixture, asked);
        let of_orders = |stream: &String| stream.starts_with("work_orders");
        assert!(streams.iter().any(of_orders), "{streams:?}");
        // Every third time the connection's own schedule has come round.
        assert_eq!(streams.iter().all(of_orders), run != 4, "{run} {streams:?}");
    }
    // As the connection again.
    let change =
        ConnectionChange::default().with_resource_schedule(Resource::WorkOrder, Schedule::Default);
    let changed = fixture.service.change(id, change, &Actor::System).await;
    assert!(changed.unwrap().resource_schedules.is_empty());
    fixture.close().await;
}

#[tokio::test]
async fn a_schedule_of_a_resource_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = fixture.connect(minutes(15), false).await;
    let change = async |resource, schedule| {
        let change = ConnectionChange::default()
            .with_schedule(minutes(30))
            .with_resource_schedule(resource, schedule);
        fixture.service.change(id, change, &Actor::System).await
    };
    for seconds in [59, 86_401] {
        let wrong = Schedule::Every(Duration::from_secs(seconds));
        let error = change(Resource::WorkOrder, wrong).await.unwrap_err();
        assert!(
            matches!(&error, Error::Invalid { field: "resource_schedule_seconds", message } if message.contains("work_order")),
            "{error}"
        );
    }
    let error = change(Resource::User, minutes(5)).await.unwrap_err();
    assert!(error.to_string().contains("user"), "{error}");
    // All that is asked for, or nothing.
    let connection = fixture.service.connection(id).await.unwrap();
    assert_eq!(connection.schedule, Some(Duration::from_secs(900)));
    let changed = change(Resource::WorkOrder, Schedule::OnDemand).await;
    let own = changed.unwrap().resource_schedules;
    assert_eq!(own, [(Resource::WorkOrder, None)].into());
    fixture.close().await;
}
