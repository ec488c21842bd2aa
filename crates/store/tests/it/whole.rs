//! What `Storage` promises of commits that come to no good end.

use std::time::Duration;

use wrenchtime_model::Resource;
use wrenchtime_sync::{Storage, StorageError};

use crate::fixture::{DocumentWriteExt, Fixture, Lane, Parts};

pub(crate) async fn a_statement_that_fails_in_the_middle_leaves_nothing<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    fixture.trap().await;
    let mut page = lane.page(vec![
        lane.document("1", "big pump"),
        lane.document("2", "fan"),
    ]);
    page.progress.pages = 9;
    let failed = lane.store.commit(&lane.fence, page.clone()).await;
    assert!(
        matches!(failed, Err(StorageError::Unavailable(_))),
        "{failed:?}"
    );

    assert_eq!(lane.known("2").await, None);
    assert_eq!(lane.record("1").await.content(), r#"{"name":"pump"}"#);
    assert_eq!(lane.records(Resource::Asset).await.len(), 1);
    assert_eq!(lane.changes().await.len(), 1);
    fixture.clear().await;
    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
    assert_eq!((outcome.created.len(), outcome.changed.len()), (1, 1));
    assert_eq!(lane.changes().await.len(), 3);
}

pub(crate) async fn a_commit_that_nobody_waits_for_is_whole_or_nothing<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    for polls in 1..12 {
        let key = polls.to_string();
        let page = lane.page(vec![
            lane.document(&key, "x"),
            lane.document(&format!("{key}b"), "x"),
        ]);
        drop(given_up_after(polls, lane.store.commit(&lane.fence, page)).await);
        // Writers stand in line, so behind this one the other is decided.
        lane.commit(vec![lane.document("again", &key).seen_at(polls)])
            .await;
        let both = (
            lane.known(&key).await.is_some(),
            lane.known(&format!("{key}b")).await.is_some(),
        );
        assert!(both.0 == both.1, "{both:?} after {polls} polls");
    }
    let counts = lane.records(Resource::Asset).await.len();
    assert!(lane.changes().await.len() >= counts);
}

pub(crate) async fn a_closed_store_says_so<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    fixture.close().await;
    let page = lane.page(Vec::new());
    let waited = Duration::from_secs(5);
    let failed = tokio::time::timeout(waited, lane.store.commit(&lane.fence, page)).await;
    assert!(
        matches!(failed, Ok(Err(StorageError::Unavailable(_)))),
        "{failed:?}"
    );
}

/// Waits for a call a few times only, and returns what came of it in that time.
pub(crate) async fn given_up_after<T>(polls: i64, call: impl Future<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call);
    for _ in 0..polls {
        tokio::select! {
            biased;
            ended = &mut call => return Some(ended),
            () = tokio::task::yield_now() => {}
        }
        std::thread::yield_now();
    }
    None
}
