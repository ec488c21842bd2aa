//! What cannot be read or mapped is listed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use wrenchtime_connector::{ChangeTime, EntityName, RemoteKey, RowIssue};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{
    ConnectionStore, QuarantineId, QuarantinePosition, QuarantineQuery, QuarantineRetried,
    QuarantineRetry, QuarantinedRow, RecordReader, RowFault, StorageError,
};
use wrenchtime_sync::{Outcome, Storage, StreamState, UnmappedQuery};

use crate::fixture::{
    DocumentWriteExt, ENTITY, Fixture, Lane, STREAM, audit, finish, removal, second,
};

fn query(connection: ConnectionId, limit: u32) -> QuarantineQuery {
    QuarantineQuery {
        connection,
        listings: BTreeMap::from([(ENTITY, STREAM)]),
        after: None,
        limit,
    }
}

fn unreadable(key: Option<&str>, line: u32) -> RowIssue {
    let key = key.map(RemoteKey::new);
    RowIssue::new(key, format!("things.csv, line {line}"), "short")
}

/// Where each row stands, else its key and why it is not mapped.
fn told(rows: Vec<QuarantinedRow>) -> Vec<String> {
    let told = |row: QuarantinedRow| match row.fault {
        RowFault::Unreadable { place, .. } => place,
        RowFault::Unmapped { .. } => format!("{}: {}", row.key.unwrap(), row.reason),
    };
    rows.into_iter().map(told).collect()
}

async fn all<F: Fixture>(lane: &Lane<'_, F>) -> Vec<String> {
    told(
        lane.store
            .quarantine(&query(lane.id, 500))
            .await
            .unwrap()
            .rows,
    )
}

/// Writes a page of unreadable rows, which ends the listing at this second or leaves it as it is.
async fn meet<F: Fixture>(lane: &Lane<'_, F>, issues: Vec<RowIssue>, listed: Option<u64>) {
    let mut page = lane.page(Vec::new());
    page.issues = issues;
    page.state = StreamState {
        completed_at: listed.map(second),
        ..StreamState::default()
    };
    lane.store.commit(&lane.fence, page).await.unwrap();
}

async fn end<F: Fixture>(lane: &Lane<'_, F>, at: u64) {
    let mut finish = finish(lane.run, Outcome::Partial);
    finish.finished_at = second(at);
    lane.store.finish_run(&lane.fence, finish).await.unwrap();
}

pub(crate) async fn both_kinds_are_listed_in_pages<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let issues = [8, 12, 9].map(|line| unreadable(None, line));
    meet(&lane, issues.to_vec(), None).await;
    let bad = |key| lane.document(key, "x").quarantined("no name");
    lane.commit(vec![bad("7"), lane.document("1", "pump"), bad("3")])
        .await;
    let expected = [
        "things.csv, line 8",
        "things.csv, line 12",
        "things.csv, line 9",
        "7: no name",
        "3: no name",
    ];
    for limit in [1, 2, 3, 4, 5, 500] {
        let mut query = query(lane.id, limit);
        let mut rows = Vec::new();
        loop {
            let page = lane.store.quarantine(&query).await.unwrap();
            assert!(page.rows.len() <= usize::try_from(limit).unwrap());
            rows.extend(page.rows);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(told(rows), expected, "in pages of {limit}");
    }
    let first = lane.store.quarantine(&query(lane.id, 1)).await.unwrap();
    let row = &first.rows[0];
    assert_eq!(
        (&row.entity, &row.key, row.reason.as_str()),
        (&ENTITY, &None, "short")
    );
    assert!(matches!(row.fault, RowFault::Unreadable { run, .. } if run == lane.run));
    assert!(matches!(
        first.next,
        Some(QuarantinePosition::Unreadable(_))
    ));

    let other = Lane::begin(&fixture).await;
    assert_eq!(all(&other).await, [""; 0]);
    let unknown = lane.store.quarantine(&query(ConnectionId::new(), 1)).await;
    assert!(matches!(unknown, Err(StorageError::NoConnection(_))));
}

pub(crate) async fn what_was_mended_leaves_the_quarantine<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    meet(&lane, vec![unreadable(None, 8)], Some(10)).await;
    let bad = |key| lane.document(key, "x").quarantined("no name");
    lane.commit(vec![bad("1"), bad("2")]).await;
    assert_eq!(all(&lane).await.len(), 3);
    lane.commit(vec![lane.document("1", "pump").seen_at(2)])
        .await;
    let removal = removal(&lane, &["2"], 2);
    lane.store.remove(&lane.fence, removal).await.unwrap();
    assert_eq!(all(&lane).await, ["things.csv, line 8"]);
    end(&lane, 20).await;
    assert_eq!(all(&lane).await, ["things.csv, line 8"]);

    // A run that does not come to the end of the listing says nothing of the row.
    let next = Lane::go_on(&fixture, lane.id).await;
    meet(&next, Vec::new(), Some(10)).await;
    end(&next, 30).await;
    assert_eq!(all(&lane).await, ["things.csv, line 8"]);
    let last = Lane::go_on(&fixture, lane.id).await;
    meet(&last, vec![unreadable(None, 11)], Some(40)).await;
    assert_eq!(all(&lane).await, ["things.csv, line 11"]);
}

pub(crate) async fn a_row_that_several_runs_met_is_told_once<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    meet(
        &lane,
        vec![unreadable(Some("1"), 8), unreadable(None, 9)],
        None,
    )
    .await;
    end(&lane, 20).await;
    let next = Lane::go_on(&fixture, lane.id).await;
    for _ in 0..2 {
        meet(&next, vec![unreadable(Some("1"), 7)], None).await;
    }
    assert_eq!(
        all(&lane).await,
        ["things.csv, line 9", "things.csv, line 7"]
    );
    end(&next, 30).await;

    // Runs that meet nothing do not make the store forget.
    for number in 0..25 {
        let quiet = Lane::go_on(&fixture, lane.id).await;
        end(&quiet, 40 + number).await;
    }
    assert_eq!(all(&lane).await.len(), 2);
}

/// Returns the keys of documents that this version has not tried.
async fn untried<F: Fixture>(lane: &Lane<'_, F>, version: &str) -> Vec<String> {
    let query = UnmappedQuery {
        entities: vec![ENTITY],
        not_by: version.to_owned(),
        limit: 9,
    };
    let found = lane.store.unmapped(lane.id, query).await.unwrap();
    let mut keys: Vec<String> = found
        .iter()
        .map(|stored| stored.document.key.to_string())
        .collect();
    keys.sort();
    keys
}

async fn unread<F: Fixture>(lane: &Lane<'_, F>) -> Vec<String> {
    let rows = lane.store.unread(lane.id).await.unwrap();
    assert!(rows.iter().all(|(entity, _)| *entity == ENTITY));
    rows.iter().map(|(_, key)| key.to_string()).collect()
}

pub(crate) fn retry(connection: ConnectionId, row: Option<QuarantineId>) -> QuarantineRetry {
    QuarantineRetry {
        connection,
        row,
        listings: query(connection, 1).listings,
        rereads: BTreeSet::from([ENTITY]),
        audit: audit("quarantine.retried"),
    }
}

fn retried(mapped: u64, read: u64, waiting: u64) -> Option<QuarantineRetried> {
    Some(QuarantineRetried {
        mapped,
        read,
        waiting,
    })
}

pub(crate) async fn what_another_mapper_tried_is_to_be_mapped_again<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut first = lane.document("1", "x").quarantined("no name");
    first.document = first
        .document
        .with_version(Some("7".to_owned()))
        .with_changed_at(Some(ChangeTime {
            at: DateTime::from_timestamp(1_900_000_000, 0).unwrap(),
            text: "long ago".to_owned(),
        }));
    first.hash = first.document.hash();
    let gone = lane.document("3", "x").quarantined("no name");
    let second = lane.document("2", "x").quarantined("no name");
    lane.commit(vec![
        first.clone(),
        second,
        gone,
        lane.document("4", "pump"),
    ])
    .await;
    let removal = removal(&lane, &["3"], 2);
    lane.store.remove(&lane.fence, removal).await.unwrap();
    assert_eq!(untried(&lane, "v1").await, [""; 0]);
    for other in ["v0", "v2", ""] {
        assert_eq!(untried(&lane, other).await, ["1", "2"], "{other}");
    }
    let mut asked = UnmappedQuery {
        entities: vec![ENTITY],
        not_by: "v2".to_owned(),
        limit: 1,
    };
    let unmapped = async |asked: &UnmappedQuery| {
        let found = lane.store.unmapped(lane.id, asked.clone()).await;
        found.unwrap()
    };
    assert_eq!(unmapped(&asked).await.len(), 1);
    asked.limit = 9;
    let found = unmapped(&asked).await;
    let stored = found
        .iter()
        .find(|stored| stored.document.key.as_str() == "1")
        .unwrap();
    assert_eq!(stored.document.hash(), first.hash, "it is as it was read");
    assert_eq!((stored.hash, stored.observation), (first.hash, 1));
    assert_eq!(stored.sort_key, first.sort_key);
    asked.entities = vec![EntityName::from_static("Other")];
    assert!(unmapped(&asked).await.is_empty());

    // Mapped at last, with the observation of old.
    let outcome = lane.commit(vec![lane.document("1", "pump")]).await;
    assert_eq!(outcome.created.values().sum::<u64>(), 1);
    assert_eq!(untried(&lane, "v2").await, ["2"]);
    assert_eq!(all(&lane).await, ["2: no name"]);
}

pub(crate) async fn rows_that_were_asked_for_again_are_told_anew_or_not_at_all<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let issues = [Some("1"), Some("2"), Some("3"), None].map(|key| unreadable(key, 8));
    meet(&lane, issues.to_vec(), None).await;
    end(&lane, 20).await;
    let next = Lane::go_on(&fixture, lane.id).await;
    let all_again = next
        .store
        .retry_quarantine(retry(lane.id, None))
        .await
        .unwrap();
    assert_eq!(all_again, retried(0, 3, 1));
    assert_eq!(unread(&next).await, ["1", "2", "3"]);
    let mut page = next.page(vec![next.document("1", "pump")]);
    page.reread = ["1", "2"].map(RemoteKey::new).into();
    page.issues = vec![unreadable(Some("2"), 9)];
    next.store.commit(&next.fence, page).await.unwrap();
    assert_eq!(unread(&next).await, ["3"]);
    let told = all(&next).await;
    let line = |number| format!("things.csv, line {number}");
    assert_eq!(told, [line(8), line(8), line(9)]);
    let other = Lane::begin(&fixture).await;
    assert_eq!(unread(&other).await, [""; 0]);
}

pub(crate) async fn one_row_or_all_are_tried_again<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    meet(
        &lane,
        vec![unreadable(Some("7"), 8), unreadable(None, 9)],
        None,
    )
    .await;
    let bad = |key| lane.document(key, "x").quarantined("no name");
    lane.commit(vec![bad("1"), bad("2")]).await;
    let rows = lane
        .store
        .quarantine(&query(lane.id, 9))
        .await
        .unwrap()
        .rows;
    let ids: Vec<QuarantineId> = rows.iter().map(|row| row.id).collect();
    for id in &ids {
        assert_eq!(id.to_string().parse(), Ok(*id));
    }
    let body = |row: &QuarantinedRow| matches!(&row.fault, RowFault::Unmapped { body } if body.contains("Name"));
    assert!(body(&rows[2]) && body(&rows[3]));
    let expected = [
        (retried(0, 1, 0), &[][..], &["7"][..]),
        (retried(0, 0, 1), &[], &["7"]),
        (retried(1, 0, 0), &["1"], &["7"]),
        (retried(1, 0, 0), &["1", "2"], &["7"]),
    ];
    for (id, (counts, mapped, read)) in ids.iter().zip(expected) {
        let one = retry(lane.id, Some(*id));
        assert_eq!(
            lane.store.retry_quarantine(one).await.unwrap(),
            counts,
            "{id}"
        );
        assert_eq!(untried(&lane, "v1").await, mapped, "{id}");
        assert_eq!(unread(&lane).await, read, "{id}");
    }
    let all = retry(lane.id, None);
    assert_eq!(
        lane.store.retry_quarantine(all.clone()).await.unwrap(),
        retried(2, 1, 1)
    );
    let nothing_rereads = QuarantineRetry {
        rereads: BTreeSet::new(),
        ..all
    };
    let counts = lane.store.retry_quarantine(nothing_rereads).await.unwrap();
    assert_eq!(counts, retried(2, 0, 2));
}

pub(crate) async fn nothing_is_tried_again_that_is_not_in_quarantine<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![
        lane.document("1", "pump"),
        lane.document("2", "x").quarantined("no"),
    ])
    .await;
    let rows = lane
        .store
        .quarantine(&query(lane.id, 9))
        .await
        .unwrap()
        .rows;
    let only = rows[0].id;
    let other = Lane::begin(&fixture).await;
    for (connection, row) in [
        (lane.id, QuarantineId::Unmapped(999_999)),
        (lane.id, QuarantineId::Unreadable(999_999)),
        (other.id, QuarantineId::Unreadable(1)),
        (ConnectionId::new(), only),
    ] {
        let one = retry(connection, Some(row));
        assert_eq!(lane.store.retry_quarantine(one).await.unwrap(), None);
    }
    assert_eq!(untried(&lane, "v1").await, [""; 0]);
    let empty = other
        .store
        .retry_quarantine(retry(other.id, None))
        .await
        .unwrap();
    assert_eq!(empty, retried(0, 0, 0));
    lane.commit(vec![lane.document("2", "belt").seen_at(2)])
        .await;
    let mended = lane
        .store
        .retry_quarantine(retry(lane.id, Some(only)))
        .await
        .unwrap();
    assert_eq!(mended, None);
}

pub(crate) async fn rows_of_one_place_without_a_key_are_told_one_by_one<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let alike = |count| vec![unreadable(None, 8); count];
    meet(&lane, alike(3), None).await;
    assert_eq!(all(&lane).await.len(), 3);
    // The same page once more, as by a run that goes on after a crash.
    meet(&lane, alike(3), None).await;
    assert_eq!(all(&lane).await.len(), 3);
    end(&lane, 20).await;

    // A later run that meets one of them says nothing of the others.
    let next = Lane::go_on(&fixture, lane.id).await;
    meet(&next, alike(1), None).await;
    assert_eq!(all(&lane).await.len(), 3);
    end(&next, 30).await;
    assert_eq!(all(&lane).await.len(), 3);
}

pub(crate) async fn what_a_listing_met_stays_until_the_next_listing<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let key = |number: u32| unreadable(Some(&number.to_string()), number);
    meet(&lane, (1..=5).map(key).collect(), Some(10)).await;
    end(&lane, 20).await;
    let first = all(&lane).await;
    assert_eq!(first.len(), 5);
    // An unreadable row that changed last is met by every run that asks for changes.
    for number in 0..40 {
        let changes = Lane::go_on(&fixture, lane.id).await;
        meet(&changes, vec![key(5)], Some(10)).await;
        end(&changes, 30 + number).await;
    }
    assert_eq!(all(&lane).await, first);
    let listing = Lane::go_on(&fixture, lane.id).await;
    meet(&listing, vec![key(2)], Some(100)).await;
    end(&listing, 110).await;
    assert_eq!(all(&lane).await, ["things.csv, line 2"]);
}
