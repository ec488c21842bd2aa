//! Dispatchers of two processes, and those who change endpoints under them.

use std::time::Duration;

use wrenchtime_store::PostgresStore;
use wrenchtime_webhooks::{
    Attempt, AttemptOutcome, Delivery, DeliveryFilter, DeliveryId, DeliveryState, DeliveryStore,
    DueDelivery, Endpoint, EventSource, FanOut,
};

use super::{PostgresFixture, other, race};
use crate::fixture::{Fixture, Lane, second};
use crate::webhooks::{endpoint, message};

/// Adds an endpoint and then events, each with a message for it.
async fn log<'f>(
    fixture: &'f PostgresFixture,
    events: u64,
) -> (Lane<'f, PostgresFixture>, Endpoint, FanOut) {
    let lane = Lane::begin(fixture).await;
    let endpoint = endpoint(0);
    lane.store.add_endpoint(&endpoint).await.unwrap();
    let documents = (0..events).map(|number| lane.document(&number.to_string(), "x"));
    lane.commit(documents.collect()).await;
    let messages = (1..=events).map(|sequence| message(&endpoint, lane.id, sequence));
    let fan_out = FanOut {
        connection: lane.id,
        from: 0,
        to: events,
        messages: messages.collect(),
    };
    (lane, endpoint, fan_out)
}

async fn deliveries(store: &PostgresStore) -> Vec<Delivery> {
    let filter = DeliveryFilter {
        limit: 100,
        ..DeliveryFilter::default()
    };
    store.deliveries(&filter).await.unwrap()
}

async fn take(store: &PostgresStore, now: u64, limit: u32) -> Vec<DueDelivery> {
    let until = second(now + 30);
    let taken = store.take_due(second(now), until, limit, 9).await;
    taken.unwrap()
}

fn attempt(delivery: DeliveryId, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        delivery,
        at: second(100),
        duration: Duration::from_millis(7),
        status: None,
        error: None,
        outcome,
    }
}

#[tokio::test]
async fn a_stretch_is_fanned_out_by_one_dispatcher() {
    let fixture = PostgresFixture::new().await;
    let (lane, _, fan_out) = log(&fixture, 3).await;
    let other = other(&fixture).await;
    let (first, later) = race(
        &fixture.database,
        "webhook_deliveries",
        lane.store.fan_out(fan_out.clone()),
        other.fan_out(fan_out),
    )
    .await;
    assert!(first.unwrap() && !later.unwrap());
    assert_eq!(deliveries(&other).await.len(), 3);
}

#[tokio::test]
async fn a_delivery_is_taken_by_one_dispatcher() {
    let fixture = PostgresFixture::new().await;
    let (lane, _, fan_out) = log(&fixture, 5).await;
    let other = other(&fixture).await;
    lane.store.fan_out(fan_out).await.unwrap();
    let (first, later) = race(
        &fixture.database,
        "webhook_deliveries",
        take(lane.store, 10, 3),
        take(&other, 10, 9),
    )
    .await;
    assert_eq!((first.len(), later.len()), (3, 2));
    assert!(
        later
            .iter()
            .all(|later| first.iter().all(|first| first.id != later.id))
    );
}

#[tokio::test]
async fn what_arrives_late_is_not_taken_again() {
    let fixture = PostgresFixture::new().await;
    let (lane, _, fan_out) = log(&fixture, 1).await;
    let other = other(&fixture).await;
    lane.store.fan_out(fan_out).await.unwrap();
    let taken = take(lane.store, 10, 9).await;
    let arrived = attempt(taken[0].id, AttemptOutcome::Delivered);
    // The lease has ended when it is told.
    let (told, again) = race(
        &fixture.database,
        "webhook_deliveries",
        lane.store.record_attempt(arrived),
        take(&other, 60, 9),
    )
    .await;
    told.unwrap();
    assert!(again.is_empty());
    assert_eq!(deliveries(&other).await[0].state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_endpoint_that_is_being_stopped_gets_nothing_more() {
    let fixture = PostgresFixture::new().await;
    let (lane, endpoint, fan_out) = log(&fixture, 2).await;
    let other = other(&fixture).await;
    lane.store.fan_out(fan_out).await.unwrap();
    let (stopped, taken) = race(
        &fixture.database,
        "webhook_endpoints",
        lane.store
            .disable_endpoint(endpoint.id, second(9), "by hand"),
        take(&other, 10, 9),
    )
    .await;
    stopped.unwrap();
    assert!(taken.is_empty());
}

#[tokio::test]
async fn a_stretch_is_fanned_out_past_an_endpoint_that_is_being_removed() {
    let fixture = PostgresFixture::new().await;
    let (lane, endpoint, fan_out) = log(&fixture, 2).await;
    let other = other(&fixture).await;
    lane.store.fan_out(fan_out).await.unwrap();
    let stays = crate::webhooks::endpoint(1);
    lane.store.add_endpoint(&stays).await.unwrap();
    lane.commit(vec![lane.document("3", "x")]).await;
    let to = |endpoint| message(endpoint, lane.id, 3);
    let fan_out = FanOut {
        connection: lane.id,
        from: 2,
        to: 3,
        messages: vec![to(&endpoint), to(&stays)],
    };
    let (removed, moved) = race(
        &fixture.database,
        "webhook_endpoints",
        lane.store.remove_endpoint(endpoint.id),
        other.fan_out(fan_out),
    )
    .await;
    assert!(removed.unwrap() && moved.unwrap());
    let left = deliveries(&other).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].endpoint_id, stays.id);
}

#[tokio::test]
async fn an_attempt_at_an_endpoint_that_is_being_removed_is_nothing() {
    for outcome in [AttemptOutcome::Gone, AttemptOutcome::Delivered] {
        let fixture = PostgresFixture::new().await;
        let (lane, endpoint, fan_out) = log(&fixture, 2).await;
        let other = other(&fixture).await;
        lane.store.fan_out(fan_out).await.unwrap();
        let taken = take(lane.store, 10, 9).await;
        let (removed, told) = race(
            &fixture.database,
            "webhook_endpoints",
            lane.store.remove_endpoint(endpoint.id),
            other.record_attempt(attempt(taken[1].id, outcome)),
        )
        .await;
        assert!(removed.unwrap());
        told.unwrap();
        assert!(deliveries(&other).await.is_empty());
    }
}

#[tokio::test]
async fn no_message_tells_of_both_sides_of_an_endpoint_that_is_being_added() {
    let fixture = PostgresFixture::new().await;
    let (lane, _, _) = log(&fixture, 1).await;
    let other = other(&fixture).await;
    let new = endpoint(7);
    let reading = async {
        lane.commit(vec![lane.document("later", "x")]).await;
        other.events_after(lane.id, 0, 9).await.unwrap()
    };
    let (added, stretch) = race(
        &fixture.database,
        "webhook_endpoints",
        other.add_endpoint(&new),
        reading,
    )
    .await;
    added.unwrap();
    assert_eq!(
        stretch.len(),
        2,
        "read before there was anything to stop at"
    );
    let both = FanOut {
        connection: lane.id,
        from: 0,
        to: 2,
        messages: vec![message(&new, lane.id, 2)],
    };
    assert!(!lane.store.fan_out(both).await.unwrap());
    assert!(deliveries(&other).await.is_empty());
    let anew = other.events_after(lane.id, 0, 9).await.unwrap();
    assert_eq!(anew.len(), 1, "now it ends where the endpoint begins");
    let first = FanOut {
        connection: lane.id,
        from: 0,
        to: 1,
        messages: vec![message(&new, lane.id, 1)],
    };
    assert!(lane.store.fan_out(first).await.unwrap());
    assert!(deliveries(&other).await.is_empty(), "that was before it");
}
