//! Listings that lack too many rows are told, and decided.

use http::StatusCode;
use serde_json::{Value, json};
use wrenchtime_connector::{Clock, EntityName, KeyOrder, RemoteKey, StreamName};
use wrenchtime_model::{ConnectionId, Resource, RunId, SuspicionId};
use wrenchtime_sync::{
    Absence, Judgement, Marks, Mode, NewRun, PageCommit, RunProgress, Storage, StreamState,
    Suspicion,
};

use crate::harness::{Harness, Row};

/// Writes three rows of which two are suspect, and returns the suspicion.
async fn raise(harness: &Harness, connection: ConnectionId) -> Suspicion {
    let rows = ["7", "8", "9"].map(|key| Row::new(Resource::Asset, key, json!({ "name": key })));
    harness.write(connection, rows.to_vec()).await;
    let store: &dyn Storage = &harness.store;
    let fence = store.acquire(connection).await.unwrap();
    let new = NewRun {
        id: RunId::new(),
        mode: Mode::Full,
        started_at: harness.clock.now(),
    };
    let run = store.begin_run(&fence, new).await.unwrap().run.id;
    let entity = EntityName::from_static("rows");
    let suspicion = Suspicion {
        id: SuspicionId::new(),
        stream: StreamName::from_static("rows"),
        entity: entity.clone(),
        run,
        since: harness.clock.now(),
        found_at: harness.clock.now(),
        missing: 2,
        stored: 3,
        confirmed_at: None,
    };
    let keys = ["asset-8", "asset-9"].map(|key| KeyOrder::Text.sort_key(&RemoteKey::new(key)));
    let mut commit = PageCommit {
        run,
        stream: suspicion.stream.clone(),
        entity: entity.clone(),
        state: StreamState::default(),
        documents: Vec::new(),
        issues: Vec::new(),
        reread: Vec::new(),
        marks: Marks::Absent(keys.into()),
        judgement: Judgement::Keep,
        events: Vec::new(),
        initial: false,
        progress: RunProgress::default(),
    };
    store.commit(&fence, commit.clone()).await.unwrap();
    commit.marks = Marks::None;
    commit.judgement = Judgement::Raise {
        suspicion: suspicion.clone(),
        missing: Some(Absence {
            run,
            entity,
            by_seen: false,
            observation: i64::MAX,
        }),
    };
    store.commit(&fence, commit).await.unwrap();
    suspicion
}

fn path(connection: ConnectionId) -> String {
    format!("/v1/connections/{connection}/suspicions")
}

#[tokio::test]
async fn what_stands_is_told_and_confirmed() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let path = path(connection);
    let empty = harness.get(&path).await;
    assert_eq!(empty.json(), json!({ "data": [], "next": null }));
    let suspicion = raise(&harness, connection).await;
    let told = harness.get(&path).await.json();
    let since = &told["data"][0]["since"];
    let expected = json!({
        "id": suspicion.id,
        "stream": "rows",
        "entity": "rows",
        "resources": [],
        "missing": 2,
        "stored": 3,
        "since": since,
        "found_at": since,
        "run_id": suspicion.run,
        "confirmed_at": null,
        "sample": ["asset-8", "asset-9"],
    });
    assert_eq!(told, json!({ "data": [expected], "next": null }));

    let confirm = format!("{path}/{}/confirm", suspicion.id);
    for _ in 0..2 {
        let answer = harness.post(&confirm, Value::Null).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        let told = harness.get(&path).await.json();
        assert_eq!(&told["data"][0]["confirmed_at"], since);
    }
    let refused = harness.call("POST", &confirm, &token, None).await;
    assert_eq!(refused.code(), "forbidden");
    let refused = harness.call("GET", &path, &token, None).await;
    assert_eq!(refused.code(), "forbidden");
}

#[tokio::test]
async fn what_is_rejected_is_over() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let (other, _) = harness.connect().await;
    let suspicion = raise(&harness, connection).await;
    let elsewhere = format!("{}/{}/reject", path(other), suspicion.id);
    assert_eq!(
        harness.post(&elsewhere, Value::Null).await.code(),
        "not_found"
    );
    let reject = format!("{}/{}/reject", path(connection), suspicion.id);
    let answer = harness.post(&reject, Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    assert_eq!(
        harness.get(&path(connection)).await.json()["data"],
        json!([])
    );
    let again = harness.post(&reject, Value::Null).await;
    assert_eq!(again.code(), "not_found");
    assert!(again.text.contains("no such suspicion"), "{}", again.text);
    let no_id = format!("{}/7/reject", path(connection));
    assert_eq!(
        harness.post(&no_id, Value::Null).await.code(),
        "invalid_parameter"
    );
    let unknown = path(ConnectionId::new());
    assert_eq!(harness.get(&unknown).await.code(), "not_found");
}

#[tokio::test]
async fn nothing_is_decided_of_a_disconnected_connection() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let suspicion = raise(&harness, connection).await;
    let one = format!("/v1/connections/{connection}");
    harness
        .call("DELETE", &one, &harness.key.clone(), None)
        .await;
    let confirm = format!("{}/{}/confirm", path(connection), suspicion.id);
    let answer = harness.post(&confirm, Value::Null).await;
    assert_eq!(answer.code(), "connection_state");
    let told = harness.get(&path(connection)).await.json();
    assert_eq!(told["data"][0]["confirmed_at"], Value::Null);
}
