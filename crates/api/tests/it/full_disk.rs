//! What is answered while the store takes no writes.

use http::StatusCode;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::harness::Harness;

/// Writing to any of these fails, as where there is no room left.
const TABLES: [&str; 4] = [
    "meta",
    "connection_details",
    "webhook_endpoints",
    "webhook_deliveries",
];
const EVENTS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

async fn say(harness: &Harness, statements: impl Fn(&str, &str) -> String) {
    let options = SqliteConnectOptions::new().filename(harness.store.file());
    let mut intruder = SqliteConnection::connect_with(&options).await.unwrap();
    for table in TABLES {
        for event in EVENTS {
            let statement = AssertSqlSafe(statements(table, event));
            intruder.execute(statement).await.unwrap();
        }
    }
    intruder.close().await.unwrap();
}

async fn fill(harness: &Harness) {
    let trap = |table: &str, event: &str| {
        format!(
            "CREATE TRIGGER full_{table}_{event} BEFORE {event} ON {table} \
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    };
    say(harness, trap).await;
}

async fn make_room(harness: &Harness) {
    say(harness, |table, event| {
        format!("DROP TRIGGER full_{table}_{event}")
    })
    .await;
}

#[tokio::test]
async fn every_write_is_refused_alike_until_there_is_room() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let hook = json!({ "url": "https://example.com/hook" });
    let made = harness.post("/v1/webhook-endpoints", hook.clone()).await;
    let endpoint = made.headers["location"].to_str().unwrap().to_owned();
    fill(&harness).await;
    assert_eq!(harness.get("/readyz").await.status, StatusCode::OK);
    let schedule = Some(json!({ "schedule_seconds": 60 }));
    let connection = format!("/v1/connections/{connection}");
    for (method, path, body) in [
        ("PATCH", connection.as_str(), schedule.clone()),
        ("POST", "/v1/webhook-endpoints", Some(hook)),
        ("DELETE", endpoint.as_str(), None),
    ] {
        let answer = harness.call(method, path, &harness.key, body).await;
        assert_eq!(answer.code(), "unavailable", "{path}: {}", answer.text);
        assert_eq!(answer.headers["retry-after"], "5");
        assert!(!answer.text.contains("full"), "{}", answer.text);
    }
    for _ in 0..2 {
        let answer = harness.call("GET", "/readyz", "", None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.code(), "unavailable");
    }
    assert_eq!(harness.get("/healthz").await.status, StatusCode::OK);
    let shown = harness.get(&connection).await;
    assert_eq!(shown.json()["schedule_seconds"], json!(null));

    make_room(&harness).await;
    harness.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(harness.get("/readyz").await.status, StatusCode::OK);
    let answer = harness
        .call("PATCH", &connection, &harness.key, schedule)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}
