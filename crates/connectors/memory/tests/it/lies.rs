//! Each fact that a connector declares wrongly is found, whether it declares more than it does or less.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use wrenchtime_conformance::{Fault, Harness, Powers, promises};
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, CursorKind, Deletes, Document, EntityInfo,
    EntityName, KeyOrder, Mapper, Page, PageRequest, Precision, RemoteKey, Result, Role,
    StreamName, Yields,
};
use wrenchtime_memory::{MemorySource, default_entities};
use wrenchtime_model::{IdentityClass, Resource};

use crate::conformance::Memory;

/// Changes what is declared.
type Edit = fn(&mut Facts);
type Promise = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is declared of the entities: work orders, with changes and a listing, and assets, with a sweep.
struct Facts(Vec<EntityInfo>);

impl Facts {
    fn orders(&mut self) -> &mut EntityInfo {
        &mut self.0[0]
    }

    fn changes(&mut self) -> &mut wrenchtime_connector::StreamInfo {
        &mut self.0[0].streams[0]
    }

    fn listing(&mut self) -> &mut wrenchtime_connector::StreamInfo {
        &mut self.0[0].streams[1]
    }

    fn sweep(&mut self) -> &mut wrenchtime_connector::StreamInfo {
        &mut self.0[1].streams[0]
    }
}

#[derive(Clone, Copy)]
struct Lie {
    /// What the source is, where it is not the usual one.
    truth: Edit,
    /// What is said of it.
    said: Edit,
}

tokio::task_local! {
    static LIE: Lie;
}

#[derive(Debug)]
struct LyingConnector {
    inner: Arc<dyn Connector>,
    info: ConnectorInfo,
}

#[async_trait]
impl Connector for LyingConnector {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        self.inner.check(cx).await
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        self.inner.read_page(cx, request).await
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        self.inner.fetch(cx, entity, keys).await
    }
}

/// A source in memory, and a connector that says something else of it.
struct Lying(Memory);

#[async_trait]
impl Harness for Lying {
    async fn start() -> Self {
        let mut facts = Facts(default_entities());
        (LIE.get().truth)(&mut facts);
        let memory = Memory::over(MemorySource::with_entities(facts.0)).await;
        // No stream of changes shows this one.
        let order = json!({"number": "WO-0", "status": "open", "asset": "1"});
        memory.source.put("work_orders", "30", order, None);
        Self(memory)
    }

    fn powers(&self) -> Powers {
        self.0.powers()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        let inner = self.0.connector();
        let mut info = inner.info().clone();
        let mut facts = Facts(info.entities);
        (LIE.get().said)(&mut facts);
        info.entities = facts.0;
        Arc::new(LyingConnector { inner, info })
    }

    fn mapper(&self) -> Arc<dyn Mapper> {
        self.0.mapper()
    }

    fn canaries(&self) -> Vec<String> {
        self.0.canaries()
    }

    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.0.insert(entity).await
    }

    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.0.touch(entity).await
    }

    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.0.delete(entity).await
    }

    async fn tie(&self, entity: &EntityName, count: usize) -> Option<Vec<RemoteKey>> {
        self.0.tie(entity, count).await
    }

    async fn inject(&self, fault: Fault, times: u32) -> bool {
        self.0.inject(fault, times).await
    }

    fn requests(&self) -> u64 {
        self.0.requests()
    }
}

macro_rules! promise {
    ($name:ident) => {
        (stringify!($name), || Box::pin(promises::$name::<Lying>()))
    };
}

const AS_IT_IS: Edit = |_| {};

/// The lie in words, what the source is, what is said of it, and the promise that is broken.
const LIES: &[(&str, Edit, Edit, (&str, Promise))] = &[
    (
        "entity: a resource that no row becomes",
        AS_IT_IS,
        |said| said.orders().resources.push(Resource::Part),
        promise!(every_document_maps_to_declared_records),
    ),
    (
        "entity: not the resource that rows become",
        AS_IT_IS,
        |said| said.orders().resources = vec![Resource::Part],
        promise!(every_document_maps_to_declared_records),
    ),
    (
        "entity: the name space of another",
        AS_IT_IS,
        |said| said.orders().class = IdentityClass::new("asset"),
        promise!(every_document_maps_to_declared_records),
    ),
    (
        "entity: another order of keys",
        AS_IT_IS,
        |said| said.orders().key_order = KeyOrder::Numeric,
        promise!(items_stand_in_the_declared_order),
    ),
    (
        "entity: the other order of keys",
        |truth| truth.orders().key_order = KeyOrder::Numeric,
        |said| said.orders().key_order = KeyOrder::Text,
        promise!(items_stand_in_the_declared_order),
    ),
    (
        "entity: rows can be fetched, and cannot",
        |truth| truth.orders().fetch_limit = None,
        |said| said.orders().fetch_limit = Some(50),
        promise!(fetching_is_refused_without_a_request_where_it_is_not_declared),
    ),
    (
        "entity: rows cannot be fetched, and can",
        AS_IT_IS,
        |said| said.orders().fetch_limit = None,
        promise!(fetching_is_refused_without_a_request_where_it_is_not_declared),
    ),
    (
        "entity: more rows can be fetched at once than it is",
        AS_IT_IS,
        |said| said.orders().fetch_limit = Some(60),
        promise!(as_many_rows_are_fetched_as_declared),
    ),
    (
        "entity: joins what is not there",
        AS_IT_IS,
        |said| said.orders().joins = vec![EntityName::from_static("rooms")],
        promise!(declarations_are_sane),
    ),
    (
        "role: changes said to be every row",
        AS_IT_IS,
        |said| {
            said.changes().role = Role::Listing;
            said.changes().cursor = CursorKind::None;
            said.changes().sorted = false;
        },
        promise!(every_listing_shows_every_row),
    ),
    (
        "role: every row said to be changes",
        AS_IT_IS,
        |said| {
            said.listing().role = Role::Changes;
            said.listing().cursor = said.changes().cursor.clone();
        },
        promise!(a_bound_is_inclusive_and_leaves_out_what_is_older),
    ),
    (
        "yields: whole rows, and are stubs",
        AS_IT_IS,
        |said| said.sweep().yields = Yields::Documents,
        promise!(pages_hold_what_is_declared),
    ),
    (
        "yields: stubs, and are whole rows",
        AS_IT_IS,
        |said| said.listing().yields = Yields::Stubs,
        promise!(pages_hold_what_is_declared),
    ),
    (
        "cursor: finer than it is",
        |truth| truth.changes().cursor = by(Precision::Second),
        |said| said.changes().cursor = by(Precision::Millisecond),
        promise!(change_times_show_as_declared),
    ),
    (
        "cursor: coarser than it is",
        AS_IT_IS,
        |said| said.changes().cursor = by(Precision::Second),
        promise!(change_times_show_as_declared),
    ),
    (
        "cursor: finer than it is, by minutes",
        |truth| truth.changes().cursor = by(Precision::Minute),
        |said| said.changes().cursor = by(Precision::Second),
        promise!(change_times_show_as_declared),
    ),
    (
        "cursor: a token that is not given",
        AS_IT_IS,
        |said| said.listing().cursor = CursorKind::Token,
        promise!(a_token_tells_whether_anything_changed),
    ),
    (
        "cursor: none, and a token is given",
        |truth| truth.listing().cursor = CursorKind::Token,
        |said| said.listing().cursor = CursorKind::None,
        promise!(pages_hold_what_is_declared),
    ),
    (
        "sorted: a listing without an order",
        |truth| truth.listing().sorted = false,
        |said| said.listing().sorted = true,
        promise!(items_stand_in_the_declared_order),
    ),
    (
        "page limit: pages hold more",
        AS_IT_IS,
        |said| said.listing().page_limit = 3,
        promise!(pages_hold_what_is_declared),
    ),
    (
        "history: of a listing",
        AS_IT_IS,
        |said| said.listing().history = Some(Duration::from_secs(60)),
        promise!(declarations_are_sane),
    ),
    (
        "dated: and shows no time",
        |truth| truth.listing().dated = false,
        |said| said.listing().dated = true,
        promise!(change_times_show_as_declared),
    ),
    (
        "dated: not, and shows times",
        AS_IT_IS,
        |said| said.listing().dated = false,
        promise!(change_times_show_as_declared),
    ),
    (
        "deletes: never, and marks show",
        AS_IT_IS,
        |said| said.listing().deletes = Deletes::Never,
        promise!(a_delete_shows_as_declared),
    ),
    (
        "deletes: by absence, and rows stay with a mark",
        AS_IT_IS,
        |said| said.listing().deletes = Deletes::Absent,
        promise!(a_delete_shows_as_declared),
    ),
    (
        "deletes: by a mark, and rows are absent",
        |truth| truth.listing().deletes = Deletes::Absent,
        |said| said.listing().deletes = Deletes::Flagged,
        promise!(a_delete_shows_as_declared),
    ),
    (
        "deletes: changes tell of them, and do not",
        |truth| truth.changes().deletes = Deletes::Never,
        |said| said.changes().deletes = Deletes::Flagged,
        promise!(a_delete_shows_as_declared),
    ),
    (
        "unseen: a part without a name",
        AS_IT_IS,
        |said| said.sweep().unseen = vec![""],
        promise!(declarations_are_sane),
    ),
    (
        "names: two streams have one",
        AS_IT_IS,
        |said| said.sweep().name = StreamName::from_static("work_orders-all"),
        promise!(declarations_are_sane),
    ),
];

fn by(precision: Precision) -> CursorKind {
    CursorKind::Time {
        precision,
        lag: Duration::ZERO,
    }
}

/// Tells whether a promise is found broken.
async fn is_broken(lie: Lie, promise: Promise) -> bool {
    let outcome = tokio::spawn(LIE.scope(lie, promise())).await;
    outcome.is_err_and(|error| error.is_panic())
}

#[tokio::test]
async fn each_lie_is_found_and_each_truth_is_not() {
    for (words, truth, said, (name, promise)) in LIES {
        let lie = Lie {
            truth: *truth,
            said: *said,
        };
        assert!(
            is_broken(lie, *promise).await,
            "{words}: {name} did not find it"
        );
        // Where nothing is said but the truth, it is the same promise that holds.
        let truthful = Lie {
            truth: *truth,
            said: AS_IT_IS,
        };
        assert!(
            !is_broken(truthful, *promise).await,
            "{words}: {name} finds it where it is not"
        );
    }
}
