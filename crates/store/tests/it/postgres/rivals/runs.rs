//! Runners of two processes, and those who decide of what they found.

use wrenchtime_model::{EventType, SuspicionId};
use wrenchtime_service::storage::{ConnectionStore, Disconnect, Interval, QuarantineRetried};
use wrenchtime_sync::{Decision, Judgement, Mode, Outcome, Storage, StorageError};

use super::{PostgresFixture, other, race};
use crate::connections::{lifecycle, schedule};
use crate::fixture::{DocumentWriteExt, Fixture, Lane, audit, finish, new_run, removal, second};
use crate::quarantine::retry;
use crate::suspicions::{decision, suspicion};

#[tokio::test]
async fn a_page_under_way_is_whole_before_another_takes_over() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let page = lane.page(vec![lane.document("1", "pump")]);
    let (written, newer) = race(
        &fixture.database,
        "events",
        lane.store.commit(&lane.fence, page.clone()),
        other.acquire(lane.id),
    )
    .await;
    written.unwrap();
    assert_eq!(newer.unwrap().epoch, lane.fence.epoch + 1);
    lane.assert_fenced(&lane.store.commit(&lane.fence, page).await);
    assert_eq!(lane.events().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_written_behind_whoever_takes_over() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let page = lane.page(vec![lane.document("2", "fan")]);
    let older = async {
        tokio::join!(
            lane.store.commit(&lane.fence, page),
            lane.store.remove(&lane.fence, removal(&lane, &["1"], 9)),
            lane.store.begin_run(&lane.fence, new_run(Mode::Full)),
        )
    };
    let (newer, (page, gone, run)) = race(
        &fixture.database,
        "connections",
        other.acquire(lane.id),
        older,
    )
    .await;
    newer.unwrap();
    lane.assert_fenced(&page);
    lane.assert_fenced(&gone);
    lane.assert_fenced(&run);
    let end = finish(lane.run, Outcome::Complete);
    lane.assert_fenced(&lane.store.finish_run(&lane.fence, end).await);
    assert_eq!(lane.events().await.len(), 1);
}

#[tokio::test]
async fn a_run_that_ends_takes_no_more_pages() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let page = lane.page(vec![lane.document("1", "pump")]);
    let (report, page) = race(
        &fixture.database,
        "runs",
        lane.store
            .finish_run(&lane.fence, finish(lane.run, Outcome::Complete)),
        other.commit(&lane.fence, page),
    )
    .await;
    report.unwrap();
    assert!(matches!(page, Err(StorageError::Corrupt(_))), "{page:?}");
    assert!(lane.changes().await.is_empty());
}

#[tokio::test]
async fn two_that_begin_a_run_get_the_same() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let (one, two) = race(
        &fixture.database,
        "runs",
        lane.store.begin_run(&lane.fence, new_run(Mode::Full)),
        other.begin_run(&lane.fence, new_run(Mode::Full)),
    )
    .await;
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn a_confirmation_is_kept_by_a_page_that_did_not_know_of_it() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let mut stands = suspicion(SuspicionId::new(), lane.run, 2);
    let raising = |stands: &wrenchtime_sync::Suspicion| {
        let mut page = lane.page(Vec::new());
        page.judgement = Judgement::Raise {
            suspicion: stands.clone(),
            missing: None,
        };
        page.events = vec![lifecycle(EventType::SystemError)];
        page
    };
    lane.store
        .commit(&lane.fence, raising(&stands))
        .await
        .unwrap();
    stands.found_at = second(20);
    let confirm = decision(lane.id, stands.id, Decision::Confirm);
    let (confirmed, raised) = race(
        &fixture.database,
        "suspicions",
        other.decide_suspicion(confirm.clone()),
        lane.store.commit(&lane.fence, raising(&stands)),
    )
    .await;
    raised.unwrap();
    let found = Storage::suspicions(lane.store, lane.id).await.unwrap();
    assert_eq!(found[0].found_at, second(20));
    assert_eq!(
        found[0].confirmed_at,
        confirmed.unwrap().unwrap().confirmed_at
    );

    // Of what a page replaces nothing is decided any more.
    let next = suspicion(SuspicionId::new(), lane.run, 3);
    let (raised, decided) = race(
        &fixture.database,
        "suspicions",
        lane.store.commit(&lane.fence, raising(&next)),
        other.decide_suspicion(confirm),
    )
    .await;
    raised.unwrap();
    assert_eq!(decided.unwrap(), None);
    let found = Storage::suspicions(lane.store, lane.id).await.unwrap();
    assert_eq!(found, [next]);
}

#[tokio::test]
async fn what_was_mended_meanwhile_is_not_tried_again() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    lane.commit(vec![lane.document("1", "?").quarantined("unreadable")])
        .await;
    let mended = lane.page(vec![lane.document("1", "pump").seen_at(2)]);
    let (written, retried) = race(
        &fixture.database,
        "documents",
        lane.store.commit(&lane.fence, mended),
        other.retry_quarantine(retry(lane.id, None)),
    )
    .await;
    written.unwrap();
    assert_eq!(retried.unwrap(), Some(QuarantineRetried::default()));
}

#[tokio::test]
async fn nothing_is_written_to_a_connection_that_is_being_ended() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let disconnect = Disconnect {
        id: lane.id,
        reason: None,
        event: lifecycle(EventType::ConnectionDisconnected),
        at: second(9),
        audit: audit("connection.disconnected"),
    };
    let page = lane.page(vec![lane.document("1", "pump")]);
    let every = schedule(
        Some(Interval::Every(std::time::Duration::from_secs(60))),
        &[],
    );
    let rivals = async {
        tokio::join!(
            lane.store.commit(&lane.fence, page),
            lane.store.acquire(lane.id),
            lane.store.set_schedule(lane.id, every),
            lane.store.retry_quarantine(retry(lane.id, None)),
        )
    };
    let (ended, (page, fence, is_set, retried)) = race(
        &fixture.database,
        "events",
        other.disconnect(disconnect),
        rivals,
    )
    .await;
    ended.unwrap().unwrap();
    assert!(
        matches!(page, Err(StorageError::NoConnection(_))),
        "{page:?}"
    );
    assert!(
        matches!(fence, Err(StorageError::NoConnection(_))),
        "{fence:?}"
    );
    assert!(!is_set.unwrap());
    assert_eq!(retried.unwrap(), None);
    assert_eq!(lane.events().await.len(), 1);
}
