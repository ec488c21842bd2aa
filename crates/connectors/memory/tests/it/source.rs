use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use wrenchtime_connector::{
    Bound, Connector, Context, CursorKind, Deletes, Error, ErrorKind, Factory, Items, ManualClock,
    Next, Page, PageRequest, Precision, Settings, StreamName,
};
use wrenchtime_memory::{Asked, MemoryFactory, MemorySource, default_entities};

fn open(source: &MemorySource) -> Arc<dyn Connector> {
    let factory = MemoryFactory::new(source.clone());
    factory
        .connect(&Settings::new([("name", "Plant"), ("secret", "secret")]))
        .unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn all() -> PageRequest {
    PageRequest::new(StreamName::from_static("work_orders-all"))
}

fn changes() -> PageRequest {
    PageRequest::new(StreamName::from_static("work_orders-changes"))
}

async fn read(source: &MemorySource, request: PageRequest) -> Page {
    open(source)
        .read_page(&Context::new("test"), request)
        .await
        .unwrap()
}

fn keys(page: &Page) -> Vec<String> {
    match &page.items {
        Items::Documents(documents) => documents.iter().map(|row| row.key.to_string()).collect(),
        Items::Stubs(stubs) => stubs.iter().map(|row| row.key.to_string()).collect(),
    }
}

#[tokio::test]
async fn a_planned_failure_meets_one_request() {
    let source = MemorySource::new();
    source.fail_next(Error::new(
        ErrorKind::Unavailable,
        "answer: the source rests",
    ));
    let connector = open(&source);
    let refused = connector
        .read_page(&Context::new("test"), all())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(
        connector
            .read_page(&Context::new("test"), all())
            .await
            .is_ok()
    );
    assert_eq!(source.requests().len(), 2);
}

#[tokio::test]
async fn an_action_runs_before_its_request_is_answered() {
    let source = MemorySource::new();
    source.put("work_orders", "b", json!({}), None);
    source.put("work_orders", "c", json!({}), None);
    source.at_request(2, |source| source.put("work_orders", "a", json!({}), None));
    let first = read(&source, all().with_limit(Some(1))).await;
    let Next::Page(cursor) = first.next.clone() else {
        panic!("there is more: {first:?}")
    };
    let second = read(&source, all().with_cursor(Some(cursor))).await;
    assert_eq!(
        (keys(&first), keys(&second)),
        (vec!["b".to_owned()], vec!["c".to_owned()])
    );
    assert_eq!(source.rows("work_orders").len(), 3);
}

#[tokio::test]
async fn another_secret_ends_open_connectors() {
    let source = MemorySource::new();
    let connector = open(&source);
    source.set_secret("another");
    let refused = connector.check(&Context::new("test")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReauthorizationRequired);
    assert_eq!(source.requests(), [Asked::Check]);
}

#[tokio::test]
async fn a_quiet_edit_moves_neither_time_nor_version() {
    let source = MemorySource::new();
    source.put(
        "work_orders",
        "1",
        json!({"steps": []}),
        at("2031-05-05T08:00:00Z"),
    );
    let before = read(&source, all()).await;
    source.edit_quietly("work_orders", "1", json!({"steps": [{"id": "1"}]}));
    let after = read(&source, all()).await;
    let (Items::Documents(before), Items::Documents(after)) = (before.items, after.items) else {
        panic!("documents are declared");
    };
    assert_eq!(
        (&before[0].version, &before[0].changed_at),
        (&after[0].version, &after[0].changed_at)
    );
    assert_ne!(before[0].hash(), after[0].hash());
}

#[tokio::test]
async fn times_are_cut_to_the_declared_precision_and_bounds_too() {
    let mut entities = default_entities();
    entities[0].streams[0].cursor = CursorKind::Time {
        precision: Precision::Second,
        lag: Duration::from_secs(60),
    };
    let source = MemorySource::with_entities(entities);
    source.put(
        "work_orders",
        "early",
        json!({}),
        at("2031-05-05T07:59:59.999Z"),
    );
    source.put(
        "work_orders",
        "late",
        json!({}),
        at("2031-05-05T08:00:00.700Z"),
    );
    let bound = Bound::at(at("2031-05-05T08:00:00.900Z"));
    let page = read(&source, changes().with_from(Some(bound))).await;
    assert_eq!(keys(&page), ["late"]);
    let Items::Documents(documents) = page.items else {
        panic!("documents are declared")
    };
    assert_eq!(
        documents[0].changed_at.as_ref().unwrap().text,
        "2031-05-05T08:00:00Z"
    );
}

#[tokio::test]
async fn an_unsorted_listing_yields_rows_as_they_came() {
    let mut entities = default_entities();
    entities[0].streams[1].sorted = false;
    let source = MemorySource::with_entities(entities);
    for key in ["c", "a", "b"] {
        source.put("work_orders", key, json!({}), None);
    }
    source.put("work_orders", "c", json!({"number": "again"}), None);
    assert_eq!(keys(&read(&source, all()).await), ["c", "a", "b"]);
}

#[tokio::test]
async fn a_snapshot_says_when_nothing_changed() {
    let mut entities = default_entities();
    entities[0].streams[1].cursor = CursorKind::Token;
    let source = MemorySource::with_entities(entities);
    source.put("work_orders", "1", json!({}), None);
    let Next::End { token: Some(token) } = read(&source, all()).await.next else {
        panic!("a token is declared");
    };
    let again = all().with_from(Some(Bound::Token(token)));
    assert_eq!(read(&source, again.clone()).await.next, Next::Unchanged);
    source.remove("work_orders", "1");
    assert!(matches!(
        read(&source, again).await.next,
        Next::End { token: Some(_) }
    ));
}

#[tokio::test]
async fn a_row_without_time_is_in_no_stream_of_changes() {
    let source = MemorySource::new();
    source.put("work_orders", "1", json!({}), None);
    assert!(read(&source, changes()).await.items.is_empty());
    assert_eq!(read(&source, all()).await.items.len(), 1);
}

#[tokio::test]
async fn a_spoilt_row_is_told_and_the_others_arrive() {
    let source = MemorySource::new();
    source.put("work_orders", "1", json!({}), None);
    source.put("work_orders", "2", json!({}), None);
    source.spoil("work_orders", "1", "the row has no end");
    let page = read(&source, all()).await;
    assert_eq!((keys(&page), page.issues.len()), (vec!["2".to_owned()], 1));
    assert_eq!(page.issues[0].reason, "the row has no end");
}

#[tokio::test]
async fn a_source_that_hides_deleted_rows_shows_none() {
    let mut entities = default_entities();
    entities[0].streams[1].deletes = Deletes::Absent;
    let source = MemorySource::with_entities(entities);
    source.put("work_orders", "1", json!({}), None);
    source.flag_deleted("work_orders", "1", at("2031-05-05T08:00:00Z"));
    assert!(read(&source, all()).await.items.is_empty());
    assert_eq!(read(&source, changes()).await.items.len(), 1);
}

#[tokio::test]
async fn pages_tell_the_clock_they_were_given() {
    let source = MemorySource::new();
    assert_eq!(read(&source, all()).await.source_time, None);
    source.set_clock(Arc::new(ManualClock::new(at("2031-05-05T08:00:00Z"))));
    assert_eq!(
        read(&source, all()).await.source_time,
        Some(at("2031-05-05T08:00:00Z"))
    );
}

#[tokio::test]
async fn accounts_are_told_apart_by_name() {
    let (one, other) = (MemorySource::new(), MemorySource::new());
    other.set_identity("other");
    let factory = MemoryFactory::new(one).with_named("Other", other);
    let settings = Settings::new([("name", "Other"), ("secret", "secret")]);
    let account = factory
        .connect(&settings)
        .unwrap()
        .check(&Context::new("test"))
        .await
        .unwrap();
    assert_eq!(
        (account.identity.as_str(), account.display_name.as_str()),
        ("other", "Other")
    );
}
