//! What `Storage::commit` promises of documents, records and events.

use crate::fixture::{
    DocumentWriteExt, Fixture, Lane, Parts, Rows, STREAM, document_of, mapped, noon, one,
    plus_micros, second, stamp,
};
use std::collections::BTreeMap;
use std::time::Duration;
use wrenchtime_connector::{Bound, Mapped, RowIssue, StreamName};
use wrenchtime_model::RecordChange::{Created, Deleted, Updated};
use wrenchtime_model::{EventBody, EventType, Resource};
use wrenchtime_service::storage::{ConnectionStore, ListOrder, RecordReader};
use wrenchtime_sync::{LifecycleEvent, PageOutcome, Storage, Written};

pub(crate) async fn a_page_is_stored_with_all_that_belongs_to_it<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut page = lane.page(vec![lane.document("1", "pump"), lane.document("2", "fan")]);
    page.documents[0].document.version = Some("v7".to_owned());
    page.initial = true;
    page.state.bound = Some(Bound::at(second(5)));
    page.progress.pages = 3;
    page.issues = vec![RowIssue::new(None, "things.csv, line 3", "no key")];
    let outcome = lane.store.commit(&lane.fence, page.clone()).await.unwrap();

    assert_eq!(outcome.created, BTreeMap::from([(Resource::Asset, 2)]));
    assert!(outcome.changed.is_empty() && outcome.deleted.is_empty() && outcome.stale == 0);
    let known = lane.known("1").await.unwrap();
    assert_eq!(known.version.as_deref(), Some("v7"));
    assert_eq!(known.hash, page.documents[0].hash);
    assert_eq!((known.mapped_by.as_str(), known.observation), ("v1", 1));
    assert_eq!(known.resources, [Resource::Asset]);
    let states = lane.store.stream_states(lane.id).await.unwrap();
    assert_eq!(states, BTreeMap::from([(STREAM, page.state)]));
    let run = lane.store.run(lane.id, lane.run).await.unwrap().unwrap();
    assert_eq!(run.progress.pages, 3);
    assert_eq!(run.progress.resources[&Resource::Asset].created, 2);
    let events = lane.events().await;
    assert_eq!(
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(
        matches!(events[0].body, EventBody::Record { change: Created, initial: true, record_id, .. }
        if record_id == lane.asset("1"))
    );
    let record = lane.record("2").await;
    assert_eq!(record.content(), r#"{"name":"fan"}"#);
    assert_eq!(
        (record.envelope().sequence, record.envelope().modified_at),
        (2, events[1].time)
    );
    assert_eq!(record.envelope().created_at, record.envelope().modified_at);
    assert_eq!(
        (
            record.envelope().remote_id.as_str(),
            record.envelope().deleted
        ),
        ("2", false)
    );
}

pub(crate) async fn what_did_not_change_is_silent_but_for_the_sources_times<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let before = lane.record("1").await;
    let mut again = lane.document("1", "pump").seen_at(2);
    let Written::Mapped { records, .. } = &mut again.written else {
        panic!("a mapped document");
    };
    records[0].record.remote_modified_at = Some(stamp(3));
    let outcome = lane.commit(vec![again]).await;

    assert_eq!(outcome.unchanged, one(Resource::Asset));
    assert!(outcome.created.is_empty() && outcome.changed.is_empty());
    assert_eq!(lane.changes().await.len(), 1);
    let mut expected = before.envelope();
    expected.remote_modified_at = Some(stamp(3));
    let after = lane.record("1").await;
    assert_eq!(after.envelope(), expected);
    assert_eq!(after.content(), before.content());
    assert_eq!(lane.known("1").await.unwrap().observation, 2);
}

pub(crate) async fn a_changed_record_moves_in_the_feed<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump"), lane.document("2", "fan")])
        .await;
    fixture.clock().advance(Duration::from_secs(9));
    let outcome = lane
        .commit(vec![lane.document("1", "big pump").seen_at(2)])
        .await;

    assert_eq!(outcome.changed, one(Resource::Asset));
    let record = lane.record("1").await;
    assert_eq!(record.content(), r#"{"name":"big pump"}"#);
    assert_eq!(record.envelope().sequence, 3);
    assert_eq!(record.envelope().created_at, plus_micros(stamp(0), 1));
    assert_eq!(record.envelope().modified_at, stamp(9));
    assert_eq!(
        lane.changes().await[2],
        (Updated, Resource::Asset, lane.asset("1"))
    );
}

pub(crate) async fn what_else_a_page_tells_stands_behind_its_records<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut page = lane.page(vec![lane.document("1", "pump")]);
    let told = LifecycleEvent {
        event: EventType::SystemError,
        data: serde_json::json!({"code": "suspect_run"}),
    };
    page.events = vec![told.clone(), told.clone()];
    lane.store.commit(&lane.fence, page).await.unwrap();
    lane.commit(vec![lane.document("2", "belt")]).await;
    let events = lane.events().await;
    let types: Vec<_> = events.iter().map(|event| event.body.event_type()).collect();
    let error = EventType::SystemError;
    assert_eq!(
        types,
        [
            EventType::RecordCreated,
            error,
            error,
            EventType::RecordCreated
        ]
    );
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert!(events.is_sorted_by(|a, b| a.time < b.time));
    assert!(matches!(&events[1].body, EventBody::Lifecycle { data, .. } if *data == told.data));
}

pub(crate) async fn both_orders_of_the_feed_agree<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "a"), lane.document("2", "a")])
        .await;
    fixture.clock().set(noon() - Duration::from_secs(3600));
    lane.commit(vec![lane.document("1", "b").seen_at(2)]).await;
    fixture.clock().set(second(3600));
    lane.commit(vec![lane.document("2", "b").seen_at(2)]).await;

    let events = lane.events().await;
    assert_eq!(
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(events.is_sorted_by(|a, b| a.time < b.time), "{events:?}");
    assert_eq!(events[3].time, stamp(3600));
}

pub(crate) async fn what_a_document_makes_no_more_is_gone<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let two = vec![
        mapped(lane.id, Resource::Asset, "1", "pump"),
        mapped(lane.id, Resource::Location, "1-place", "hall"),
    ];
    lane.commit(vec![document_of("1", "both", two)]).await;
    assert_eq!(
        lane.known("1").await.unwrap().resources,
        [Resource::Asset, Resource::Location]
    );
    let outcome = lane
        .commit(vec![lane.document("1", "pump").seen_at(2)])
        .await;

    assert_eq!(outcome.unchanged, one(Resource::Asset));
    assert_eq!(outcome.deleted, one(Resource::Location));
    let places = lane.records(Resource::Location).await;
    assert!(places[0].envelope().deleted);
    assert_eq!(places[0].content(), r#"{"name":"hall"}"#);
    assert_eq!(places[0].envelope().sequence, 3);
    assert_eq!(lane.known("1").await.unwrap().resources, [Resource::Asset]);
}

pub(crate) async fn a_deleted_document_leaves_tombstones_until_it_returns<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let first = lane.record("1").await.envelope();
    let outcome = lane
        .commit(vec![lane.document("1", "pump").deleted().seen_at(2)])
        .await;
    assert_eq!(outcome.deleted, one(Resource::Asset));
    assert!(lane.record("1").await.envelope().deleted);
    assert!(lane.known("1").await.unwrap().gone);
    let again = lane
        .commit(vec![lane.document("1", "pump").deleted().seen_at(3)])
        .await;
    assert!(again.deleted.is_empty());

    let outcome = lane
        .commit(vec![lane.document("1", "pump").seen_at(4)])
        .await;
    assert_eq!(outcome.created, one(Resource::Asset));
    let envelope = lane.record("1").await.envelope();
    assert!(!envelope.deleted);
    assert_eq!(
        (envelope.created_at, envelope.sequence),
        (first.created_at, 3)
    );
    assert!(!lane.known("1").await.unwrap().gone);
    let kinds: Vec<_> = lane
        .changes()
        .await
        .into_iter()
        .map(|told| told.0)
        .collect();
    assert_eq!(kinds, [Created, Deleted, Created]);
}

pub(crate) async fn another_resource_is_a_delete_and_a_create<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let place = vec![mapped(lane.id, Resource::Location, "1", "pump")];
    let outcome = lane
        .commit(vec![document_of("1", "pump", place).seen_at(2)])
        .await;

    assert_eq!(outcome.deleted, one(Resource::Asset));
    assert_eq!(outcome.created, one(Resource::Location));
    assert!(lane.record("1").await.envelope().deleted);
    let id = lane.asset("1");
    assert_eq!(
        lane.changes().await,
        [
            (Created, Resource::Asset, id),
            (Deleted, Resource::Asset, id),
            (Created, Resource::Location, id)
        ]
    );
}

pub(crate) async fn what_is_shown_is_what_lists_choose_by<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    // One page tells only another time of a record, and then that it is gone: another row makes it a place.
    let mut asset = mapped(lane.id, Resource::Asset, "1", "pump");
    asset.record.remote_modified_at = Some(stamp(3));
    let place = vec![mapped(lane.id, Resource::Location, "1", "pump")];
    let outcome = lane
        .commit(vec![
            document_of("1", "pump", vec![asset]).seen_at(2),
            document_of("2", "pump", place).seen_at(2),
        ])
        .await;
    assert_eq!(outcome.deleted, one(Resource::Asset));
    let envelope = lane.record("1").await.envelope();
    assert_eq!(
        (envelope.deleted, envelope.remote_modified_at),
        (true, Some(stamp(3)))
    );
    let mut query = lane.query(Resource::Asset);
    query.include_deleted = true;
    query.filter.remote_modified.from = Some(stamp(3));
    let found = lane.store.list(&query).await.unwrap().rows();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].envelope(), envelope);
}

pub(crate) async fn an_older_observation_is_left_out<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "new").seen_at(5)])
        .await;
    let outcome = lane
        .commit(vec![
            lane.document("1", "old").seen_at(4),
            lane.document("2", "fan").seen_at(4),
        ])
        .await;
    assert_eq!((outcome.stale, outcome.created), (1, one(Resource::Asset)));
    assert_eq!(lane.record("1").await.content(), r#"{"name":"new"}"#);
    assert_eq!(lane.known("1").await.unwrap().observation, 5);
    let outcome = lane
        .commit(vec![lane.document("1", "same request").seen_at(5)])
        .await;
    assert_eq!((outcome.stale, outcome.changed), (0, one(Resource::Asset)));
}

pub(crate) async fn quarantine_keeps_records_as_they_were<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let before = lane.record("1").await;
    let bad = lane
        .document("1", "broken")
        .seen_at(2)
        .quarantined("no name");
    let outcome = lane.commit(vec![bad]).await;

    assert_eq!(outcome, PageOutcome::default());
    assert_eq!(lane.record("1").await, before);
    let known = lane.known("1").await.unwrap();
    assert_eq!((known.mapped_by.as_str(), known.gone), ("", false));
    assert_eq!(known.resources, [Resource::Asset]);
    let snapshot = lane.store.sync_snapshot(lane.id).await.unwrap();
    assert_eq!(
        snapshot.quarantined,
        BTreeMap::from([("Thing".to_owned(), 1)])
    );

    lane.commit(vec![lane.document("1", "mended").seen_at(3)])
        .await;
    assert!(
        lane.store
            .sync_snapshot(lane.id)
            .await
            .unwrap()
            .quarantined
            .is_empty()
    );
    assert_eq!(lane.record("1").await.content(), r#"{"name":"mended"}"#);
}

pub(crate) async fn a_key_twice_on_a_page_counts_in_order<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let outcome = lane
        .commit(vec![
            lane.document("1", "a"),
            lane.document("1", "b"),
            lane.document("1", "b").deleted(),
            lane.document("2", "a").deleted(),
            lane.document("2", "a"),
        ])
        .await;
    assert_eq!(outcome.created, BTreeMap::from([(Resource::Asset, 2)]));
    assert_eq!(outcome.changed, one(Resource::Asset));
    assert_eq!(outcome.deleted, one(Resource::Asset));
    let record = lane.record("1").await;
    assert_eq!(
        (record.envelope().deleted, record.envelope().sequence),
        (true, 3)
    );
    assert_eq!(record.content(), r#"{"name":"b"}"#);
    assert!(!lane.record("2").await.envelope().deleted);
    let counts = lane.store.sync_snapshot(lane.id).await.unwrap().records[&Resource::Asset];
    assert_eq!((counts.live, counts.deleted), (1, 1));
}

pub(crate) async fn a_record_belongs_to_the_document_that_made_it_last<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let same = vec![mapped(lane.id, Resource::Asset, "1", "pump")];
    lane.commit(vec![document_of("other", "pump", same).seen_at(2)])
        .await;
    let outcome = lane
        .commit(vec![lane.document("1", "pump").deleted().seen_at(3)])
        .await;
    assert!(outcome.deleted.is_empty());
    assert!(!lane.record("1").await.envelope().deleted);
}

pub(crate) async fn facets_follow_the_record<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let with_status = |status: &str, by: &str, observation| {
        let mut record = mapped(lane.id, Resource::WorkOrder, "1", "same content");
        record.record = Mapped::new(
            record.record.id,
            Resource::WorkOrder,
            record.record.remote_key.clone(),
            record.record.content.clone(),
        );
        record.record.facets.status = Some(status.to_owned());
        let mut document = document_of("1", "x", vec![record]).seen_at(observation);
        if let Written::Mapped { by: version, .. } = &mut document.written {
            by.clone_into(version);
        }
        document
    };
    lane.commit(vec![with_status("open", "v1", 1)]).await;
    let mut query = lane.query(Resource::WorkOrder);
    query.filter.status = vec!["closed".to_owned()];
    query.order = ListOrder::Sequence(None);
    assert!(lane.store.list(&query).await.unwrap().rows().is_empty());
    // A newer mapper may read another facet out of the same content.
    let outcome = lane.commit(vec![with_status("closed", "v2", 2)]).await;
    assert_eq!(outcome.unchanged, one(Resource::WorkOrder));
    assert_eq!(lane.store.list(&query).await.unwrap().rows().len(), 1);
    let unknown = StreamName::from_static("unknown");
    query.complete_when = vec![unknown];
    assert!(!lane.store.list(&query).await.unwrap().complete);
}
