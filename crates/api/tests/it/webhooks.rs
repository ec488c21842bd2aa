//! Webhook endpoints.

use http::StatusCode;
use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn an_endpoint_shows_its_secret_once() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let body = json!({
        "url": "https://example.com/hook",
        "connection_id": connection,
        "events": ["record.updated", "sync.completed"],
    });
    let made = harness.post("/v1/webhook-endpoints", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert!(
        made.json()["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    let path = made.headers["location"].to_str().unwrap();
    let one = harness.get(path).await.json();
    assert_eq!(one["secret"], json!(null));
    assert_eq!(one["events"], json!(["record.updated", "sync.completed"]));
    assert_eq!(
        harness.get("/v1/webhook-endpoints").await.json()["data"],
        json!([one])
    );
    let deliveries = harness
        .get("/v1/webhook-deliveries?state=pending")
        .await
        .json();
    assert_eq!(deliveries, json!({ "data": [], "next": null }));
    let gone = harness.call("DELETE", path, &harness.key, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(harness.get(path).await.code(), "not_found");
}

#[tokio::test]
async fn what_cannot_be_an_endpoint_is_refused() {
    let harness = Harness::new().await;
    for body in [
        json!({ "url": "nonsense" }),
        json!({ "url": "ftp://example.com" }),
        json!({ "url": "https://user:hunter2@example.com/" }),
        json!({ "url": "https://example.com", "events": ["record.eaten"] }),
        json!({}),
    ] {
        let answer = harness.post("/v1/webhook-endpoints", body).await;
        assert_eq!(answer.code(), "invalid_body", "{}", answer.text);
        assert!(!answer.text.contains("hunter2"));
    }
    let retry = "/v1/webhook-deliveries/msg_00000000000050008000000000000000/retry";
    assert_eq!(harness.post(retry, json!({})).await.code(), "not_found");
}
