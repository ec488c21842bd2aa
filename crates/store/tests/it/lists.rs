//! What `RecordReader` promises.

use crate::fixture::{
    DocumentWriteExt, Fixture, Lane, Parts, Rows, STREAM, document_of, mapped, noon, second, stamp,
};
use chrono::NaiveDate;
use wrenchtime_connector::StreamName;
use wrenchtime_model::{ConnectionId, EventType, Facets, Resource, Timestamp};
use wrenchtime_service::storage::{
    ChangesQuery, GetQuery, ListOrder, ListQuery, Range, RecordFilter, RecordReader, StorageError,
    StoredRecord,
};
use wrenchtime_sync::{Outcome, RecordWrite, RunFinish, RunProgress, Storage};

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2031, 5, number).unwrap()
}

/// Work orders 1 to 6, each with every value of its number; 4 has no value at all, 5 is gone.
async fn work_orders<F: Fixture>(lane: &Lane<'_, F>, fixture: &F) {
    for number in 1..=6_u32 {
        fixture.clock().set(second(u64::from(number) * 10));
        let key = number.to_string();
        let mut write: RecordWrite = mapped(lane.id, Resource::WorkOrder, &key, "order");
        if number != 4 {
            let facets: &mut Facets = &mut write.record.facets;
            facets.status = Some(if number % 2 == 0 { "closed" } else { "open" }.to_owned());
            facets.asset_id = Some(lane.asset(if number < 3 { "a" } else { "b" }));
            facets.due_at = Some(stamp(number.into()));
            facets.completed_at = Some(stamp(u64::from(number) + 100));
            facets.order_date = Some(day(number));
            facets.delivery_date = Some(day(number + 10));
            write.record.remote_created_at = Some(stamp(u64::from(number) + 200));
            write.record.remote_modified_at = Some(stamp(u64::from(number) + 300));
        }
        lane.commit(vec![document_of(&key, "order", vec![write])])
            .await;
    }
    fixture.clock().set(second(70));
    let gone = document_of("5", "order", Vec::new()).deleted().seen_at(2);
    lane.commit(vec![gone]).await;
}

fn numbers(rows: &[StoredRecord]) -> Vec<String> {
    let mut keys: Vec<_> = rows.iter().map(|row| row.envelope().remote_id).collect();
    keys.sort_unstable();
    keys
}

fn between<T>(from: T, before: T) -> Range<T> {
    Range {
        from: Some(from),
        before: Some(before),
    }
}

/// What to filter by, and the keys of the orders that match.
type FilterCase = (fn(&mut RecordFilter), &'static [&'static str]);

pub(crate) async fn lists_are_filtered_by_every_value<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    work_orders(&lane, &fixture).await;
    let cases: Vec<FilterCase> = vec![
        (|_| {}, &["1", "2", "3", "4", "5", "6"]),
        (|f| f.modified = between(stamp(20), stamp(40)), &["2", "3"]),
        (|f| f.modified.from = Some(stamp(50)), &["5", "6"]),
        (|f| f.created.from = Some(stamp(50)), &["5", "6"]),
        (|f| f.created = between(stamp(10), stamp(20)), &["1"]),
        (|f| f.due = between(stamp(2), stamp(5)), &["2", "3"]),
        (|f| f.due.before = Some(stamp(3)), &["1", "2"]),
        (
            |f| f.completed = between(stamp(103), stamp(106)),
            &["3", "5"],
        ),
        (|f| f.remote_created.before = Some(stamp(203)), &["1", "2"]),
        (|f| f.remote_modified.from = Some(stamp(305)), &["5", "6"]),
        (|f| f.order_date = between(day(2), day(5)), &["2", "3"]),
        (|f| f.delivery_date.from = Some(day(15)), &["5", "6"]),
        (|f| f.status = vec!["open".to_owned()], &["1", "3", "5"]),
        (
            |f| f.status = vec!["open".to_owned(), "closed".to_owned()],
            &["1", "2", "3", "5", "6"],
        ),
        (|f| f.remote_id = Some("4".to_owned()), &["4"]),
        (|f| f.remote_id = Some("9".to_owned()), &[]),
    ];
    for (number, (set, expected)) in cases.into_iter().enumerate() {
        for order in [ListOrder::Creation(None), ListOrder::Sequence(None)] {
            let mut query = lane.query(Resource::WorkOrder);
            query.order = order;
            set(&mut query.filter);
            let found = lane.store.list(&query).await.unwrap();
            assert_eq!(numbers(&found.rows()), expected, "case {number}, {order:?}");
            query.include_deleted = false;
            let live: Vec<_> = expected.iter().copied().filter(|key| *key != "5").collect();
            let found = lane.store.list(&query).await.unwrap();
            assert_eq!(
                numbers(&found.rows()),
                live,
                "case {number} without tombstones, {order:?}"
            );
        }
    }
}

pub(crate) async fn filters_hold_together<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    work_orders(&lane, &fixture).await;
    let mut query = lane.query(Resource::WorkOrder);
    query.filter.asset_id = Some(lane.asset("a"));
    assert_eq!(
        numbers(&lane.store.list(&query).await.unwrap().rows()),
        ["1", "2"]
    );
    query.filter.status = vec!["open".to_owned()];
    assert_eq!(
        numbers(&lane.store.list(&query).await.unwrap().rows()),
        ["1"]
    );
    let assets = lane.query(Resource::Asset);
    assert!(lane.store.list(&assets).await.unwrap().rows().is_empty());
    let unknown = ListQuery {
        connection: ConnectionId::new(),
        ..assets
    };
    let refused = lane.store.list(&unknown).await;
    assert!(matches!(refused, Err(StorageError::NoConnection(_))));
}

async fn walk<F: Fixture>(lane: &Lane<'_, F>, mut query: ListQuery) -> Vec<StoredRecord> {
    let mut rows = Vec::new();
    loop {
        let page = lane.store.list(&query).await.unwrap();
        assert!(page.rows().len() <= usize::try_from(query.limit).unwrap());
        rows.extend(page.rows());
        let Some(next) = page.next else {
            return rows;
        };
        query.order = next;
    }
}

pub(crate) async fn pages_of_a_list_hold_every_row_once<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    work_orders(&lane, &fixture).await;
    for limit in [1, 2, 3, 6, 7] {
        let mut query = lane.query(Resource::WorkOrder);
        query.limit = limit;
        let by_creation = walk(&lane, query.clone()).await;
        assert_eq!(by_creation.len(), 6);
        assert!(by_creation.is_sorted_by(|a, b| a.envelope().created_at < b.envelope().created_at));
        query.order = ListOrder::Sequence(None);
        let by_sequence = walk(&lane, query).await;
        let order: Vec<_> = by_sequence
            .iter()
            .map(|row| row.envelope().sequence)
            .collect();
        assert_eq!(order, [1, 2, 3, 4, 6, 7]);
    }
}

pub(crate) async fn raw_documents_come_on_request<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let mut query = lane.query(Resource::Asset);
    assert_eq!(lane.store.list(&query).await.unwrap().rows()[0].raw, None);
    query.include_raw = true;
    let raw = Some(r#"{"Key":"1","Name":"pump"}"#.to_owned());
    let rows = lane.store.list(&query).await.unwrap().rows();
    assert_eq!(rows[0].raw, raw);
    let mut get = GetQuery {
        connection: lane.id,
        resource: Resource::Asset,
        id: lane.asset("1"),
        include_raw: true,
    };
    assert_eq!(lane.store.get(&get).await.unwrap().as_ref(), Some(&rows[0]));
    get.include_raw = false;
    assert_eq!(lane.store.get(&get).await.unwrap().unwrap().raw, None);
    get.resource = Resource::Location;
    assert_eq!(lane.store.get(&get).await.unwrap(), None);
    get.resource = Resource::Asset;
    get.id = lane.asset("2");
    assert_eq!(lane.store.get(&get).await.unwrap(), None);
}

pub(crate) async fn the_change_feed_is_read_in_stretches<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump"), lane.document("2", "fan")])
        .await;
    let finish = RunFinish {
        run: lane.run,
        outcome: Outcome::Complete,
        finished_at: second(5),
        progress: RunProgress::default(),
    };
    lane.store.finish_run(&lane.fence, finish).await.unwrap();
    let mut query = ChangesQuery {
        connection: lane.id,
        after: 0,
        limit: 2,
        include_records: true,
    };
    let first = lane.store.changes(&query).await.unwrap();
    assert_eq!((first.head, first.more, first.entries.len()), (3, true, 2));
    assert_eq!(first.entries[1].1.as_ref(), Some(&lane.record("2").await));
    query.after = 2;
    let rest = lane.store.changes(&query).await.unwrap();
    assert_eq!((rest.head, rest.more, rest.epoch), (3, false, first.epoch));
    assert_eq!(
        rest.entries[0].0.body.event_type(),
        EventType::SyncCompleted
    );
    assert_eq!(rest.entries[0].1, None);
    query.after = 3;
    assert!(lane.store.changes(&query).await.unwrap().entries.is_empty());
    query.after = 0;
    query.include_records = false;
    let bare = lane.store.changes(&query).await.unwrap();
    assert!(bare.entries.iter().all(|(_, record)| record.is_none()));
    query.connection = ConnectionId::new();
    let refused = lane.store.changes(&query).await;
    assert!(matches!(refused, Err(StorageError::NoConnection(_))));
    let refused = lane.store.sync_snapshot(query.connection).await;
    assert!(matches!(refused, Err(StorageError::NoConnection(_))));
}

pub(crate) async fn a_list_tells_how_far_the_copy_is<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut query = lane.query(Resource::Asset);
    query.complete_when = vec![STREAM, StreamName::from_static("thing-other")];
    let page = lane.store.list(&query).await.unwrap();
    assert_eq!((page.head, page.complete), (Timestamp::from(noon()), false));
    for stream in query.complete_when.clone() {
        assert!(!lane.store.list(&query).await.unwrap().complete);
        let mut page = lane.page(vec![lane.document(stream.as_str(), "x")]);
        page.stream = stream;
        page.state.completed_at = Some(second(8));
        lane.store.commit(&lane.fence, page).await.unwrap();
    }
    let page = lane.store.list(&query).await.unwrap();
    assert!(page.complete);
    assert_eq!(page.head, lane.events().await[1].time);
    let snapshot = lane.store.sync_snapshot(lane.id).await.unwrap();
    assert_eq!(snapshot.head, page.head);
    assert_eq!(snapshot.completed[&STREAM], second(8));
    assert_eq!(snapshot.completed.len(), 2);
    assert_eq!(snapshot.records[&Resource::Asset].live, 2);
}
