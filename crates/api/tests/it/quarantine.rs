//! What cannot be read or mapped is told row by row.

use http::StatusCode;
use serde_json::{Value, json};
use wrenchtime_connector::{
    Clock, Document, EntityName, KeyOrder, RemoteKey, RowIssue, StreamName,
};
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_sync::{
    DocumentWrite, Marks, Mode, NewRun, PageCommit, RunProgress, Storage, StreamState, Written,
};

use crate::harness::Harness;

const ENTITY: EntityName = EntityName::from_static("units");

/// Writes a page with these rows that could not be read, and these that could not be mapped, by key and reason.
async fn write(
    harness: &Harness,
    connection: ConnectionId,
    (issues, unmapped): (Vec<RowIssue>, &[(&str, &str)]),
) -> RunId {
    let store: &dyn Storage = &harness.store;
    let fence = store.acquire(connection).await.unwrap();
    let new = NewRun {
        id: RunId::new(),
        mode: Mode::Full,
        started_at: harness.clock.now(),
    };
    let run = store.begin_run(&fence, new).await.unwrap().run.id;
    let documents = unmapped.iter().map(|(key, reason)| {
        let key = RemoteKey::new(*key);
        let body = serde_json::value::to_raw_value(&json!({ "Note": "content of a row" })).unwrap();
        let document = Document::new(ENTITY, key.clone(), body);
        DocumentWrite {
            sort_key: KeyOrder::Text.sort_key(&key),
            hash: document.hash(),
            document,
            observation: fence.observation_base() + 1,
            written: Written::Quarantined {
                reason: (*reason).to_owned(),
            },
        }
    });
    let commit = PageCommit {
        run,
        stream: StreamName::from_static("units"),
        entity: ENTITY,
        state: StreamState::default(),
        documents: documents.collect(),
        issues,
        marks: Marks::None,
        initial: false,
        progress: RunProgress::default(),
    };
    store.commit(&fence, commit).await.unwrap();
    run
}

fn short(line: u32) -> RowIssue {
    let place = format!("units.csv, line {line}, column 1 (RecordNumber)");
    RowIssue::new(None, place, "the row has 3 cells, the header has 8")
}

#[tokio::test]
async fn rows_are_told_with_place_and_reason_and_without_content() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let path = format!("/v1/connections/{connection}/quarantine");
    let empty = harness.get(&path).await;
    assert_eq!(empty.json(), json!({ "data": [], "next": null }));

    let long = "x".repeat(1000);
    let unmapped = [("17", "no name"), ("18", long.as_str())];
    let run = write(&harness, connection, (vec![short(8)], &unmapped)).await;
    let answer = harness.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let expected = json!([
        {
            "problem": "unreadable",
            "entity": "units",
            "key": null,
            "place": "units.csv, line 8, column 1 (RecordNumber)",
            "reason": "the row has 3 cells, the header has 8",
            "run_id": run.to_string(),
        },
        {
            "problem": "unmapped",
            "entity": "units",
            "key": "17",
            "place": null,
            "reason": "no name",
            "run_id": null,
        },
    ]);
    let rows = body["data"].as_array().unwrap();
    assert_eq!(json!(rows[..2]), expected);
    assert_eq!(rows[2]["reason"].as_str().unwrap().chars().count(), 300);
    assert!(!answer.text.contains("content of a row"));
    let own = harness.call("GET", "/v1/quarantine", &token, None).await;
    assert_eq!(own.json(), body);
}

#[tokio::test]
async fn pages_hold_every_row_once() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let issues = (2..5).map(short).collect();
    let unmapped = [("1", "a"), ("2", "b"), ("3", "c")];
    write(&harness, connection, (issues, &unmapped)).await;
    let path = format!("/v1/connections/{connection}/quarantine");
    let whole = harness.get(&path).await.column("reason");
    assert_eq!(whole.len(), 6);
    for limit in [1, 2, 3, 4, 6] {
        let mut reasons = Vec::new();
        let mut next = Value::Null;
        loop {
            let cursor = next
                .as_str()
                .map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = harness.get(&format!("{path}?limit={limit}{cursor}")).await;
            let rows = page.column("reason");
            assert!(!rows.is_empty() && rows.len() <= limit, "{}", page.text);
            reasons.extend(rows);
            next = page.json()["next"].clone();
            if next.is_null() {
                break;
            }
        }
        assert_eq!(reasons, whole, "in pages of {limit}");
    }
    for wrong in ["limit=501", "limit=0", "cursor=e30", "reason=a"] {
        let answer = harness.get(&format!("{path}?{wrong}")).await;
        assert_eq!(answer.code(), "invalid_parameter", "{wrong}");
    }
}

#[tokio::test]
async fn nobody_sees_the_quarantine_of_another_connection() {
    let harness = Harness::new().await;
    let (first, first_token) = harness.connect().await;
    let (second, second_token) = harness.connect().await;
    write(&harness, first, (vec![short(8), short(9)], &[])).await;

    let other = harness
        .call("GET", "/v1/quarantine", &second_token, None)
        .await;
    assert_eq!(other.json()["data"], json!([]));
    let path = format!("/v1/connections/{first}/quarantine");
    for token in [&first_token, &second_token] {
        let answer = harness.call("GET", &path, token, None).await;
        assert_eq!(answer.code(), "forbidden");
    }
    let page = harness.get(&format!("{path}?limit=1")).await.json();
    let cursor = page["next"].as_str().unwrap();
    let answer = harness
        .get(&format!(
            "/v1/connections/{second}/quarantine?cursor={cursor}"
        ))
        .await;
    assert_eq!(answer.code(), "invalid_parameter", "{}", answer.text);
    let unknown = format!("/v1/connections/{}/quarantine", ConnectionId::new());
    assert_eq!(harness.get(&unknown).await.code(), "not_found");
}
