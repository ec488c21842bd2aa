//! What `ConnectionStore` promises.

use crate::fixture::{Fixture, Lane, audit, new_connection, new_run, second, stamp};
use std::time::Duration;
use uuid::Uuid;
use wrenchtime_connector::SystemName;
use wrenchtime_model::{ConnectionId, EventBody, EventType, Resource, RunId, Timestamp};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ConnectionFilter, ConnectionStore, Disconnect, ManagementKey, NewConnection, NewCredentials,
    NewSchedule, RecordReader, SealedSettings, SecretHash, StorageError, StoredAccount,
    StoredConnection, Transition,
};
use wrenchtime_sync::{LifecycleEvent, Mode, Outcome, RunFinish, RunProgress, Storage};

pub(crate) async fn named_values_are_kept<F: Fixture>() {
    let fixture = F::new().await;
    let store = fixture.store();
    assert_eq!(store.meta("a").await.unwrap(), None);
    assert_eq!(store.meta_init("a", b"first").await.unwrap(), b"first");
    assert_eq!(store.meta_init("a", b"second").await.unwrap(), b"first");
    store.put_meta("a", b"third").await.unwrap();
    store.put_meta("b", b"").await.unwrap();
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert_eq!(
        store.meta("a").await.unwrap().as_deref(),
        Some(&b"third"[..])
    );
    assert_eq!(store.meta("b").await.unwrap().as_deref(), Some(&b""[..]));
}

pub(crate) async fn management_keys_are_found_by_hash<F: Fixture>() {
    let fixture = F::new().await;
    let store = fixture.store();
    let key = |number: u8| ManagementKey {
        id: Uuid::now_v7(),
        name: format!("key {number}"),
        hash: SecretHash([number; 32]),
        created_at: second(number.into()),
        revoked_at: None,
    };
    let (first, other) = (key(1), key(2));
    store
        .add_key(other.clone(), audit("key.created"))
        .await
        .unwrap();
    store
        .add_key(first.clone(), audit("key.created"))
        .await
        .unwrap();
    assert_eq!(store.keys().await.unwrap(), [first.clone(), other.clone()]);
    assert_eq!(
        store.key_by_hash(&other.hash).await.unwrap(),
        Some(other.clone())
    );
    assert_eq!(store.key_by_hash(&SecretHash([9; 32])).await.unwrap(), None);

    let revoke = |id| store.revoke_key(id, second(5), audit("key.revoked"));
    assert!(revoke(other.id).await.unwrap());
    assert!(!revoke(other.id).await.unwrap());
    assert!(!revoke(Uuid::now_v7()).await.unwrap());
    let found = store.key_by_hash(&other.hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(second(5)));
    store.audit(audit("something")).await.unwrap();
}

fn stored(new: &NewConnection) -> StoredConnection {
    StoredConnection {
        id: new.id,
        system: new.system.clone(),
        name: new.name.clone(),
        state: new.state,
        state_since: new.created_at.as_datetime(),
        reason: None,
        account: new.account.clone(),
        sealed: new.sealed.clone(),
        schedule: new.schedule,
        created_at: new.created_at,
    }
}

pub(crate) async fn a_connection_reads_back_as_it_was_made<F: Fixture>() {
    let fixture = F::new().await;
    let store = fixture.store();
    let mut new = new_connection(ConnectionId::new());
    new.created_at = Timestamp::from_micros(stamp(3).as_micros() + 7).unwrap();
    store.create_connection(new.clone()).await.unwrap();
    assert_eq!(store.connection(new.id).await.unwrap(), Some(stored(&new)));
    assert_eq!(store.connection(ConnectionId::new()).await.unwrap(), None);
    let (token, connection) = store.token_by_hash(&new.token.hash).await.unwrap().unwrap();
    assert_eq!((token, connection), (new.token.clone(), stored(&new)));
    assert_eq!(
        store.token_by_hash(&SecretHash([0; 32])).await.unwrap(),
        None
    );
    let again = store.create_connection(new.clone()).await;
    assert!(
        matches!(again, Err(StorageError::Unavailable(_))),
        "{again:?}"
    );

    let snapshot = store.sync_snapshot(new.id).await.unwrap();
    assert_eq!(
        (snapshot.head, snapshot.last_success_at),
        (new.created_at, None)
    );
    assert!(snapshot.records.is_empty() && snapshot.completed.is_empty());
    let lane = Lane::go_on(&fixture, new.id).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    assert!(
        lane.events().await[0].time > new.created_at,
        "the clock is behind, the log is not"
    );
}

pub(crate) async fn connections_are_listed_by_filter<F: Fixture>() {
    let fixture = F::new().await;
    let store = fixture.store();
    let mut ids = Vec::new();
    for number in 0..5 {
        let mut new = new_connection(ConnectionId::new());
        if number == 3 {
            new.system = SystemName::from_static("other");
            new.state = State::Paused;
        }
        ids.push(new.id);
        store.create_connection(new).await.unwrap();
    }
    let list = |filter: ConnectionFilter| async move {
        let found = store.connections(&filter).await.unwrap();
        found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    let all = ConnectionFilter {
        limit: 9,
        ..ConnectionFilter::default()
    };
    assert_eq!(list(all.clone()).await, ids);
    let page = ConnectionFilter {
        after: Some(ids[1]),
        limit: 2,
        ..all.clone()
    };
    assert_eq!(list(page).await, ids[2..4]);
    let of_system = ConnectionFilter {
        system: Some(SystemName::from_static("other")),
        ..all.clone()
    };
    assert_eq!(list(of_system).await, [ids[3]]);
    let in_state = ConnectionFilter {
        states: vec![State::Active, State::Offline],
        ..all
    };
    assert_eq!(list(in_state).await, [ids[0], ids[1], ids[2], ids[4]]);
}

fn lifecycle(event: EventType) -> LifecycleEvent {
    LifecycleEvent {
        event,
        data: serde_json::json!({"reason": "tests"}),
    }
}

pub(crate) async fn a_state_changes_only_from_an_expected_one<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let transition = Transition {
        id: lane.id,
        expected: vec![State::Offline],
        sealed: None,
        to: State::ReauthorizationRequired,
        reason: Some("the secret was refused".to_owned()),
        event: Some(lifecycle(EventType::ReauthorizationRequired)),
        at: second(9),
        audit: audit("connection.refused"),
    };
    assert_eq!(
        lane.store.transition(transition.clone()).await.unwrap(),
        None
    );
    assert!(lane.events().await.is_empty());
    let expected = Transition {
        expected: vec![State::Active, State::Offline],
        ..transition.clone()
    };
    let after = lane.store.transition(expected).await.unwrap().unwrap();
    assert_eq!((after.state, after.state_since), (transition.to, second(9)));
    assert_eq!(after.reason, transition.reason);
    assert_eq!(lane.store.connection(lane.id).await.unwrap(), Some(after));
    let events = lane.events().await;
    assert!(
        matches!(&events[..], [told] if told.body == EventBody::Lifecycle {
        event: EventType::ReauthorizationRequired, data: serde_json::json!({"reason": "tests"}) })
    );
    let stale = Transition {
        expected: vec![State::ReauthorizationRequired],
        sealed: Some(other_sealed()),
        ..transition.clone()
    };
    assert_eq!(lane.store.transition(stale).await.unwrap(), None);
    let unknown = Transition {
        id: ConnectionId::new(),
        ..transition
    };
    assert_eq!(lane.store.transition(unknown).await.unwrap(), None);
}

fn other_sealed() -> SealedSettings {
    SealedSettings {
        data_key: b"other key".to_vec(),
        settings: b"other settings".to_vec(),
    }
}

fn new_credentials(before: &StoredConnection) -> NewCredentials {
    NewCredentials {
        id: before.id,
        expected: before.state,
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

pub(crate) async fn credentials_are_replaced_only_in_the_expected_state<F: Fixture>() {
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
    for refused in [elsewhere, unknown] {
        let done = lane.store.replace_credentials(refused).await.unwrap();
        assert_eq!(done, None);
    }
    let stored = lane.store.connection(lane.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&before));
    let kept = StoredConnection {
        sealed: new.sealed.clone(),
        account: new.account.clone(),
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
            every: None,
            audit: audit("connection.scheduled"),
        }),
        ..new_credentials(&before)
    };
    let expected = StoredConnection {
        state: State::Paused,
        state_since: second(9),
        schedule: None,
        sealed: new.sealed.clone(),
        account: new.account.clone(),
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

pub(crate) async fn a_disconnected_connection_is_read_and_never_written<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let token = new_connection(lane.id).token.hash;
    let disconnect = Disconnect {
        id: lane.id,
        reason: None,
        event: lifecycle(EventType::ConnectionDisconnected),
        at: second(9),
        audit: audit("connection.disconnected"),
    };
    let after = lane
        .store
        .disconnect(disconnect.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.state, after.schedule), (State::Disconnected, None));
    let page = lane.page(vec![lane.document("2", "fan")]);
    let refused = lane.store.commit(&lane.fence, page).await;
    assert!(refused.is_err());
    let refused = lane.store.acquire(lane.id).await;
    assert!(matches!(
        refused,
        Err(wrenchtime_sync::StorageError::NoConnection(_))
    ));
    let run = lane.store.run(lane.id, lane.run).await.unwrap().unwrap();
    assert_eq!(run.finished, Some((second(9), Outcome::Cancelled)));
    let (token, _) = lane.store.token_by_hash(&token).await.unwrap().unwrap();
    assert_eq!(token.void_from, Some(second(9)));
    assert_eq!(lane.records(Resource::Asset).await.len(), 1);
    assert_eq!(lane.events().await.len(), 2);

    assert_eq!(lane.store.disconnect(disconnect).await.unwrap(), None);
    let every = Some(Duration::from_secs(60));
    assert!(
        !lane
            .store
            .set_schedule(lane.id, every, audit("schedule"))
            .await
            .unwrap()
    );
    assert_eq!(lane.events().await.len(), 2);
}

pub(crate) async fn schedules_are_set<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    for every in [Some(Duration::from_secs(60)), None] {
        assert!(
            lane.store
                .set_schedule(lane.id, every, audit("schedule"))
                .await
                .unwrap()
        );
        let stored = lane.store.connection(lane.id).await.unwrap().unwrap();
        assert_eq!(stored.schedule, every);
    }
    let nobody = ConnectionId::new();
    assert!(
        !lane
            .store
            .set_schedule(nobody, None, audit("schedule"))
            .await
            .unwrap()
    );
}

pub(crate) async fn runs_are_listed_newest_first<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut ids = vec![lane.run];
    for _ in 0..3 {
        let run = *ids.last().unwrap();
        let finish = RunFinish {
            run,
            outcome: Outcome::Complete,
            finished_at: second(5),
            progress: RunProgress::default(),
            events: Vec::new(),
        };
        lane.store.finish_run(&lane.fence, finish).await.unwrap();
        let start = lane
            .store
            .begin_run(&lane.fence, new_run(Mode::Incremental))
            .await;
        ids.push(start.unwrap().run.id);
    }
    ids.reverse();
    let list = |before, limit| async move {
        let runs = lane.store.runs(lane.id, before, limit).await.unwrap();
        runs.into_iter().map(|run| run.id).collect::<Vec<RunId>>()
    };
    assert_eq!(list(None, 9).await, ids);
    assert_eq!(list(Some(ids[1]), 1).await, ids[2..3]);
    assert_eq!(lane.store.run(lane.id, RunId::new()).await.unwrap(), None);
    assert_eq!(
        lane.store.run(ConnectionId::new(), ids[0]).await.unwrap(),
        None
    );
    let snapshot = lane.store.sync_snapshot(lane.id).await.unwrap();
    assert_eq!(snapshot.last_success_at, Some(second(5)));
}
