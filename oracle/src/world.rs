//! A history, lived through: source, connector, engine, store and clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{Connector, Mapper};
use wrenchtime_egress::{Policy, install_tls_provider};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{
    Engine, EngineOptions, Mode, Outcome, RunError, RunReport, RunRequest, StorageError,
    StreamState,
};
use wrenchtime_transport::{Runtime, RuntimeOptions};

use crate::case::Case;
use crate::clients::Clients;
use crate::clock::LabClock;
use crate::connector::{SourceConnector, entity_of};
use crate::meaning::{Mappings, Meaning};
use crate::source::{Planned, Server, Source};
use crate::step::{End, Run, Step};
use crate::store::{Store, StoreKind};
use crate::watched::{Break, Findings, Watch, WatchedConnector, WatchedStorage};
use crate::{Dice, Sabotage, judge};

/// So many histories share a file of a database.
const HISTORIES: u64 = 40;

/// What histories are lived through in, one after the other.
#[derive(Debug)]
pub(crate) struct Room {
    server: Server,
    transport: Runtime,
    clock: LabClock,
    kind: StoreKind,
    store: Option<Store>,
    histories: u64,
    sabotage: Option<Sabotage>,
}

impl Room {
    pub(crate) async fn open(kind: StoreKind, sabotage: Option<Sabotage>) -> Result<Self> {
        install_tls_provider();
        let clock = LabClock::new(chrono::DateTime::UNIX_EPOCH);
        let mut options = RuntimeOptions::new(Arc::new(clock.clone()));
        options.egress = Policy::allowing(["127.0.0.0/8".parse()?]);
        Ok(Self {
            server: Server::start().await.context("listen on the loopback")?,
            transport: Runtime::new(options)?,
            clock,
            kind,
            store: None,
            histories: 0,
            sabotage,
        })
    }

    /// Returns the store that histories are lived through on.
    pub(crate) fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Returns what the last history's source was asked and answered.
    pub(crate) fn log(&self) -> Vec<String> {
        self.server.with(|source| source.log().to_vec())
    }

    /// Lives through a history and judges it. Whatever went wrong is the error.
    pub(crate) async fn live(&mut self, case: &Case) -> Result<Tally> {
        self.clock.set(case.config.start);
        let source = Source::new(case.config.clone(), self.clock.clone());
        let base = self.server.show(source);
        self.histories += 1;
        let is_old = match self.kind {
            StoreKind::Memory => true,
            StoreKind::Sqlite => self.histories.is_multiple_of(HISTORIES),
            StoreKind::Postgres => false,
        };
        let store = match self.store.take().filter(|_| !is_old) {
            Some(store) => store,
            None => Store::open(self.kind, Arc::new(self.clock.clone())).await?,
        };
        let connection = ConnectionId::new();
        store.add(connection).await?;
        let connector =
            SourceConnector::new(&self.transport, base, case.config.clone(), self.sabotage);
        let mappings = Mappings::compile(connector.info())?;
        let clients = Clients::new(Arc::clone(&store.reader), connection);
        let mut world = World {
            server: self.server.clone(),
            clock: self.clock.clone(),
            connection,
            connector: Arc::new(connector),
            mapper: mappings.mapper(Meaning::default()),
            mappings,
            store: Some(store),
            clients: Arc::new(tokio::sync::Mutex::new(clients)),
            findings: Arc::default(),
            sabotage: self.sabotage,
            seed: case.seed,
            at_once: case.config.at_once,
            runs: 0,
            since: case.config.since(),
        };
        let lived = world.live(&case.steps).await;
        self.store = world.store.take();
        lived?;
        Ok(Tally {
            requests: self.server.with(|source| source.requests()),
            runs: world.runs,
        })
    }
}

/// What histories took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Tally {
    /// Requests to the source.
    pub requests: u64,
    /// Runs of the engine.
    pub runs: u64,
}

/// One history.
pub(crate) struct World {
    pub(crate) server: Server,
    clock: LabClock,
    pub(crate) connection: ConnectionId,
    connector: Arc<dyn Connector>,
    mapper: Arc<dyn Mapper>,
    mappings: Mappings,
    store: Option<Store>,
    pub(crate) clients: Arc<tokio::sync::Mutex<Clients>>,
    pub(crate) findings: Arc<Mutex<Findings>>,
    sabotage: Option<Sabotage>,
    seed: u64,
    /// How many tables are read side by side.
    at_once: usize,
    runs: u64,
    /// The look-back of its runs.
    since: Option<DateTime<Utc>>,
}

/// How a run is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) listings: bool,
    pub(crate) accept_deletes: bool,
    /// No listing becomes due by itself.
    pub(crate) changes_only: bool,
}

impl World {
    async fn live(&mut self, steps: &[Step]) -> Result<()> {
        for (number, step) in steps.iter().enumerate() {
            self.step(step)
                .await
                .and_then(|()| self.nothing_was_wrong())
                .with_context(|| format!("step {number}: {step:?}"))?;
        }
        judge::judge(self).await
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Now(op) => self.server.with(|source| source.apply(op)),
            Step::Later(after, op) => {
                let planned = Planned::Op(op.clone());
                self.server.with(|source| source.plan(*after, planned));
            }
            Step::Fault(after, times, fault) => self.server.with(|source| {
                for more in 0..*times {
                    source.plan(after + more, Planned::Fault(*fault));
                }
            }),
            Step::Remap(meaning) => self.remap(*meaning),
            Step::Wait(seconds) => self.wait(Duration::from_secs(u64::from(*seconds))),
            Step::Run(run) => self.run(run).await?,
            Step::Poll(times) => {
                let mut clients = self.clients.lock().await;
                for _ in 0..*times {
                    clients.step().await.map_err(|words| anyhow!(words))?;
                }
            }
            Step::Restart => {
                if let Some(store) = self.store.take() {
                    let store = store.reopen().await?;
                    let reader = Arc::clone(&store.reader);
                    self.clients.lock().await.turn_to(reader);
                    self.store = Some(store);
                }
            }
        }
        Ok(())
    }

    /// From the next run on, rows mean something else.
    pub(crate) fn remap(&mut self, meaning: Meaning) {
        self.mapper = self.mappings.mapper(meaning);
        self.server.with(|source| source.truth.remap(meaning));
    }

    pub(crate) fn wait(&self, duration: Duration) {
        self.clock.advance(duration);
        let now = wrenchtime_connector::Clock::now(&self.clock);
        self.server.with(|source| source.truth.pass(now));
    }

    pub(crate) fn nothing_was_wrong(&self) -> Result<()> {
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        match findings.wrongs.first() {
            Some(words) => bail!("{words}"),
            None => Ok(()),
        }
    }

    /// Returns where the streams stand.
    pub(crate) async fn states(
        &self,
    ) -> Result<std::collections::BTreeMap<wrenchtime_connector::StreamName, StreamState>> {
        let store = self.store.as_ref().context("the store is open")?;
        Ok(store.storage.stream_states(self.connection).await?)
    }

    fn watch(&self, break_at: Option<Break>) -> Arc<Watch> {
        let dice = Dice::new(self.seed ^ (self.runs << 48));
        let shared = (Arc::clone(&self.findings), dice);
        Watch::new(self.server.clone(), break_at, shared)
    }

    /// Runs once, undisturbed.
    pub(crate) async fn run_quietly(&mut self, ask: Ask) -> Result<RunReport> {
        if ask.accept_deletes {
            let store = self.store.as_ref().context("the store is open")?;
            store.confirm_all(self.connection).await?;
        }
        let watch = self.watch(None);
        let mut request = self.request(&watch, Mode::Incremental);
        request.include_listings = ask.listings;
        let engine = self.engine(&watch, ask)?;
        let report = engine.run(request).await?;
        self.nothing_was_wrong()?;
        self.no_drift(&report, ask.listings).await?;
        Ok(report)
    }

    async fn run(&mut self, run: &Run) -> Result<()> {
        let break_at = match run.end {
            End::KillAt(at) | End::Overtaken(at) => Some(at),
            End::Itself | End::Cancel(_) | End::Kill(_) => None,
        };
        let watch = self.watch(break_at);
        let mut request = self.request(&watch, run.mode);
        request.include_listings = run.listings;
        request.entities = run
            .only
            .filter(|table| *table < self.connector.info().entities.len())
            .map(|table| vec![entity_of(table)]);
        self.plan_end(run.end, &request.cancel);
        let engine = self.engine(&watch, Ask::default())?;
        let mut running = Box::pin(engine.run(request));
        let server = self.server.clone();
        // A kill that came too late in an earlier run.
        server.killed().now_or_never();
        let mut held = false;
        let ended = tokio::select! {
            biased;
            ended = &mut running => Some(ended),
            () = server.killed() => None,
            () = watch.broken.notified() => {
                held = matches!(run.end, End::Overtaken(_));
                if held {
                    self.server.with(Source::spare);
                    self.run_over().await?;
                    watch.release.notify_one();
                    Some(running.as_mut().await)
                } else {
                    None
                }
            }
        };
        drop(running);
        self.server.with(Source::spare);
        if let Some(Ok(report)) = &ended {
            let lists_all = run.only.is_none() && (run.listings || run.mode == Mode::Full);
            self.no_drift(report, lists_all).await?;
        }
        match ended {
            Some(ended) => acceptable(ended, held.then_some(break_at).flatten()),
            None => Ok(()),
        }
    }

    /// Checks that the streams of changes told all that they had to, where the source told no lie. A run that has listed all
    /// and left nothing out settles what rows could not be read before.
    async fn no_drift(&self, report: &RunReport, lists_all: bool) -> Result<()> {
        let resources = report.progress.resources.values();
        let drifted: u64 = resources.map(|counts| counts.drifted).sum();
        let lied = self.server.with(|source| {
            let tables = 0..source.truth.config().tables.len();
            let told = |table| [true, false].map(|listing| source.lied(table, listing));
            tables.flat_map(told).any(|lie| lie.is_some())
        });
        if drifted > 0 && !lied && drifted > self.came_unseen().await? {
            bail!("{drifted} rows drifted: {report:?}");
        }
        if lists_all && report.outcome == Outcome::Complete {
            self.server.with(Source::settle_unread);
        }
        Ok(())
    }

    /// Counts rows whose drift is nobody's fault. Some the copy has for the first time although they are old: no listing before
    /// met them, for they were not there, and when they came back their time stayed. Others a stream showed, and they could
    /// not be read then.
    async fn came_unseen(&self) -> Result<u64> {
        let clients = self.clients.lock().await;
        let entries = clients.entries().await.map_err(|words| anyhow!(words))?;
        let is_new = |place| entries.get(&judge::id_of(self, place)) == Some(&1);
        let count = self.server.with(|source| {
            let tables = 0..source.truth.config().tables.len();
            let rows = tables.flat_map(|table| {
                let rows = source.truth.rows(table);
                rows.map(move |(key, row)| ((table, key), row.returned))
            });
            rows.filter(|(place, returned)| {
                source.was_unread(*place) || *returned && is_new(*place)
            })
            .count()
        });
        Ok(count as u64)
    }

    /// Takes the connection over from a run that is held.
    async fn run_over(&mut self) -> Result<()> {
        let watch = self.watch(None);
        let request = self.request(&watch, Mode::Incremental);
        let engine = self.engine(&watch, Ask::default())?;
        acceptable(engine.run(request).await, None)
    }

    fn plan_end(&self, end: End, token: &CancellationToken) {
        let planned = match end {
            End::Cancel(at) => (at, Planned::Cancel(token.clone())),
            End::Kill(at) => (at, Planned::Kill),
            End::Itself | End::KillAt(_) | End::Overtaken(_) => return,
        };
        self.server.with(|source| source.plan(planned.0, planned.1));
    }

    fn request(&self, watch: &Arc<Watch>, mode: Mode) -> RunRequest {
        let connector = WatchedConnector {
            inner: Arc::clone(&self.connector),
            watch: Arc::clone(watch),
        };
        let mapper = Arc::clone(&self.mapper);
        let mut request = RunRequest::new(self.connection, Arc::new(connector), mapper, mode);
        request.since = self.since;
        request
    }

    /// From the next run on, all rows come in.
    pub(crate) fn look_back_without_end(&mut self) {
        self.since = None;
    }

    fn engine(&mut self, watch: &Arc<Watch>, ask: Ask) -> Result<Engine> {
        self.runs += 1;
        let store = self.store.as_ref().context("the store is open")?;
        let storage = WatchedStorage {
            inner: Arc::clone(&store.storage),
            watch: Arc::clone(watch),
            clients: Arc::clone(&self.clients),
            accepts_deletes: ask.accept_deletes,
            sabotage: self.sabotage,
        };
        let mut options = EngineOptions::default();
        options.entities_at_once = self.at_once;
        // How long a thread takes is chance.
        options.maps_in_place = true;
        if ask.changes_only {
            options.listing_interval = Duration::from_secs(3_650 * 86_400);
        }
        Ok(Engine::new(
            Arc::new(storage),
            Arc::new(self.clock.clone()),
            options,
        ))
    }
}

/// Tells whether a run may end like this in the middle of a history.
fn acceptable(ended: Result<RunReport, RunError>, overtaken: Option<Break>) -> Result<()> {
    match ended {
        Ok(_) if matches!(overtaken, Some(Break::Before(_))) => {
            bail!("a run that was overtaken before a write came to a good end")
        }
        Ok(_) | Err(RunError::Source { .. }) => Ok(()),
        Err(RunError::Fenced(_)) if overtaken.is_some() => Ok(()),
        Err(RunError::Storage(StorageError::Unavailable(source))) => bail!("{source}"),
        Err(other) => Err(other.into()),
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.runs += other.runs;
    }
}
