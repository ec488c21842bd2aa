//! What `ConnectionStore` promises.

use crate::fixture::{
    DocumentWriteExt, Fixture, Lane, audit, finish, new_connection, new_run, noon, second, stamp,
};
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;
use wrenchtime_connector::SystemName;
use wrenchtime_model::{ConnectionId, EventBody, EventType, Resource, RunId, Timestamp};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ConnectionFilter, ConnectionStore, Disconnect, Extension, Interval, ManagementKey,
    NewConnection, NewSchedule, RecordReader, SealedSettings, SecretHash, Standing, StorageError,
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
        authorized_at: new.created_at.as_datetime(),
        schedule: new.schedule,
        resource_schedules: BTreeMap::new(),
        records_since: new.records_since,
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

pub(crate) fn lifecycle(event: EventType) -> LifecycleEvent {
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

pub(crate) fn other_sealed() -> SealedSettings {
    SealedSettings {
        data_key: b"other key".to_vec(),
        settings: b"other settings".to_vec(),
    }
}

pub(crate) async fn a_disconnected_connection_is_read_and_never_written<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let token = new_connection(lane.id).token.hash;
    let own = [(Resource::Asset, Some(Interval::OnDemand))];
    lane.store
        .set_schedule(lane.id, schedule(None, &own))
        .await
        .unwrap();
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
    assert!(after.resource_schedules.is_empty());
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
    let every = Interval::Every(Duration::from_secs(60));
    let new = schedule(Some(every), &[(Resource::Asset, Some(every))]);
    assert!(!lane.store.set_schedule(lane.id, new).await.unwrap());
    let stored = lane.store.connection(lane.id).await.unwrap();
    assert_eq!(stored, Some(after));
    assert_eq!(lane.events().await.len(), 2);
}

pub(crate) fn schedule(
    every: Option<Interval>,
    own: &[(Resource, Option<Interval>)],
) -> NewSchedule {
    NewSchedule {
        every,
        resources: own.iter().copied().collect(),
        audit: audit("schedule"),
    }
}

pub(crate) async fn schedules_are_set<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let every = |seconds| Some(Interval::Every(Duration::from_secs(seconds)));
    for (new, connection, own) in [
        (schedule(every(60), &[]), Some(60), vec![]),
        (
            schedule(None, &[(Resource::WorkOrder, every(120))]),
            Some(60),
            vec![(Resource::WorkOrder, Some(120))],
        ),
        (
            schedule(
                Some(Interval::OnDemand),
                &[(Resource::Asset, Some(Interval::OnDemand))],
            ),
            None,
            vec![(Resource::Asset, None), (Resource::WorkOrder, Some(120))],
        ),
        (
            schedule(None, &[(Resource::WorkOrder, None), (Resource::User, None)]),
            None,
            vec![(Resource::Asset, None)],
        ),
    ] {
        assert!(lane.store.set_schedule(lane.id, new).await.unwrap());
        let stored = lane.store.connection(lane.id).await.unwrap().unwrap();
        let seconds = |every: Option<Duration>| every.map(|every| every.as_secs());
        assert_eq!(seconds(stored.schedule), connection);
        let mut stored: Vec<_> = stored
            .resource_schedules
            .into_iter()
            .map(|(resource, every)| (resource, seconds(every)))
            .collect();
        stored.sort_by_key(|(resource, _)| resource.name());
        assert_eq!(stored, own);
    }
    let nobody = ConnectionId::new();
    let new = schedule(every(60), &[]);
    assert!(!lane.store.set_schedule(nobody, new).await.unwrap());
}

pub(crate) async fn records_go_further_back_and_never_less_far<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let before = lane.store.connection(lane.id).await.unwrap().unwrap();
    let extend = async |id, since| {
        let audit = audit("connection.extended");
        let extension = Extension { id, since, audit };
        lane.store.extend(extension).await.unwrap()
    };
    let set = before.records_since.unwrap();
    for since in [set, set + TimeDelta::microseconds(1)] {
        assert_eq!(extend(lane.id, Some(since)).await, None);
    }
    assert_eq!(extend(ConnectionId::new(), None).await, None);
    let earlier = Some(set - TimeDelta::microseconds(1));
    let expected = StoredConnection {
        records_since: earlier,
        ..before
    };
    assert_eq!(extend(lane.id, earlier).await, Some(expected.clone()));
    let after = extend(lane.id, None).await.unwrap();
    assert_eq!(after.records_since, None);
    // There is no further back than all.
    for since in [earlier, None] {
        assert_eq!(extend(lane.id, since).await, None);
    }
    let disconnect = Disconnect {
        id: lane.id,
        reason: None,
        event: lifecycle(EventType::ConnectionDisconnected),
        at: second(9),
        audit: audit("connection.disconnected"),
    };
    lane.store.disconnect(disconnect).await.unwrap();
    assert_eq!(extend(lane.id, None).await, None);
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

pub(crate) async fn the_last_thousand_runs_are_remembered<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut ids = vec![lane.run];
    for _ in 0..1_051 {
        let end = finish(ids[ids.len() - 1], Outcome::Complete);
        lane.store.finish_run(&lane.fence, end).await.unwrap();
        let next = new_run(Mode::Incremental);
        ids.push(next.id);
        lane.store.begin_run(&lane.fence, next).await.unwrap();
    }
    ids.reverse();
    let runs = lane.store.runs(lane.id, None, 2_000).await.unwrap();
    let listed: Vec<RunId> = runs.into_iter().map(|run| run.id).collect();
    // Fifty too many went together. The one under way is beside the thousand.
    assert_eq!(listed, ids[..1_001]);
}

pub(crate) async fn connections_are_counted_by_system_and_state<F: Fixture>() {
    let fixture = F::new().await;
    let store = fixture.store();
    assert_eq!(store.standings().await.unwrap(), []);
    let mut other = new_connection(ConnectionId::new());
    other.system = SystemName::from_static("other");
    other.state = State::Offline;
    // It is read when somebody asks, so it waits for nothing.
    other.schedule = None;
    let first = new_connection(ConnectionId::new());
    let second_one = new_connection(ConnectionId::new());
    let (id, system) = (first.id, first.system.clone());
    for new in [other, first, second_one] {
        store.create_connection(new).await.unwrap();
    }
    let lane = Lane::go_on(&fixture, id).await;
    let bad = lane.document("7", "x").quarantined("no name");
    lane.commit(vec![lane.document("1", "x"), bad]).await;
    let expected = |quarantined| Standing {
        system: system.clone(),
        state: State::Active,
        connections: 2,
        waiting_since: Some(noon()),
        quarantined,
    };
    let apart = Standing {
        system: SystemName::from_static("other"),
        state: State::Offline,
        connections: 1,
        waiting_since: None,
        quarantined: 0,
    };
    let standings = store.standings().await.unwrap();
    assert_eq!(standings, [expected(1), apart.clone()]);

    lane.commit(vec![lane.document("7", "x").seen_at(9).deleted()])
        .await;
    lane.store
        .finish_run(&lane.fence, finish(lane.run, Outcome::Complete))
        .await
        .unwrap();
    // The other one never had a run.
    assert_eq!(store.standings().await.unwrap(), [expected(0), apart]);
}
