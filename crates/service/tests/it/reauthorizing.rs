//! Other credentials for a connection: what is refused, what stays, and runs under way with the ones before.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wrenchtime_connector::{
    Connector, ConnectorInfo, Error as SourceError, ErrorKind, Factory, NamedFunction,
    SettingField, SettingKind, Settings, SystemName, Systems,
};
use wrenchtime_memory::{MemoryFactory, MemorySource};
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_service::sync::{Mode, Outcome};
use wrenchtime_service::{
    Actor, Connect, ConnectionChange, Error, MasterKey, Result, Schedule, Service, State,
};

use crate::fixture::{Fixture, clock, parts, until};
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

/// A source in memory that asks for more than it needs.
#[derive(Debug)]
struct Asking {
    memory: MemoryFactory,
    info: ConnectorInfo,
}

impl Asking {
    fn new(source: &MemorySource) -> Self {
        let memory = MemoryFactory::new(source.clone());
        let mut info = memory.info().clone();
        let optional = |name| SettingField::optional(name, SettingKind::Text, name, "Not needed.");
        info.settings.push(optional("zone"));
        info.settings.push(optional("region").with_default("am"));
        Self { memory, info }
    }
}

impl Factory for Asking {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn default_mapping(&self) -> &str {
        self.memory.default_mapping()
    }

    fn functions(&self) -> &'static [NamedFunction] {
        self.memory.functions()
    }

    fn connect(&self, settings: &Settings) -> std::result::Result<Arc<dyn Connector>, SourceError> {
        self.memory.connect(settings)
    }
}

fn with_more(more: &[(&str, &str)]) -> Settings {
    let needed = [("name", "Plant"), ("secret", "secret")];
    Settings::new(needed.iter().chain(more).copied())
}

/// What of the settings left out stands in the way; nothing when they were taken.
async fn left_out(service: &Service, id: ConnectionId, more: &[(&str, &str)]) -> Vec<String> {
    let change = ConnectionChange::default().with_settings(with_more(more));
    match service.change(id, change, &Actor::CommandLine).await {
        Ok(_) => Vec::new(),
        Err(Error::Settings(error)) => error.faults.into_iter().map(|(name, _)| name).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[tokio::test]
async fn a_setting_that_is_set_is_not_dropped_by_being_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let (source, key) = (MemorySource::new(), MasterKey::generate());
    let (mut parts, store) = parts(directory.path(), Arc::new(Stepped::new()), &source, &key).await;
    parts.systems = Systems::new([Arc::new(Asking::new(&source)) as Arc<dyn Factory>]);
    let service = Service::open(parts).await.unwrap();
    let settings = with_more(&[("zone", "Europe/Berlin"), ("region", "emea")]);
    let request =
        Connect::new(SystemName::from_static("memory"), settings).with_schedule(Schedule::OnDemand);
    let made = service.connect(request, &Actor::CommandLine).await.unwrap();
    let id = made.connection.id;

    assert_eq!(left_out(&service, id, &[]).await, ["zone", "region"]);
    assert_eq!(left_out(&service, id, &[("zone", "UTC")]).await, ["region"]);
    assert_eq!(service.connection(id).await.unwrap(), made.connection);
    let asked = source.requests().len();
    assert_eq!(asked, 1, "the source is not asked");
    // Nothing is dropped without a word, but whoever says so is listened to.
    let said = [("zone", ""), ("region", " ")];
    assert_eq!(left_out(&service, id, &said).await, [""; 0]);
    assert_eq!(left_out(&service, id, &[]).await, [""; 0]);
    service.shutdown().await;
    store.close().await;
}

#[tokio::test]
async fn a_connection_on_demand_is_read_only_where_a_run_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let (source, key) = (MemorySource::new(), MasterKey::generate());
    let (mut parts, store) = parts(directory.path(), Arc::new(Stepped::new()), &source, &key).await;
    parts.options.concurrent_runs = 1;
    let service = Service::open(parts).await.unwrap();
    let fixture = Fixture {
        service,
        store,
        source,
    };
    fixture.service.start(None).await.unwrap();
    let quiet = fixture.connect(Schedule::OnDemand, false).await;
    let other = fixture.connect(Schedule::OnDemand, false).await;
    reauthorize(&fixture.service, quiet, "secret")
        .await
        .unwrap();
    // Runs are made one after the other: by the end of this one, the first would have had its turn.
    for _ in 0..2 {
        let runs = fixture.runs(other).await.len();
        let wanted = demand(Mode::Full);
        fixture.service.start_sync(other, wanted).await.unwrap();
        until("another run ended", async || {
            let all = fixture.runs(other).await;
            all.len() > runs && all[runs].finished.is_some()
        })
        .await;
    }
    assert_eq!(fixture.runs(quiet).await, []);
    fixture.close().await;
}

#[tokio::test]
async fn a_disconnected_connection_takes_no_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = &fixture.service;
    service.disconnect(id, &Actor::CommandLine).await.unwrap();
    let every = Schedule::Every(Duration::from_secs(600));
    for id in [id, ConnectionId::new()] {
        let change = ConnectionChange::default().with_schedule(every);
        let error = service.change(id, change, &Actor::CommandLine).await;
        let error = error.unwrap_err();
        let expected = service.connection(id).await.is_ok();
        let is_told = matches!(
            error,
            Error::State {
                state: State::Disconnected,
                ..
            }
        );
        assert_eq!(is_told, expected, "{error}");
    }
    fixture.close().await;
}
