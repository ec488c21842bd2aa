//! What `Storage` promises of stored rows, and of those that a listing did not show.

use crate::fixture::{
    DocumentWriteExt, ENTITY, Fixture, Lane, Parts, Rows, document_of, mapped, missing_keys, one,
    removal, sort_key,
};
use wrenchtime_connector::{RemoteKey, RowIssue};
use wrenchtime_model::RecordChange::Deleted;
use wrenchtime_model::Resource;
use wrenchtime_service::storage::{ConnectionStore, RecordFilter, RecordReader};
use wrenchtime_sync::{Absence, Marks, Removal, Storage, StoredRange};

pub(crate) async fn large_pages_and_odd_keys_are_stored<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let odd = ["", "'; --", "ü \u{1F600}", "a\u{0}b", "a\u{0}c", "%_\\\""];
    let keys: Vec<String> = (0..2_600)
        .map(|number| format!("{number:05}"))
        .chain(odd.map(str::to_owned))
        .collect();
    let documents = keys.iter().map(|key| lane.document(key, key)).collect();
    let mut page = lane.page(documents);
    page.marks = Marks::Seen(
        (0..20_000)
            .map(|number| sort_key(&number.to_string()))
            .collect(),
    );
    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
    assert_eq!(outcome.created[&Resource::Asset], 2_606);

    let documents = keys
        .iter()
        .map(|key| lane.document(key, key).seen_at(2))
        .collect();
    let outcome = lane.commit(documents).await;
    assert_eq!(outcome.unchanged[&Resource::Asset], 2_606);
    assert_eq!(lane.known("a\u{0}b").await.unwrap().key.as_str(), "a\u{0}b");
    let keys: Vec<_> = keys.iter().map(|key| sort_key(key)).collect();
    let known = lane.store.known(lane.id, &ENTITY, &keys).await.unwrap();
    assert_eq!(known.len(), 2_606);
    let gone = Removal {
        keys,
        ..removal(&lane, &[], 3)
    };
    let outcome = lane.store.remove(&lane.fence, gone).await.unwrap();
    assert_eq!(outcome.deleted[&Resource::Asset], 2_606);
}

/// Every text that a source may send, with what databases are known not to take.
pub(crate) async fn texts_of_any_length_and_character_are_stored<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let long = "ü\u{0}".repeat(20_000);
    for (number, text) in ["\u{0}", "a\u{0}\u{1}\u{2}", &long].into_iter().enumerate() {
        let mut write = mapped(lane.id, Resource::WorkOrder, text, text);
        write.record.facets.status = Some(text.to_owned());
        let mut document = document_of(text, text, vec![write]);
        document.document = document.document.with_version(Some(text.to_owned()));
        let issue = RowIssue::new(Some(RemoteKey::new(text)), text, text);
        let mut page = lane.page(vec![document]);
        page.issues = vec![issue];
        page.marks = Marks::Seen(vec![sort_key(text)]);
        lane.store.commit(&lane.fence, page).await.unwrap();

        let row = lane.known(text).await.unwrap();
        assert_eq!(
            (row.key.as_str(), row.version.as_deref()),
            (text, Some(text))
        );
        let mut query = lane.query(Resource::WorkOrder);
        query.filter.status = vec![text.to_owned()];
        let by_status = lane.store.list(&query).await.unwrap().rows();
        query.filter = RecordFilter::default();
        query.filter.remote_id = Some(text.to_owned());
        let by_key = lane.store.list(&query).await.unwrap().rows();
        assert_eq!(by_status, by_key);
        assert_eq!(by_key[0].envelope().remote_id, text, "case {number}");
        let name = serde_json::json!({ "name": text }).to_string();
        assert_eq!(by_key[0].content(), name);
    }
}

pub(crate) async fn long_keys_are_in_order_and_kept_apart<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let long = "k".repeat(3_000);
    let keys = [
        "k".repeat(500),
        format!("{long}a"),
        format!("{long}b"),
        format!("{long}b\u{0}"),
        format!("{long}ü"),
        "l".to_owned(),
    ];
    let documents = keys.iter().rev().map(|key| lane.document(key, key));
    lane.commit(documents.collect()).await;
    let all = StoredRange {
        entity: ENTITY,
        after: None,
        up_to: None,
        limit: 9,
    };
    let stored = lane.store.known_range(lane.id, all.clone()).await.unwrap();
    let found: Vec<_> = stored.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(found, keys);
    for (number, key) in keys.iter().enumerate() {
        let range = StoredRange {
            after: Some(sort_key(key)),
            ..all.clone()
        };
        let behind = lane.store.known_range(lane.id, range).await.unwrap();
        assert_eq!(behind, stored[number + 1..]);
        assert_eq!(lane.known(key).await.as_ref(), Some(&stored[number]));
    }
    // Only what is asked for, however alike it begins.
    let gone = removal(&lane, &[&keys[2]], 9);
    let outcome = lane.store.remove(&lane.fence, gone).await.unwrap();
    assert_eq!(outcome.deleted, one(Resource::Asset));
    let mut page = lane.page(Vec::new());
    page.marks = Marks::Seen([0, 1, 4, 5].map(|at| sort_key(&keys[at])).into());
    lane.store.commit(&lane.fence, page).await.unwrap();
    let absence = Absence {
        run: lane.run,
        entity: ENTITY,
        by_seen: true,
        observation: 9,
    };
    assert_eq!(missing_keys(&lane, &absence).await, [keys[3].clone()]);
}

pub(crate) async fn ranges_are_in_key_order_without_what_is_gone<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let documents = ["d", "a", "c", "b", "e"].map(|key| lane.document(key, key));
    lane.commit(documents.into()).await;
    lane.commit(vec![lane.document("b", "b").deleted().seen_at(2)])
        .await;
    let range = |after: Option<&str>, up_to: Option<&str>, limit| StoredRange {
        entity: ENTITY,
        after: after.map(sort_key),
        up_to: up_to.map(sort_key),
        limit,
    };
    let cases = [
        (range(None, None, 9), vec!["a", "c", "d", "e"]),
        (range(Some("a"), Some("d"), 9), vec!["c", "d"]),
        (range(Some("a"), None, 2), vec!["c", "d"]),
        (range(Some("e"), None, 9), vec![]),
    ];
    for (range, expected) in cases {
        let found = lane.store.known_range(lane.id, range).await.unwrap();
        let keys: Vec<_> = found.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, expected);
    }
    assert!(lane.known("b").await.unwrap().gone);
    assert_eq!(lane.known("z").await, None);
}

pub(crate) async fn absence_is_told_by_marks_of_either_kind<F: Fixture>() {
    for by_seen in [true, false] {
        let fixture = F::new().await;
        let lane = Lane::begin(&fixture).await;
        let documents = ["a", "b", "c", "d"].map(|key| lane.document(key, key));
        lane.commit(documents.into()).await;
        lane.commit(vec![lane.document("d", "read meanwhile").seen_at(8)])
            .await;
        let mut page = lane.page(Vec::new());
        page.marks = if by_seen {
            Marks::Seen(vec![sort_key("a")])
        } else {
            Marks::Absent(["b", "c", "d"].map(sort_key).into())
        };
        lane.store.commit(&lane.fence, page.clone()).await.unwrap();
        lane.store.commit(&lane.fence, page).await.unwrap();
        let mut absence = Absence {
            run: lane.run,
            entity: ENTITY,
            by_seen,
            observation: 7,
        };
        assert_eq!(missing_keys(&lane, &absence).await, ["b", "c"]);
        let counts = lane.store.count_missing(lane.id, &absence).await.unwrap();
        assert_eq!(counts, (2, 4));
        let after = sort_key("b");
        let rest = lane
            .store
            .missing(lane.id, &absence, Some(&after), 9)
            .await
            .unwrap();
        assert_eq!(rest.len(), 1);
        let first = lane
            .store
            .missing(lane.id, &absence, None, 1)
            .await
            .unwrap();
        assert_eq!(first[0].key.as_str(), "b");
        absence.observation = 8;
        assert_eq!(missing_keys(&lane, &absence).await, ["b", "c", "d"]);
    }
}

pub(crate) async fn removal_spares_what_was_read_later<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![
        lane.document("a", "a"),
        lane.document("b", "b").seen_at(8),
    ])
    .await;
    let gone = removal(&lane, &["a", "b", "never seen"], 7);
    let outcome = lane.store.remove(&lane.fence, gone.clone()).await.unwrap();

    assert_eq!(outcome.deleted, one(Resource::Asset));
    assert!(lane.known("a").await.unwrap().gone);
    assert!(!lane.known("b").await.unwrap().gone);
    assert!(lane.record("a").await.envelope().deleted);
    assert_eq!(
        lane.changes().await[2],
        (Deleted, Resource::Asset, lane.asset("a"))
    );
    let run = lane.store.run(lane.id, lane.run).await.unwrap().unwrap();
    assert_eq!(run.progress.resources[&Resource::Asset].deleted, 1);

    let again = lane.store.remove(&lane.fence, gone).await.unwrap();
    assert!(again.deleted.is_empty());
    let outcome = lane
        .commit(vec![lane.document("a", "late answer").seen_at(6)])
        .await;
    assert_eq!(outcome.stale, 1);
    let outcome = lane
        .commit(vec![lane.document("a", "back").seen_at(9)])
        .await;
    assert_eq!(outcome.created, one(Resource::Asset));
}
