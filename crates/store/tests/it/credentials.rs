//! What `ConnectionStore` promises of other credentials.

use wrenchtime_model::{ConnectionId, EventType, Resource};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ConnectionStore, Interval, NewCredentials, NewSchedule, StoredAccount, StoredConnection,
};

use crate::connections::{lifecycle, other_sealed};
use crate::fixture::{Fixture, Lane, audit, new_connection, second};

pub(crate) fn new_credentials(before: &StoredConnection) -> NewCredentials {
    NewCredentials {
        id: before.id,
        expected: before.state,
        replaces: before.sealed.clone(),
        sealed: other_sealed(),
        account: StoredAccount {
            display_name: "renamed".to_owned(),
            ..before.account.clone()
        },
        to: None,
        event: None,
        schedule: None,
        at: second(9),
        audit: audit("connection.reauthorized"),
    }
}

pub(crate) async fn credentials_are_replaced_only_where_nothing_else_changed<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let before = lane.store.connection(lane.id).await.unwrap().unwrap();
    let new = new_credentials(&before);
    let elsewhere = NewCredentials {
        expected: State::Offline,
        ..new.clone()
    };
    let unknown = NewCredentials {
        id: ConnectionId::new(),
        ..new.clone()
    };
    let overtaken = NewCredentials {
        replaces: other_sealed(),
        ..new.clone()
    };
    for refused in [elsewhere, unknown, overtaken] {
        let done = lane.store.replace_credentials(refused).await.unwrap();
        assert_eq!(done, None);
    }
    let stored = lane.store.connection(lane.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&before));
    let kept = StoredConnection {
        sealed: new.sealed.clone(),
        account: new.account.clone(),
        authorized_at: new.at,
        ..before
    };
    let done = lane.store.replace_credentials(new).await.unwrap();
    assert_eq!(done, Some(kept));
    assert!(lane.events().await.is_empty());
}

pub(crate) async fn credentials_state_event_and_schedule_are_one_commit<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let before = lane.store.connection(lane.id).await.unwrap().unwrap();
    let new = NewCredentials {
        to: Some(State::Paused),
        event: Some(lifecycle(EventType::ConnectionOnline)),
        schedule: Some(NewSchedule {
            every: Some(Interval::OnDemand),
            resources: [(Resource::Asset, Some(Interval::OnDemand))].into(),
            audit: audit("connection.scheduled"),
        }),
        ..new_credentials(&before)
    };
    let expected = StoredConnection {
        state: State::Paused,
        state_since: second(9),
        schedule: None,
        resource_schedules: [(Resource::Asset, None)].into(),
        sealed: new.sealed.clone(),
        account: new.account.clone(),
        authorized_at: new.at,
        ..before
    };
    let events = lane.events().await.len();
    let done = lane.store.replace_credentials(new).await.unwrap();
    assert_eq!(done, Some(expected));
    let told = lane.events().await;
    assert_eq!(told.len(), events + 1);
    assert_eq!(told[events].body.event_type(), EventType::ConnectionOnline);
    assert_eq!(lane.records(Resource::Asset).await.len(), 1);
    let token = new_connection(lane.id).token.hash;
    let (token, _) = lane.store.token_by_hash(&token).await.unwrap().unwrap();
    assert_eq!(token.void_from, None);
}
