//! When runs are made: on demand, by schedule, after failures, after a restart.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use wrenchtime_connector::{Clock, Error, ErrorKind, ManualClock};
use wrenchtime_memory::MemorySource;
use wrenchtime_model::EventType;
use wrenchtime_service::sync::{Mode, Outcome, RunState};
use wrenchtime_service::{Actor, MasterKey, Schedule, State, SyncRequest, SyncRequested};

use crate::fixture::{Fixture, clock, until};
use crate::stepped::Stepped;

pub(crate) fn demand(mode: Mode) -> SyncRequest {
    SyncRequest { mode }
}

/// Three pages of work orders.
fn fill(source: &MemorySource) {
    for number in 0..250 {
        let key = format!("{number:03}");
        source.put("work_orders", &key, json!({ "title": "x" }), None);
    }
}

fn minutes(runs: &[RunState]) -> Vec<i64> {
    let begin = clock().now();
    runs.iter()
        .map(|run| (run.started_at - begin).num_minutes())
        .collect()
}

#[tokio::test]
async fn the_first_run_is_full_and_the_next_follow_the_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    fixture
        .source
        .put("assets", "1", json!({ "name": "Pump" }), None);
    fixture.service.start(None).await.unwrap();
    let every = Schedule::Every(Duration::from_secs(600));
    let id = fixture.connect(every, true).await;
    for expected in 1..=3 {
        until("a run ended", async || {
            let runs = fixture.runs(id).await;
            runs.len() == expected && runs.iter().all(|run| run.finished.is_some())
        })
        .await;
        until("the next run is planned", async || {
            let status = fixture.service.status(id).await.unwrap();
            status.next_sync_at == Some(clock.now() + TimeDelta::minutes(10))
        })
        .await;
        clock.advance(600);
    }
    until("the fourth run ended", async || {
        fixture.runs(id).await.len() == 4
    })
    .await;
    let runs = fixture.runs(id).await;
    assert_eq!(minutes(&runs), [0, 10, 20, 30]);
    let modes: Vec<Mode> = runs.iter().map(|run| run.mode).collect();
    assert_eq!(
        modes,
        [
            Mode::Full,
            Mode::Incremental,
            Mode::Incremental,
            Mode::Incremental
        ]
    );
    fixture.close().await;
}

#[tokio::test]
async fn a_new_schedule_counts_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, true).await;
    until("the first run ended", async || {
        let status = fixture.service.status(id).await.unwrap();
        status.last_success_at.is_some() && status.syncing.is_none()
    })
    .await;
    clock.advance(100_000);
    let every = Schedule::Every(Duration::from_secs(60));
    fixture
        .service
        .set_schedule(id, every, &Actor::System)
        .await
        .unwrap();
    until("it ran", async || fixture.runs(id).await.len() == 2).await;
    for wrong in [59, 86_401] {
        let wrong = Schedule::Every(Duration::from_secs(wrong));
        fixture
            .service
            .set_schedule(id, wrong, &Actor::System)
            .await
            .unwrap_err();
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_silent_source_goes_offline_with_growing_gaps_and_comes_back_alone() {
    let directory = tempfile::tempdir().unwrap();
    // This clock moves by itself whenever somebody waits.
    let clock = clock();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    // Every read of a run is tried several times, in two entities: enough for five runs, then it answers again.
    for _ in 0..40 {
        let silent = Error::new(ErrorKind::Unavailable, "read: no answer");
        fixture.source.fail_next(silent);
    }
    fixture.service.start(None).await.unwrap();
    fixture
        .service
        .start_sync(id, demand(Mode::Full))
        .await
        .unwrap();
    until("it is back", async || {
        fixture.announced(id).await.len() == 2 && fixture.state(id).await == State::Active
    })
    .await;
    assert_eq!(
        fixture.announced(id).await,
        [EventType::ConnectionOffline, EventType::ConnectionOnline]
    );
    let runs = fixture.runs(id).await;
    let failed = runs
        .iter()
        .filter(|run| matches!(run.finished, Some((_, Outcome::Failed))))
        .count();
    assert!(failed >= 3, "{failed}");
    let gaps: Vec<i64> = runs
        .windows(2)
        .map(|pair| (pair[1].started_at - pair[0].finished.unwrap().0).num_seconds())
        .collect();
    for (at, gap) in gaps.iter().take(failed).enumerate() {
        assert_eq!(*gap, 30 << at, "{gaps:?}");
    }
    fixture.close().await;
}

#[tokio::test]
async fn refused_credentials_stop_the_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = fixture
        .connect(Schedule::Every(Duration::from_secs(60)), false)
        .await;
    fixture.source.set_secret("changed");
    fixture.service.start(None).await.unwrap();
    clock.advance(60);
    until("it is refused", async || {
        fixture.state(id).await == State::ReauthorizationRequired
    })
    .await;
    assert_eq!(
        fixture.announced(id).await,
        [EventType::ReauthorizationRequired]
    );
    let status = fixture.service.status(id).await.unwrap();
    assert!(
        status
            .connection
            .reason
            .unwrap()
            .contains("refuses the secret")
    );
    assert!(status.next_sync_at.is_none());
    let asked = fixture.source.requests().len();
    clock.advance(100_000);
    fixture
        .service
        .start_sync(id, demand(Mode::Full))
        .await
        .unwrap_err();
    fixture.close_after_rest(asked).await;
}

impl Fixture {
    /// Ends, and sees that nobody was asked any more.
    async fn close_after_rest(self, asked: usize) {
        let source = self.source.clone();
        self.close().await;
        assert_eq!(source.requests().len(), asked);
    }
}

#[tokio::test]
async fn a_run_under_way_is_joined_and_gone_on_with_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock: Arc<ManualClock> = Arc::new(clock());
    let source = MemorySource::new();
    let key = MasterKey::generate();
    fill(&source);
    let open = async || {
        Fixture::open(directory.path(), Arc::clone(&clock) as _, &source, &key)
            .await
            .unwrap()
    };
    let fixture = open().await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let asked = source.requests().len();
    // In the middle of the first run somebody asks again, and then the service ends.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let runtime = tokio::runtime::Handle::current();
    source.at_request(asked + 2, move |_| {
        let service = service.clone();
        runtime.spawn(async move {
            let joined = service.start_sync(id, demand(Mode::Full)).await.unwrap();
            tell.send(joined).unwrap();
            service.shutdown().await;
            drop(tell);
        });
    });
    fixture.service.start(None).await.unwrap();
    let first = fixture
        .service
        .start_sync(id, demand(Mode::Full))
        .await
        .unwrap();
    assert_eq!(first, SyncRequested::Queued);
    let second = told.recv().await.unwrap();
    assert_eq!(second, SyncRequested::Joined);
    assert_eq!(told.recv().await, None);
    fixture.close().await;

    let fixture = open().await;
    fixture.service.start(None).await.unwrap();
    until("the run ended", async || {
        fixture.runs(id).await[0].finished.is_some()
    })
    .await;
    let status = fixture.service.sync_status(id).await.unwrap();
    assert!(status.resources.iter().all(|resource| resource.complete));
    let live: u64 = status
        .resources
        .iter()
        .map(|resource| resource.records.live)
        .sum();
    assert_eq!(live, 250);
    // It was one run all the time.
    let runs = fixture.runs(id).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert!(matches!(runs[0].finished, Some((_, Outcome::Complete))));
    fixture.close().await;
}

#[tokio::test]
async fn a_connection_whose_first_run_never_began_is_read_when_the_service_starts() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    fill(&fixture.source);
    // Made, and the process ended before the run began.
    let hour = Schedule::Every(Duration::from_secs(3600));
    let scheduled = fixture.connect(hour, true).await;
    let on_demand = fixture.connect(Schedule::OnDemand, false).await;
    assert_eq!(fixture.runs(scheduled).await, []);
    clock.advance(1);
    fixture.service.start(None).await.unwrap();
    until("its first run ended, no time has passed", async || {
        let runs = fixture.runs(scheduled).await;
        runs.iter().any(|run| run.finished.is_some())
    })
    .await;
    assert_eq!(fixture.runs(on_demand).await, []);
    fixture.close().await;
}

#[tokio::test]
async fn a_cancelled_run_ends_and_the_connection_stays() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    fill(&fixture.source);
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let runtime = tokio::runtime::Handle::current();
    let asked = fixture.source.requests().len();
    fixture.source.at_request(asked + 2, move |_| {
        runtime.spawn(async move { service.cancel_sync(id).await.unwrap() });
    });
    fixture.service.start(None).await.unwrap();
    fixture
        .service
        .start_sync(id, demand(Mode::Full))
        .await
        .unwrap();
    until("it ended", async || {
        fixture
            .runs(id)
            .await
            .iter()
            .any(|run| run.finished.is_some())
    })
    .await;
    let runs = fixture.runs(id).await;
    assert!(
        matches!(runs[0].finished, Some((_, Outcome::Cancelled))),
        "{runs:?}"
    );
    assert_eq!(fixture.state(id).await, State::Active);
    assert!(fixture.announced(id).await.is_empty());
    fixture.close().await;
}

#[tokio::test]
async fn the_end_of_a_connection_ends_its_run() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::Default, true).await;
    fixture
        .service
        .disconnect(id, &Actor::CommandLine)
        .await
        .unwrap();
    assert_eq!(fixture.state(id).await, State::Disconnected);
    assert_eq!(
        fixture.announced(id).await.last(),
        Some(&EventType::ConnectionDisconnected)
    );
    let error = fixture
        .service
        .start_sync(id, demand(Mode::Full))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("disconnected"), "{error}");
    fixture.service.shutdown().await;
    let runs = fixture.runs(id).await;
    assert!(runs.iter().all(|run| run.finished.is_some()), "{runs:?}");
    fixture.close().await;
}
