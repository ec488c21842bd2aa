//! What two processes of the service do to one connection, key or value.

use uuid::Uuid;
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ConnectionFilter, ConnectionStore, ManagementKey, NewCredentials, SecretHash, Transition,
};

use super::{PostgresFixture, other, race};
use crate::connections::lifecycle;
use crate::credentials::new_credentials;
use crate::fixture::{Fixture, Lane, audit, new_connection, second};

#[tokio::test]
async fn of_two_who_expect_one_state_the_first_moves_it() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let transition = |to, event| Transition {
        id: lane.id,
        expected: vec![State::Active],
        sealed: None,
        to,
        reason: None,
        event: Some(lifecycle(event)),
        at: second(9),
        audit: audit("connection.changed"),
    };
    let (first, second) = race(
        &fixture.database,
        "connection_details",
        lane.store
            .transition(transition(State::Offline, EventType::ConnectionOffline)),
        other.transition(transition(State::Paused, EventType::ConnectionOnline)),
    )
    .await;
    assert_eq!(first.unwrap().unwrap().state, State::Offline);
    assert_eq!(second.unwrap(), None);
    assert_eq!(lane.events().await.len(), 1);
}

#[tokio::test]
async fn of_two_who_replace_the_same_credentials_the_first_does() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let other = other(&fixture).await;
    let before = lane.store.connection(lane.id).await.unwrap().unwrap();
    let mut later = new_credentials(&before);
    later.sealed.settings = b"later".to_vec();
    let paused = NewCredentials {
        to: Some(State::Paused),
        ..new_credentials(&before)
    };
    let (first, second) = race(
        &fixture.database,
        "connection_details",
        lane.store.replace_credentials(paused),
        other.replace_credentials(later),
    )
    .await;
    assert_eq!(second.unwrap(), None);
    let stored = lane.store.connection(lane.id).await.unwrap();
    assert_eq!(stored, first.unwrap());
}

#[tokio::test]
async fn a_connection_is_made_once() {
    let fixture = PostgresFixture::new().await;
    let other = other(&fixture).await;
    let id = ConnectionId::new();
    let mut again = new_connection(id);
    again.token.hash = SecretHash([9; 32]);
    let hash = again.token.hash;
    let (first, second) = race(
        &fixture.database,
        "connections",
        fixture.store.create_connection(new_connection(id)),
        other.create_connection(again),
    )
    .await;
    first.unwrap();
    second.unwrap_err();
    assert_eq!(other.token_by_hash(&hash).await.unwrap(), None);
    let all = ConnectionFilter {
        limit: 9,
        ..ConnectionFilter::default()
    };
    assert_eq!(other.connections(&all).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_revoked_once() {
    let fixture = PostgresFixture::new().await;
    let other = other(&fixture).await;
    let key = ManagementKey {
        id: Uuid::now_v7(),
        name: "key".to_owned(),
        hash: SecretHash([1; 32]),
        created_at: second(1),
        revoked_at: None,
    };
    let added = other.add_key(key.clone(), audit("key.created")).await;
    added.unwrap();
    let (first, later) = race(
        &fixture.database,
        "management_keys",
        fixture
            .store
            .revoke_key(key.id, second(2), audit("key.revoked")),
        other.revoke_key(key.id, second(3), audit("key.revoked")),
    )
    .await;
    assert!(first.unwrap() && !later.unwrap());
    let found = other.key_by_hash(&key.hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(second(2)));
}

#[tokio::test]
async fn the_first_value_under_a_name_is_everybodys() {
    let fixture = PostgresFixture::new().await;
    let other = other(&fixture).await;
    let (first, later) = race(
        &fixture.database,
        "meta",
        fixture.store.meta_init("check", b"first"),
        other.meta_init("check", b"later"),
    )
    .await;
    assert_eq!(
        (first.unwrap(), later.unwrap()),
        (b"first".into(), b"first".into())
    );
}
