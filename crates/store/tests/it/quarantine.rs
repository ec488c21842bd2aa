//! What cannot be read or mapped is listed.

use std::collections::BTreeMap;

use wrenchtime_connector::{RemoteKey, RowIssue};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{
    QuarantinePosition, QuarantineQuery, QuarantinedRow, RecordReader, RowFault, StorageError,
};
use wrenchtime_sync::{Outcome, Storage, StreamState};

use crate::fixture::{DocumentWriteExt, ENTITY, Fixture, Lane, STREAM, finish, removal, second};

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
        RowFault::Unmapped => format!("{}: {}", row.key.unwrap(), row.reason),
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
