//! A source, a store and an engine in one hand, and what must hold between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;
use serde_json::value::to_raw_value;
use wrenchtime_connector::{
    Clock, Connector, Document, ManualClock, MapError, Mapped, Mapper, Precision, Yields,
};
use wrenchtime_model::{
    ConnectionId, EventBody, EventType, IdentityClass, RecordChange, RecordId, Resource,
};
use wrenchtime_sync::{
    Decision, Engine, EngineOptions, MemoryStorage, Mode, RunError, RunReport, RunRequest, Storage,
    StreamState, Suspicion,
};

use crate::source::{Op, Row, Shape, Source};

/// Turns `v` and `c` of a row into a record, and `noise` into nothing.
#[derive(Debug)]
pub(crate) struct TestMapper {
    pub(crate) version: &'static str,
    /// Rows with this value cannot be mapped.
    pub(crate) refuses: Option<u32>,
}

impl Mapper for TestMapper {
    fn version(&self) -> &str {
        self.version
    }

    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        let body: BTreeMap<String, u32> = serde_json::from_str(document.body.get()).unwrap();
        if self.refuses == Some(body["v"]) {
            let reason = "the value is refused".to_owned();
            return Err(MapError { reason });
        }
        let (resource, content) = meaning(body["v"], body["c"]);
        let class = IdentityClass::new(document.entity.as_str());
        let id = RecordId::derive(connection, &class, document.key.as_str());
        let content = to_raw_value(&content).unwrap();
        Ok(vec![Mapped::new(
            id,
            resource,
            document.key.clone(),
            content,
        )])
    }
}

fn meaning(value: u32, child: u32) -> (Resource, serde_json::Value) {
    let resource = if value.is_multiple_of(5) {
        Resource::Location
    } else {
        Resource::Asset
    };
    (resource, json!({"name": format!("{value}/{child}")}))
}

pub(crate) struct World {
    pub(crate) source: Source,
    pub(crate) storage: Arc<MemoryStorage>,
    pub(crate) connection: ConnectionId,
    pub(crate) mapper: Arc<TestMapper>,
    pub(crate) clock: ManualClock,
    /// The look-back of its runs.
    pub(crate) since: Option<DateTime<Utc>>,
}

impl World {
    pub(crate) fn new(shape: Shape) -> Self {
        let clock = ManualClock::new("2031-05-01T12:00:00.417Z".parse().unwrap());
        Self {
            source: Source::new(shape, clock.clone()),
            storage: Arc::new(MemoryStorage::new(Arc::new(clock.clone()))),
            connection: ConnectionId::new(),
            mapper: Arc::new(TestMapper {
                version: "1",
                refuses: None,
            }),
            clock,
            since: None,
        }
    }

    /// A world whose first table holds this many rows, which nothing happened to for a while.
    pub(crate) fn with_rows(shape: Shape, rows: u32) -> Self {
        let world = Self::new(shape);
        for key in 0..rows {
            world.put(key, key + 1);
        }
        world.settle();
        world
    }

    pub(crate) fn put(&self, key: u32, value: u32) {
        self.source.act(&Op::Put {
            key,
            value,
            delay: 0,
        });
    }

    /// Lets so much time pass that everything is visible and settled.
    pub(crate) fn settle(&self) {
        let shape = &self.source.shape;
        let wait = shape.lag + 2 * shape.precision.step() + Duration::from_secs(2);
        self.clock.advance(wait);
    }

    pub(crate) fn request(&self, mode: Mode) -> RunRequest {
        let connector: Arc<dyn Connector> = Arc::new(self.source.clone());
        let mapper: Arc<dyn Mapper> = Arc::clone(&self.mapper) as Arc<dyn Mapper>;
        let mut request = RunRequest::new(self.connection, connector, mapper, mode);
        request.since = self.since;
        request
    }

    pub(crate) async fn send(&self, request: RunRequest) -> Result<RunReport, RunError> {
        let storage: Arc<dyn Storage> = Arc::clone(&self.storage) as Arc<dyn Storage>;
        let clock = Arc::new(self.clock.clone());
        let engine = Engine::new(storage, clock, EngineOptions::default());
        engine.run(request).await
    }

    pub(crate) async fn run(&self, mode: Mode) -> Result<RunReport, RunError> {
        self.send(self.request(mode)).await
    }

    /// Runs on demand: what changed, and listings.
    pub(crate) async fn run_all(&self) -> Result<RunReport, RunError> {
        let mut request = self.request(Mode::Incremental);
        request.include_listings = true;
        request.asked_at = Some(self.clock.now());
        self.send(request).await
    }

    /// Returns what stands against streams.
    pub(crate) async fn suspicions(&self) -> Vec<Suspicion> {
        self.storage.suspicions(self.connection).await.unwrap()
    }

    /// Decides all that stands.
    pub(crate) async fn decide(&self, decision: Decision) {
        for suspicion in self.suspicions().await {
            let storage = &self.storage;
            let decided = storage.decide(self.connection, suspicion.id, decision);
            assert!(decided.is_some());
        }
    }

    /// Reads everything until the copy is as the source, confirming whatever is suspect.
    pub(crate) async fn accept_all(&self, mode: Mode) -> RunReport {
        // The first may have to read what a killed one left, and only the next one proves anything.
        for _ in 0..2 {
            self.send_all(mode).await;
        }
        self.decide(Decision::Confirm).await;
        self.send_all(mode).await
    }

    async fn send_all(&self, mode: Mode) -> RunReport {
        let mut request = self.request(mode);
        request.include_listings = true;
        self.send(request).await.unwrap()
    }

    /// Returns the live records of the first table by key.
    pub(crate) fn copy(&self) -> BTreeMap<u32, (Resource, String)> {
        let class = IdentityClass::new(self.source.shape.tables[0]);
        self.storage
            .records(self.connection)
            .into_iter()
            .filter(|record| !record.envelope.deleted)
            .filter(|record| {
                let key = &record.envelope.remote_id;
                record.envelope.id == RecordId::derive(self.connection, &class, key)
            })
            .map(|record| {
                let key = record.envelope.remote_id.parse().unwrap();
                (key, (record.resource, record.content.get().to_owned()))
            })
            .collect()
    }

    pub(crate) fn truth(&self) -> BTreeMap<u32, (Resource, String)> {
        let row = |(key, row): (u32, Row)| {
            let (resource, content) = meaning(row.value, row.child);
            (key, (resource, content.to_string()))
        };
        let rows = self.source.truth().into_iter();
        rows.filter(|(key, row)| self.is_within(*key, row))
            .map(row)
            .collect()
    }

    /// Tells whether a row may have changed since the look-back's instant.
    fn is_within(&self, key: u32, row: &Row) -> bool {
        let step = self.source.shape.precision.step();
        let changed = self.source.change_time(key, row);
        let dated = changed.filter(|_| !self.source.shape.undated_listing);
        self.since
            .zip(dated)
            .is_none_or(|(since, changed)| changed.at + step > since)
    }

    /// The copy is the truth, and the feed tells exactly how it came to be.
    #[track_caller]
    pub(crate) fn assert_true(&self) {
        assert_eq!(self.copy(), self.truth(), "the copy is not the truth");
        self.assert_feed();
    }

    /// Who replays the feed has the copy: nothing is told twice, nothing is left out.
    #[track_caller]
    pub(crate) fn assert_feed(&self) {
        let mut live: BTreeMap<RecordId, Resource> = BTreeMap::new();
        let mut last = 0;
        for event in self.storage.events(self.connection) {
            assert!(event.sequence > last, "sequences rise");
            last = event.sequence;
            let EventBody::Record {
                change,
                resource,
                record_id,
                ..
            } = event.body
            else {
                continue;
            };
            let before = match change {
                RecordChange::Created => live.insert(record_id, resource),
                RecordChange::Updated => {
                    let known = live.get(&record_id).copied();
                    assert_eq!(known, Some(resource), "what is updated was there");
                    None
                }
                RecordChange::Deleted => {
                    let known = live.remove(&record_id);
                    assert_eq!(known, Some(resource), "what is deleted was there");
                    None
                }
            };
            assert_eq!(before, None, "what is created was not there");
        }
        let records = self.storage.records(self.connection);
        let stored: BTreeMap<RecordId, Resource> = records
            .into_iter()
            .filter(|record| !record.envelope.deleted)
            .map(|record| (record.envelope.id, record.resource))
            .collect();
        assert_eq!(live, stored, "the feed replayed is not the copy");
    }

    pub(crate) async fn state(&self, stream: &str) -> StreamState {
        let states = self.storage.stream_states(self.connection).await.unwrap();
        let found = states.into_iter().find(|(name, _)| name.as_str() == stream);
        found.map(|(_, state)| state).unwrap_or_default()
    }

    pub(crate) fn lifecycle(&self) -> Vec<(EventType, serde_json::Value)> {
        let events = self.storage.events(self.connection).into_iter();
        events
            .filter_map(|event| match event.body {
                EventBody::Lifecycle { event, data } => Some((event, data)),
                EventBody::Record { .. } => None,
            })
            .collect()
    }
}

/// Runs a property's future to its end.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// So many cases where nothing else is asked for; `PROPTEST_CASES` raises all in proportion to its default of 256.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: (usual.cases * cases / 256).max(1),
        failure_persistence: None,
        ..usual
    }
}

/// Which things may happen in a history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    pub(crate) late: bool,
    pub(crate) children: bool,
    pub(crate) future: bool,
    pub(crate) flags: bool,
    pub(crate) removals: bool,
}

pub(crate) const ALL: Life = Life {
    late: true,
    children: true,
    future: true,
    flags: true,
    removals: true,
};

pub(crate) fn op(life: Life) -> BoxedStrategy<Op> {
    let key = 0..24_u32;
    let delay = if life.late { 0..30_u32 } else { 0..1 };
    let put = (key.clone(), 0..40_u32, delay).prop_map(|(key, value, delay)| Op::Put {
        key,
        value,
        delay,
    });
    let mut ops = vec![
        (8, put.boxed()),
        (3, (0..120_u32).prop_map(Op::Wait).boxed()),
    ];
    if life.children {
        let child = (key.clone(), 0..9_u32).prop_map(|(key, child)| Op::Child { key, child });
        ops.push((2, child.boxed()));
    }
    if life.future {
        let future = (key.clone(), 0..40_u32).prop_map(|(key, value)| Op::Future { key, value });
        ops.push((1, future.boxed()));
    }
    if life.flags {
        ops.push((2, key.clone().prop_map(|key| Op::Flag { key }).boxed()));
    }
    if life.removals {
        ops.push((2, key.prop_map(|key| Op::Remove { key }).boxed()));
    }
    proptest::strategy::Union::new_weighted(ops).boxed()
}

/// What happens before each of some requests.
pub(crate) fn script(life: Life, requests: usize) -> BoxedStrategy<Vec<Vec<Op>>> {
    let before_one = proptest::collection::vec(op(life), 0..4);
    proptest::collection::vec(before_one, 0..requests).boxed()
}

pub(crate) fn shape() -> BoxedStrategy<Shape> {
    let yields = || prop_oneof![Just(Yields::Documents), Just(Yields::Stubs)];
    let precision = prop_oneof![
        Just(Precision::Millisecond),
        Just(Precision::Second),
        Just(Precision::Minute)
    ];
    let flags = proptest::array::uniform4(any::<bool>());
    (yields(), yields(), precision, 1..6_u32, -90..90_i64, flags)
        .prop_map(|(changes, listing, precision, page, skew, flags)| {
            let [changes_sorted, listing_sorted, short_pages, token] = flags;
            Shape {
                precision,
                page,
                changes: Some(changes),
                changes_sorted,
                listing,
                listing_sorted,
                token,
                skew: chrono::TimeDelta::seconds(skew),
                short_pages,
                ..Shape::default()
            }
        })
        .boxed()
}
