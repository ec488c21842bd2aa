//! Other credentials for a connection: what is refused, what stays, and runs under way with the ones before.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wrenchtime_connector::{Error as SourceError, ErrorKind, Settings};
use wrenchtime_memory::MemorySource;
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_service::sync::{Mode, Outcome};
use wrenchtime_service::{Actor, ConnectionChange, Error, Result, Schedule, Service, State};

use crate::fixture::{Fixture, clock, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

fn settings(secret: &str) -> ConnectionChange {
    let settings = Settings::new([("name", "Plant"), ("secret", secret)]);
    ConnectionChange::default().with_settings(settings)
}

async fn reauthorize(service: &Service, id: ConnectionId, secret: &str) -> Result<()> {
    let done = service.change(id, settings(secret), &Actor::CommandLine);
    done.await.map(drop)
}

fn fill(source: &MemorySource, assets: usize) {
    for number in 0..assets {
        let key = format!("{number:04}");
        source.put("assets", &key, json!({ "name": key }), None);
    }
}

/// Syncs a connection, and lets the source refuse its secret from then on.
async fn refused(fixture: &Fixture) -> ConnectionId {
    fill(&fixture.source, 3);
    let id = fixture.connect(Schedule::OnDemand, true).await;
    fixture.service.start(None).await.unwrap();
    let service = &fixture.service;
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    until("it is synced", async || {
        let runs = fixture.runs(id).await;
        runs.iter()
            .any(|run| matches!(run.finished, Some((_, Outcome::Complete))))
            && service.status(id).await.unwrap().syncing.is_none()
    })
    .await;
    fixture.source.set_secret("changed");
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    until("it is refused", async || {
        fixture.state(id).await == State::ReauthorizationRequired
    })
    .await;
    id
}

#[tokio::test]
async fn a_refused_connection_goes_on_with_other_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = refused(&fixture).await;
    let before = fixture.service.connection(id).await.unwrap();
    let runs = fixture.runs(id).await.len();
    fixture
        .source
        .put("assets", "new", json!({ "name": "new" }), None);

    reauthorize(&fixture.service, id, "changed").await.unwrap();
    let after = fixture.service.connection(id).await.unwrap();
    assert_eq!((after.state, after.reason), (State::Active, None));
    assert_eq!((after.id, after.account), (before.id, before.account));
    assert_ne!(after.sealed, before.sealed);
    until("the next run ended", async || {
        let all = fixture.runs(id).await;
        all.len() > runs && all[runs].finished.is_some()
    })
    .await;
    let run = fixture.runs(id).await.remove(runs);
    assert!(
        matches!(run.finished, Some((_, Outcome::Complete))),
        "{run:?}"
    );
    // What was stored is compared, not made anew.
    assert_eq!(run.mode, Mode::Incremental);
    assert_eq!(
        fixture.announced(id).await,
        [
            EventType::ReauthorizationRequired,
            EventType::ConnectionOnline
        ]
    );
    fixture.close().await;
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = refused(&fixture).await;
    let before = fixture.service.connection(id).await.unwrap();
    let service = &fixture.service;

    let error = reauthorize(service, id, "wrong").await.unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error}");
    fixture
        .source
        .fail_next(SourceError::new(ErrorKind::Unavailable, "open: no answer"));
    let error = reauthorize(service, id, "changed").await.unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error}");
    fixture.source.set_identity("another");
    let error = reauthorize(service, id, "changed").await.unwrap_err();
    assert!(matches!(error, Error::AccountMismatch { .. }), "{error}");

    let asked = fixture.source.requests().len();
    let partial = ConnectionChange::default().with_settings(Settings::new([("secret", "changed")]));
    let too_often = settings("changed").with_schedule(Schedule::Every(Duration::from_secs(1)));
    for change in [partial, too_often] {
        let refused = service.change(id, change, &Actor::CommandLine).await;
        assert!(matches!(
            refused,
            Err(Error::Settings(_) | Error::Schedule { .. })
        ));
    }
    assert_eq!(fixture.service.connection(id).await.unwrap(), before);

    service.disconnect(id, &Actor::CommandLine).await.unwrap();
    let error = reauthorize(service, id, "changed").await.unwrap_err();
    assert!(matches!(error, Error::State { .. }), "{error}");
    assert_eq!(fixture.source.requests().len(), asked);
    assert_eq!(
        fixture.announced(id).await,
        [
            EventType::ReauthorizationRequired,
            EventType::ConnectionDisconnected
        ]
    );
    fixture.close().await;
}

#[tokio::test]
async fn an_active_connection_takes_settings_and_schedule_together_and_tells_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let every = Duration::from_secs(600);
    let change = settings("secret").with_schedule(Schedule::Every(every));
    let after = fixture
        .service
        .change(id, change, &Actor::CommandLine)
        .await
        .unwrap();
    assert_eq!((after.state, after.schedule), (State::Active, Some(every)));
    assert_eq!(fixture.announced(id).await, []);
    fixture.close().await;
}

#[tokio::test]
async fn an_offline_connection_is_back_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let fixture = Fixture::new(directory.path(), Arc::new(clock.clone())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    // Two attempts in each of two entities, over three runs.
    for _ in 0..200 {
        let silent = SourceError::new(ErrorKind::Unavailable, "read: no answer");
        fixture.source.fail_next(silent);
    }
    fixture.service.start(None).await.unwrap();
    let service = &fixture.service;
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    until("it is offline", async || {
        clock.advance(3600);
        fixture.state(id).await == State::Offline
    })
    .await;
    until("it is reauthorized", async || {
        reauthorize(service, id, "secret").await.is_ok()
    })
    .await;
    assert_eq!(
        fixture.announced(id).await[..2],
        [EventType::ConnectionOffline, EventType::ConnectionOnline]
    );
    fixture.close().await;
}

/// The source changes its secret while a run asks for its first page, and somebody gives the new one before that page
/// is refused. The run with the old one must undo nothing, and be gone on with.
///
/// At the first page, for later ones are asked for while the one before is being written, which this test would block.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_under_way_with_the_credentials_before_undoes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    fill(&fixture.source, 900);
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let runtime = tokio::runtime::Handle::current();
    let asked = fixture.source.requests().len();
    fixture.source.at_request(asked + 1, move |source| {
        source.set_secret("changed");
        let swap = reauthorize(&service, id, "changed");
        tokio::task::block_in_place(|| runtime.block_on(swap)).unwrap();
    });
    fixture.service.start(None).await.unwrap();
    let service = &fixture.service;
    service.start_sync(id, demand(Mode::Full)).await.unwrap();
    until("a run is complete", async || {
        let runs = fixture.runs(id).await;
        runs.iter()
            .any(|run| matches!(run.finished, Some((_, Outcome::Complete))))
    })
    .await;
    assert_eq!(fixture.state(id).await, State::Active);
    assert_eq!(fixture.announced(id).await, []);
    // It was one run all the time.
    assert_eq!(fixture.runs(id).await.len(), 1);
    let status = service.sync_status(id).await.unwrap();
    let live: u64 = status.resources.iter().map(|one| one.records.live).sum();
    assert_eq!(live, 900);
    fixture.close().await;
}
