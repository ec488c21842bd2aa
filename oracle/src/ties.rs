//! As many rows as one likes that all changed at one instant: read to the end, in constant memory, with a small checkpoint,
//! without telling anything twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;
use serde_json::value::to_raw_value;
use wrenchtime_connector::{
    Account, Bound, ChangeTime, Clock, Connector, ConnectorInfo, Context, Deletes, Document,
    EntityInfo, EntityName, Error, ErrorKind, Items, KeyOrder, MapError, Mapped, Mapper, Next,
    Page, PageRequest, Precision, RemoteKey, Role, StreamInfo, StreamName, SystemName,
};
use wrenchtime_model::{ConnectionId, IdentityClass, RecordId, Resource};
use wrenchtime_sync::{Engine, EngineOptions, Mode, Outcome, RunReport, RunRequest, StreamState};
use wrenchtime_transport::paging::{
    KeysetPosition, More, Order, Taken, Window, cursor_next, keyset_next,
};

use crate::clock::LabClock;
use crate::store::{Store, StoreKind};

/// How late rows may become visible.
const LAG: Duration = Duration::from_secs(30);
/// Rows of a page.
const PAGE: u32 = 1_000;
/// With so many rows the caches of a database are as full as they get. What fills them later is no growth.
const FILLING: u64 = 60_000;
/// How many bytes a checkpoint may have.
const CHECKPOINT: usize = 4 * 1024;
const CLASS: &str = "work_order";

/// How the rows are paged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// By time and key.
    Keyset,
    /// By a cursor of the source.
    Cursor,
    /// By how many rows stand before.
    Offset,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Keyset => "time and key",
            Self::Cursor => "cursor",
            Self::Offset => "offset",
        }
    }
}

/// What the reading of ties came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Ties {
    /// Requests for pages.
    pub requests: u64,
    /// The largest checkpoint, in bytes.
    pub checkpoint: usize,
    /// How many rows were read by every way before the growth is counted.
    pub before: u64,
    /// By how many bytes the most memory that the process ever held grew behind those.
    pub grown: u64,
}

/// A source of rows that are made when they are asked for.
#[derive(Debug)]
struct Source {
    info: ConnectorInfo,
    way: Way,
    rows: u64,
    at: DateTime<Utc>,
    clock: LabClock,
    requests: AtomicU64,
}

impl Source {
    fn new(way: Way, rows: u64, clock: LabClock) -> Self {
        let mut listing = StreamInfo::listing(StreamName::from_static("all"), PAGE);
        listing.dated = true;
        listing.deletes = Deletes::Absent;
        let name = StreamName::from_static("changes");
        let mut changes = StreamInfo::changes(name, PAGE, Precision::Second, LAG);
        changes.sorted = way != Way::Offset;
        let name = EntityName::from_static("orders");
        let class = IdentityClass::new(CLASS);
        let mut entity = EntityInfo::new(name, vec![Resource::WorkOrder], class);
        entity.key_order = KeyOrder::Numeric;
        entity.streams = vec![changes, listing];
        let mut info = ConnectorInfo::new(SystemName::from_static("ties"), "Ties");
        info.entities = vec![entity];
        Self {
            info,
            way,
            rows,
            // Not settled yet when it is first read.
            at: clock.now() - TimeDelta::seconds(10),
            clock,
            requests: AtomicU64::new(0),
        }
    }

    fn time(&self) -> String {
        self.at.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn document(&self, number: u64) -> Document {
        let body = json!({ "title": format!("Order {number}") });
        let body = to_raw_value(&body).expect("a JSON value can always be written");
        let key = RemoteKey::new(number.to_string());
        let text = self.time();
        let at = self.at;
        Document::new(EntityName::from_static("orders"), key, body)
            .with_changed_at(Some(ChangeTime { at, text }))
    }

    /// Returns the place of the first row to show, counted from 0, and of the one behind the last.
    fn range(&self, first: u64, limit: u64, role: Role, from: Option<&Bound>) -> (u64, u64) {
        let is_past = matches!(from, Some(Bound::Time { at, .. }) if *at > self.at);
        let rows = if role == Role::Changes && is_past {
            0
        } else {
            self.rows
        };
        (first.min(rows), (first + limit).min(rows))
    }

    fn window(&self, request: &PageRequest) -> wrenchtime_connector::Result<Page> {
        let window = match &request.cursor {
            Some(cursor) => Window::decode(cursor)?,
            None => Window::begin(None),
        };
        let slice = window.slice(u64::from(PAGE));
        let from = request.from.as_ref();
        let (first, end) = self.range(slice.start, slice.limit, Role::Changes, from);
        let keys: Vec<String> = (first..end).map(|at| (at + 1).to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let total = self.range(0, self.rows, Role::Changes, from).1;
        let order = Order::ByKey(KeyOrder::Numeric);
        let Taken { skip, next } = window.take(slice, &keys, order, More::Total(total))?;
        let skipped = u64::try_from(skip).unwrap_or(u64::MAX);
        Ok(self.page((first.saturating_add(skipped), end), next))
    }

    fn follow(&self, request: &PageRequest, role: Role) -> wrenchtime_connector::Result<Page> {
        let by_cursor = self.way == Way::Cursor && role == Role::Changes;
        let before = request.cursor.as_ref();
        let first: u64 = match before {
            None => 0,
            Some(cursor) if by_cursor => number(cursor.as_str())?,
            Some(cursor) => number(&KeysetPosition::decode(cursor)?.key)?,
        };
        let (first, end) = self.range(first, u64::from(PAGE), role, request.from.as_ref());
        let rows = usize::try_from(end - first).unwrap_or(usize::MAX);
        let next = if by_cursor {
            let told = (rows > 0).then(|| end.to_string());
            cursor_next(before, told.as_deref())?
        } else {
            let time = (role == Role::Changes).then(|| self.time());
            let last = (rows > 0).then(|| KeysetPosition::new(time, end.to_string()));
            keyset_next(before, last.as_ref(), rows, 1)?
        };
        Ok(self.page((first, end), next))
    }

    fn page(&self, (first, end): (u64, u64), next: Next) -> Page {
        let rows = (first..end).map(|at| self.document(at + 1)).collect();
        Page::new(Items::Documents(rows), next).with_source_time(Some(self.clock.now()))
    }
}

fn number(text: &str) -> wrenchtime_connector::Result<u64> {
    text.parse().map_err(|_| {
        let message = "read a page: the cursor is none of this source";
        Error::new(ErrorKind::Invalid, message)
    })
}

#[async_trait]
impl Connector for Source {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, _cx: &Context) -> wrenchtime_connector::Result<Account> {
        Ok(Account::new("ties", "Ties"))
    }

    async fn read_page(
        &self,
        _cx: &Context,
        request: PageRequest,
    ) -> wrenchtime_connector::Result<Page> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match request.stream.as_str() {
            "all" => self.follow(&request, Role::Listing),
            _ if self.way == Way::Offset => self.window(&request),
            _ => self.follow(&request, Role::Changes),
        }
    }

    async fn fetch(
        &self,
        _cx: &Context,
        _entity: &EntityName,
        _keys: &[RemoteKey],
    ) -> wrenchtime_connector::Result<Vec<Document>> {
        let message = "fetch rows: the entity offers none by key";
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

/// Takes a row over as it is.
#[derive(Debug)]
struct AsItIs;

impl Mapper for AsItIs {
    fn version(&self) -> &'static str {
        "1"
    }

    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        let class = IdentityClass::new(CLASS);
        let id = RecordId::derive(connection, &class, document.key.as_str());
        let (key, content) = (document.key.clone(), document.body.clone());
        Ok(vec![Mapped::new(id, Resource::WorkOrder, key, content)])
    }
}

/// Reads so many rows with one change time by every way of paging, after a tenth of them, or as many as fill the caches of
/// a database. Tells of each way when it is read: how many rows, and which.
///
/// # Errors
/// When a store fails, a run does not end well, a change is told twice, a checkpoint is too large, or an idle source costs
/// more than a page once the lag has passed.
pub fn read_ties(rows: u64, kind: StoreKind, mut progress: impl FnMut(u64, &str)) -> Result<Ties> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let before = (rows / 10).max(FILLING.min(rows));
        let mut ties = Ties {
            before,
            ..Ties::default()
        };
        live_every_way((before, kind), &mut ties, &mut progress).await?;
        let held = peak()?;
        live_every_way((rows, kind), &mut ties, &mut progress).await?;
        ties.grown = peak()?.saturating_sub(held);
        Ok(ties)
    })
}

async fn live_every_way(
    (rows, kind): (u64, StoreKind),
    ties: &mut Ties,
    progress: &mut impl FnMut(u64, &str),
) -> Result<()> {
    for way in [Way::Keyset, Way::Cursor, Way::Offset] {
        live(way, rows, kind, ties)
            .await
            .with_context(|| format!("{rows} rows by {}", way.name()))?;
        progress(rows, way.name());
    }
    Ok(())
}

async fn live(way: Way, rows: u64, kind: StoreKind, ties: &mut Ties) -> Result<()> {
    let clock = LabClock::new("2031-05-01T12:00:00Z".parse()?);
    let store = Store::open(kind, Arc::new(clock.clone())).await?;
    let connection = ConnectionId::new();
    store.add(connection).await?;
    let source = Arc::new(Source::new(way, rows, clock.clone()));
    let options = EngineOptions::default();
    let engine = Engine::new(Arc::clone(&store.storage), Arc::new(clock.clone()), options);
    let mut run = async |mode| -> Result<(RunReport, u64)> {
        let before = source.requests.load(Ordering::Relaxed);
        let connector: Arc<dyn Connector> = Arc::<Source>::clone(&source);
        let request = RunRequest::new(connection, connector, Arc::new(AsItIs), mode);
        let mut progress = request.progress.subscribe();
        // On its own, for it may hold what looking at it takes.
        let engine = engine.clone();
        let running = tokio::spawn(async move { engine.run(request).await });
        while progress.changed().await.is_ok() {
            ties.checkpoint = ties.checkpoint.max(largest(&store, connection).await?);
        }
        let report = running.await??;
        ties.checkpoint = ties.checkpoint.max(largest(&store, connection).await?);
        ensure!(
            report.outcome == Outcome::Complete,
            "a run ended {:?}: {:?}",
            report.outcome,
            report.progress.faults
        );
        Ok((report, source.requests.load(Ordering::Relaxed) - before))
    };
    let (first, _) = run(Mode::Full).await?;
    ensure!(changes(&first) == rows, "{} rows arrived", changes(&first));
    for wait in [Duration::ZERO, 2 * LAG] {
        clock.advance(wait);
        let (again, _) = run(Mode::Incremental).await?;
        ensure!(
            changes(&again) == 0,
            "{} changes were told twice",
            changes(&again)
        );
    }
    let (idle, requests) = run(Mode::Incremental).await?;
    ensure!(changes(&idle) == 0, "an idle source changed");
    ensure!(requests <= 1, "{requests} pages of an idle source");
    ties.requests += source.requests.load(Ordering::Relaxed);
    ensure!(
        ties.checkpoint < CHECKPOINT,
        "a checkpoint has {} bytes",
        ties.checkpoint
    );
    // Only what a closed store held is free for the next one.
    drop(engine);
    store.close().await;
    Ok(())
}

fn changes(report: &RunReport) -> u64 {
    let counts = report.progress.resources.values();
    counts
        .map(|counts| counts.created + counts.changed + counts.deleted)
        .sum()
}

/// Returns the size of the largest checkpoint of a stream.
async fn largest(store: &Store, connection: ConnectionId) -> Result<usize> {
    let states = store.storage.stream_states(connection).await?;
    let size = |state: &StreamState| Ok(serde_json::to_string(state)?.len());
    let sizes: Result<Vec<usize>> = states.values().map(size).collect();
    Ok(sizes?.into_iter().max().unwrap_or_default())
}

/// Returns the most memory that the process has held, in bytes.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let Some(number) = line.and_then(|line| line.trim().strip_suffix("kB")) else {
        bail!("/proc/self/status tells no VmHWM");
    };
    Ok(number.trim().parse::<u64>()? * 1024)
}
