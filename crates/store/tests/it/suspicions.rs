//! Listings that lack too many rows, and what is decided of them.

use wrenchtime_model::{ConnectionId, RunId, SuspicionId};
use wrenchtime_service::storage::{
    ConnectionStore, RecordReader, StorageError, SuspicionDecision, SuspicionShown,
};
use wrenchtime_sync::{Absence, Decision, Judgement, Marks, Outcome, Storage, Suspicion};

use crate::fixture::{
    DocumentWriteExt, ENTITY, Fixture, Lane, STREAM, audit, finish, removal, second, sort_key,
};

pub(crate) fn suspicion(id: SuspicionId, run: RunId, missing: u64) -> Suspicion {
    Suspicion {
        id,
        stream: STREAM,
        entity: ENTITY,
        run,
        since: second(1),
        found_at: second(2),
        missing,
        stored: 4,
        confirmed_at: None,
    }
}

fn absence(run: RunId, by_seen: bool) -> Absence {
    Absence {
        run,
        entity: ENTITY,
        by_seen,
        observation: 7,
    }
}

/// Adds four rows to a connection and marks those from "c" on as absent.
async fn begin<F: Fixture>(fixture: &F) -> Lane<'_, F> {
    let lane = Lane::begin(fixture).await;
    let documents = ["a", "b", "c", "d"].map(|key| lane.document(key, key));
    lane.commit(documents.into()).await;
    let mut page = lane.page(Vec::new());
    page.marks = Marks::Absent(["c", "d"].map(sort_key).into());
    lane.store.commit(&lane.fence, page).await.unwrap();
    lane
}

async fn judge<F: Fixture>(lane: &Lane<'_, F>, judgement: Judgement) {
    let mut page = lane.page(Vec::new());
    page.judgement = judgement;
    lane.store.commit(&lane.fence, page).await.unwrap();
}

async fn raise<F: Fixture>(lane: &Lane<'_, F>, suspicion: &Suspicion, missing: Option<Absence>) {
    let suspicion = suspicion.clone();
    judge(lane, Judgement::Raise { suspicion, missing }).await;
}

pub(crate) fn decision(
    connection: ConnectionId,
    suspicion: SuspicionId,
    what: Decision,
) -> SuspicionDecision {
    SuspicionDecision {
        connection,
        suspicion,
        decision: what,
        at: second(9),
        audit: audit("suspicion.decided"),
    }
}

async fn decide<F: Fixture>(
    lane: &Lane<'_, F>,
    id: SuspicionId,
    what: Decision,
) -> Option<Suspicion> {
    let decision = decision(lane.id, id, what);
    lane.store.decide_suspicion(decision).await.unwrap()
}

/// Returns what stands, each with the keys of its rows.
async fn shown<F: Fixture>(lane: &Lane<'_, F>, sample: u32) -> Vec<(Suspicion, Vec<String>)> {
    let all: Vec<SuspicionShown> = RecordReader::suspicions(lane.store, lane.id, sample)
        .await
        .unwrap();
    let told = Storage::suspicions(lane.store, lane.id).await.unwrap();
    let plain: Vec<_> = all.iter().map(|one| one.suspicion.clone()).collect();
    assert_eq!(plain, told, "the engine is told the same");
    let keys = |one: &SuspicionShown| one.sample.iter().map(ToString::to_string).collect();
    all.iter()
        .map(|one| (one.suspicion.clone(), keys(one)))
        .collect()
}

async fn count<F: Fixture>(lane: &Lane<'_, F>, absence: &Absence, id: SuspicionId) -> u64 {
    lane.store
        .count_suspect(lane.id, absence, id)
        .await
        .unwrap()
}

pub(crate) async fn what_stands_is_kept_with_the_rows_that_it_shows<F: Fixture>() {
    let fixture = F::new().await;
    let lane = begin(&fixture).await;
    assert_eq!(shown(&lane, 9).await, []);
    let first = suspicion(SuspicionId::new(), lane.run, 2);
    raise(&lane, &first, Some(absence(lane.run, false))).await;
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(&lane, 9).await, [(first.clone(), keys(&["c", "d"]))]);
    assert_eq!(shown(&lane, 1).await, [(first.clone(), keys(&["c"]))]);
    assert_eq!(shown(&lane, 0).await, [(first.clone(), Vec::new())]);
    // The marks go with the run, the rows do not; and another run misses one of them, and one that was not shown.
    let end = finish(lane.run, Outcome::Partial);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let next = Lane::go_on(&fixture, lane.id).await;
    let mut page = next.page(Vec::new());
    page.marks = Marks::Absent(["b", "d"].map(sort_key).into());
    next.store.commit(&next.fence, page).await.unwrap();
    let missed = absence(next.run, false);
    assert_eq!(count(&next, &missed, first.id).await, 1);
    assert_eq!(count(&next, &missed, SuspicionId::new()).await, 0);
    let second = suspicion(SuspicionId::new(), next.run, 2);
    raise(&next, &second, Some(missed.clone())).await;
    assert_eq!(shown(&next, 9).await, [(second.clone(), keys(&["b", "d"]))]);
    assert_eq!(count(&next, &missed, first.id).await, 0);
    let all = Absence {
        by_seen: true,
        ..absence(next.run, true)
    };
    let third = suspicion(SuspicionId::new(), next.run, 2);
    raise(&next, &third, Some(all)).await;
    assert_eq!(shown(&next, 9).await, [(third, keys(&["a", "c"]))]);
    let blind = suspicion(SuspicionId::new(), next.run, 3);
    raise(&next, &blind, None).await;
    assert_eq!(shown(&next, 9).await, [(blind.clone(), Vec::new())]);
    assert_eq!(count(&next, &missed, blind.id).await, 0);

    let other = Lane::begin(&fixture).await;
    assert_eq!(shown(&other, 9).await, []);
    assert_eq!(count(&other, &missed, blind.id).await, 0);
    let unknown = RecordReader::suspicions(lane.store, ConnectionId::new(), 9).await;
    assert!(matches!(unknown, Err(StorageError::NoConnection(_))));
}

pub(crate) async fn the_same_suspicion_keeps_what_is_decided_of_it<F: Fixture>() {
    let fixture = F::new().await;
    let lane = begin(&fixture).await;
    let mut stands = suspicion(SuspicionId::new(), lane.run, 2);
    let missing = Some(absence(lane.run, false));
    raise(&lane, &stands, missing.clone()).await;
    let confirmed = decide(&lane, stands.id, Decision::Confirm).await.unwrap();
    assert_eq!(confirmed.confirmed_at, Some(second(9)));
    let mut again = decision(lane.id, stands.id, Decision::Confirm);
    again.at = second(30);
    let again = lane.store.decide_suspicion(again).await.unwrap();
    assert_eq!(again.as_ref(), Some(&confirmed), "the first instant stays");
    // A commit that did not know of it yet.
    stands.found_at = second(20);
    raise(&lane, &stands, missing.clone()).await;
    judge(&lane, Judgement::Keep).await;
    let kept = Suspicion {
        confirmed_at: Some(second(9)),
        ..stands.clone()
    };
    assert_eq!(shown(&lane, 0).await, [(kept, Vec::new())]);
    let other = suspicion(SuspicionId::new(), lane.run, 2);
    raise(&lane, &other, missing).await;
    assert_eq!(shown(&lane, 0).await, [(other, Vec::new())]);
}

pub(crate) async fn a_row_that_came_back_is_suspect_no_more<F: Fixture>() {
    let fixture = F::new().await;
    let lane = begin(&fixture).await;
    let stands = suspicion(SuspicionId::new(), lane.run, 2);
    raise(&lane, &stands, Some(absence(lane.run, false))).await;
    lane.commit(vec![lane.document("c", "back").seen_at(8)])
        .await;
    assert_eq!(shown(&lane, 9).await[0].1, ["d"]);
    let later = Absence {
        observation: 20,
        ..absence(lane.run, false)
    };
    assert_eq!(count(&lane, &later, stands.id).await, 1);
    let gone = removal(&lane, &["d"], 9);
    lane.store.remove(&lane.fence, gone).await.unwrap();
    assert_eq!(shown(&lane, 9).await[0].1, [""; 0]);
    assert_eq!(count(&lane, &later, stands.id).await, 0);
}

pub(crate) async fn what_is_believed_stands_under_no_suspicion<F: Fixture>() {
    let fixture = F::new().await;
    let lane = begin(&fixture).await;
    judge(&lane, Judgement::Lift).await;
    let stands = suspicion(SuspicionId::new(), lane.run, 2);
    let missing = absence(lane.run, false);
    raise(&lane, &stands, Some(missing.clone())).await;
    judge(&lane, Judgement::Lift).await;
    assert_eq!(shown(&lane, 9).await, []);
    assert_eq!(decide(&lane, stands.id, Decision::Confirm).await, None);
    raise(&lane, &stands, None).await;
    assert_eq!(count(&lane, &missing, stands.id).await, 0);
}

pub(crate) async fn only_what_stands_can_be_decided<F: Fixture>() {
    let fixture = F::new().await;
    let lane = begin(&fixture).await;
    let other = Lane::begin(&fixture).await;
    let stands = suspicion(SuspicionId::new(), lane.run, 2);
    raise(&lane, &stands, Some(absence(lane.run, false))).await;
    assert_eq!(
        decide(&lane, SuspicionId::new(), Decision::Confirm).await,
        None
    );
    assert_eq!(decide(&other, stands.id, Decision::Reject).await, None);
    let unknown = decision(ConnectionId::new(), stands.id, Decision::Reject);
    assert_eq!(lane.store.decide_suspicion(unknown).await.unwrap(), None);
    // Also what was confirmed can be rejected.
    decide(&lane, stands.id, Decision::Confirm).await.unwrap();
    let rejected = decide(&lane, stands.id, Decision::Reject).await.unwrap();
    assert_eq!(rejected.id, stands.id);
    assert_eq!(shown(&lane, 9).await, []);
    assert_eq!(decide(&lane, stands.id, Decision::Reject).await, None);
}

pub(crate) async fn what_is_decided_is_there_after_a_restart<F: Fixture>() {
    let fixture = F::new().await;
    let (id, stands) = {
        let lane = begin(&fixture).await;
        let stands = suspicion(SuspicionId::new(), lane.run, 2);
        raise(&lane, &stands, Some(absence(lane.run, false))).await;
        (
            lane.id,
            decide(&lane, stands.id, Decision::Confirm).await.unwrap(),
        )
    };
    let fixture = fixture.reopen().await;
    let lane = Lane::go_on(&fixture, id).await;
    let keys = ["c", "d"].map(str::to_owned).to_vec();
    assert_eq!(shown(&lane, 9).await, [(stands, keys)]);
}
