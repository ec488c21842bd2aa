//! What stands in a run's way ends that run, not the connection's syncing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use wrenchtime_connector::{
    Account, Clock, Connector, ConnectorInfo, Context, Document, EntityName, Error, ErrorKind,
    Factory, NamedFunction, Page, PageRequest, RemoteKey, Retry, Settings, Systems,
};
use wrenchtime_memory::{MemoryFactory, MemorySource};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::sync::{Mode, Outcome};
use wrenchtime_service::{MasterKey, Options, Schedule, Service, State};

use crate::fixture::{Fixture, clock, options, parts, until};
use crate::stepped::Stepped;
use crate::supervisor::demand;

/// A system whose connectors cannot be made any more; counts the tries.
#[derive(Debug)]
struct Broken {
    memory: MemoryFactory,
    tries: AtomicI64,
}

impl Factory for Broken {
    fn info(&self) -> &ConnectorInfo {
        self.memory.info()
    }

    fn default_mapping(&self) -> &str {
        self.memory.default_mapping()
    }

    fn functions(&self) -> &'static [NamedFunction] {
        self.memory.functions()
    }

    fn connect(&self, _settings: &Settings) -> Result<Arc<dyn Connector>, Error> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(
            ErrorKind::Invalid,
            "connect: the settings do not fit",
        ))
    }
}

/// Leaves a connection without a schedule in the store that is offline.
async fn leave_offline(directory: &Path, source: &MemorySource, key: &MasterKey) -> ConnectionId {
    let clock = Arc::new(clock());
    let fixture = Fixture::open(directory, clock, source, key).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, false).await;
    for _ in 0..500 {
        source.fail_next(Error::new(ErrorKind::Unavailable, "read: no answer"));
    }
    fixture.service.start(None).await.unwrap();
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(id, wanted).await.unwrap();
    until("it is offline", async || {
        fixture.state(id).await == State::Offline
    })
    .await;
    fixture.close().await;
    id
}

#[tokio::test]
async fn an_offline_connection_waits_longer_and_longer_whatever_fails() {
    let directory = tempfile::tempdir().unwrap();
    let (source, key) = (MemorySource::new(), MasterKey::generate());
    let id = leave_offline(directory.path(), &source, &key).await;

    let clock = Stepped::new();
    clock.advance(1_000_000);
    let (mut parts, store) = parts(directory.path(), Arc::new(clock.clone()), &source, &key).await;
    let broken = Arc::new(Broken {
        memory: MemoryFactory::new(source.clone()),
        tries: AtomicI64::new(0),
    });
    parts.systems = Systems::new([Arc::clone(&broken) as _]);
    let service = Service::open(parts).await.unwrap();
    let fixture = Fixture {
        service,
        store,
        source,
    };
    fixture.service.start(None).await.unwrap();
    for (tries, gap) in [(1, 30), (2, 60), (3, 120), (4, 240)] {
        until("the next run is planned", async || {
            let next = fixture.service.status(id).await.unwrap().next_sync_at;
            assert!(broken.tries.load(Ordering::SeqCst) <= tries);
            next == Some(clock.now() + TimeDelta::seconds(gap))
        })
        .await;
        assert_eq!(broken.tries.load(Ordering::SeqCst), tries);
        clock.advance(gap);
    }
    assert_eq!(fixture.state(id).await, State::Offline);
    fixture.close().await;
}

#[tokio::test]
async fn a_panic_ends_a_run_and_the_next_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let asked = fixture.source.requests().len();
    fixture
        .source
        .at_request(asked + 1, |_| panic!("a fault of the connector"));
    fixture.service.start(None).await.unwrap();
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(id, wanted).await.unwrap();
    until("it panicked", async || {
        fixture.source.requests().len() > asked
    })
    .await;
    until("nothing is under way", async || {
        !fixture.service.cancel_sync(id).await.unwrap()
    })
    .await;
    fixture.service.start_sync(id, wanted).await.unwrap();
    until("a run is complete", async || {
        let runs = fixture.runs(id).await;
        runs.iter()
            .any(|run| matches!(run.finished, Some((_, Outcome::Complete))))
    })
    .await;
    fixture.close().await;
}

/// One run at a time.
fn narrow() -> Options {
    let mut options = options();
    options.concurrent_runs = 1;
    options
}

/// A system that takes its time over a page.
#[derive(Clone, Debug)]
struct Slow {
    memory: Arc<MemoryFactory>,
    connector: Option<Arc<dyn Connector>>,
    clock: Stepped,
    /// How many seconds the next page takes.
    seconds: Arc<AtomicU64>,
}

impl Factory for Slow {
    fn info(&self) -> &ConnectorInfo {
        Factory::info(self.memory.as_ref())
    }

    fn default_mapping(&self) -> &str {
        self.memory.default_mapping()
    }

    fn functions(&self) -> &'static [NamedFunction] {
        self.memory.functions()
    }

    fn connect(&self, settings: &Settings) -> Result<Arc<dyn Connector>, Error> {
        let connector = Some(self.memory.connect(settings)?);
        Ok(Arc::new(Self {
            connector,
            ..self.clone()
        }))
    }
}

impl Slow {
    fn connector(&self) -> &dyn Connector {
        self.connector.as_deref().unwrap()
    }
}

#[async_trait]
impl Connector for Slow {
    fn info(&self) -> &ConnectorInfo {
        self.connector().info()
    }

    async fn check(&self, cx: &Context) -> Result<Account, Error> {
        self.connector().check(cx).await
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page, Error> {
        let page = self.connector().read_page(cx, request).await;
        let seconds = self.seconds.swap(0, Ordering::SeqCst);
        self.clock.sleep(Duration::from_secs(seconds)).await;
        page
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>, Error> {
        self.connector().fetch(cx, entity, keys).await
    }
}

/// Opens a service that lets one run work at a time, and what slows its source down.
async fn open_narrow(directory: &Path, clock: &Stepped) -> (Fixture, Arc<AtomicU64>) {
    let source = MemorySource::new();
    let key = MasterKey::generate();
    let (mut parts, store) = parts(directory, Arc::new(clock.clone()), &source, &key).await;
    parts.options = narrow();
    let seconds = Arc::new(AtomicU64::new(0));
    let slow = Slow {
        memory: Arc::new(MemoryFactory::new(source.clone())),
        connector: None,
        clock: clock.clone(),
        seconds: Arc::clone(&seconds),
    };
    parts.systems = Systems::new([Arc::new(slow) as Arc<dyn Factory>]);
    let service = Service::open(parts).await.unwrap();
    let fixture = Fixture {
        service,
        store,
        source,
    };
    (fixture, seconds)
}

#[tokio::test]
async fn a_run_that_waits_before_it_asks_again_lets_others_work() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let (fixture, _) = open_narrow(directory.path(), &clock).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(fixture.connect(Schedule::OnDemand, false).await);
    }
    fixture.service.start(None).await.unwrap();
    // Both of its entities meet with it.
    for _ in 0..2 {
        let busy = Error::new(ErrorKind::Unavailable, "read: busy")
            .with_retry(Retry::After(Some(Duration::from_secs(60))));
        fixture.source.fail_next(busy);
    }
    let asked = fixture.source.requests().len();
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(ids[0], wanted).await.unwrap();
    until("the first run waits", async || {
        fixture.source.requests().len() == asked + 2
    })
    .await;
    fixture.service.start_sync(ids[1], wanted).await.unwrap();
    let ended = async |at: usize| {
        let runs = fixture.runs(ids[at]).await;
        runs.iter()
            .any(|run| matches!(run.finished, Some((_, Outcome::Complete))))
    };
    until("the second run ended", async || ended(1).await).await;
    assert!(!ended(0).await);
    clock.advance(60);
    until("the first run ended", async || ended(0).await).await;
    fixture.close().await;
}

/// Begins a run that stands in the room.
async fn stand_in_the_room(fixture: &Fixture, id: ConnectionId) {
    let asked = fixture.source.requests().len();
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(id, wanted).await.unwrap();
    until("the first run waits", async || {
        fixture.source.requests().len() > asked
    })
    .await;
}

#[tokio::test]
async fn a_run_that_waits_for_room_can_be_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let (fixture, seconds) = open_narrow(directory.path(), &clock).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fixture.connect(Schedule::OnDemand, false).await);
    }
    fixture.service.start(None).await.unwrap();
    seconds.store(60, Ordering::SeqCst);
    stand_in_the_room(&fixture, ids[0]).await;
    let request = async |at: usize| {
        let wanted = demand(Mode::Full);
        fixture.service.start_sync(ids[at], wanted).await.unwrap();
    };
    request(1).await;
    let mut looks = 0;
    until("the second stands in line", async || {
        looks += 1;
        looks > 10
    })
    .await;
    assert!(fixture.service.cancel_sync(ids[1]).await.unwrap());
    request(2).await;
    clock.advance(60);
    // Room is given in the order of asking: when the third had its turn, the second would have had it.
    until("the third run ended", async || {
        let runs = fixture.runs(ids[2]).await;
        runs.iter().any(|run| run.finished.is_some())
    })
    .await;
    assert!(fixture.runs(ids[1]).await.is_empty());
    assert!(!fixture.service.cancel_sync(ids[1]).await.unwrap());
    fixture.close().await;
}

#[tokio::test]
async fn a_run_that_somebody_waits_for_overtakes_those_by_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Stepped::new();
    let (fixture, seconds) = open_narrow(directory.path(), &clock).await;
    let first = fixture.connect(Schedule::OnDemand, false).await;
    let mut scheduled = Vec::new();
    for _ in 0..3 {
        let every = Schedule::Every(Duration::from_secs(60));
        scheduled.push(fixture.connect(every, false).await);
    }
    let asked_for = fixture.connect(Schedule::OnDemand, false).await;
    fixture.service.start(None).await.unwrap();
    seconds.store(100, Ordering::SeqCst);
    stand_in_the_room(&fixture, first).await;
    clock.advance(60);
    until("the others stand in line", async || {
        fixture.service.waiting_runs() == 3
    })
    .await;
    let wanted = demand(Mode::Full);
    fixture.service.start_sync(asked_for, wanted).await.unwrap();
    // One that stands in line already moves up when somebody asks for it.
    let moved_up = scheduled[2];
    fixture.service.start_sync(moved_up, wanted).await.unwrap();
    until("it stands in line", async || {
        fixture.service.waiting_runs() == 4
    })
    .await;
    clock.advance(40);
    let mut order = Vec::new();
    for (name, id) in [
        ("scheduled", scheduled[0]),
        ("scheduled", scheduled[1]),
        ("moved up", moved_up),
        ("asked for", asked_for),
    ] {
        until("it ran", async || !fixture.runs(id).await.is_empty()).await;
        order.push((fixture.runs(id).await[0].id, name));
    }
    order.sort();
    let names: Vec<&str> = order.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["moved up", "asked for", "scheduled", "scheduled"]);
    fixture.close().await;
}
