//! Who may ask what.

use http::StatusCode;
use serde_json::{Value, json};
use wrenchtime_service::Actor;

use crate::harness::Harness;

/// Every operation of the document: method, path with ids filled in, and the kinds of secrets that it takes.
fn operations(connection: &str) -> Vec<(String, String, Vec<String>)> {
    let document = wrenchtime_api::openapi_document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let kinds = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|one| one.as_object().unwrap().keys().cloned())
                .collect();
            let path = path
                .replace("{connection_id}", connection)
                .replace("{record_id}", "00000000-0000-5000-8000-000000000000")
                .replace("{run_id}", "00000000-0000-7000-8000-000000000000")
                .replace("{endpoint_id}", "00000000-0000-7000-8000-000000000000")
                .replace("{delivery_id}", "msg_00000000000050008000000000000000")
                .replace("{system}", "memory")
                .replace("{resource}", "asset")
                .replace("{code}", "internal");
            operations.push((method.to_uppercase(), path, kinds));
        }
    }
    operations
}

#[tokio::test]
async fn every_route_lets_in_whom_the_document_names_and_nobody_else() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let mut seen = 0;
    for (method, path, kinds) in operations(&connection.to_string()) {
        // Ending the connection here would void the token for what follows.
        if method == "DELETE" && path.ends_with(&connection.to_string()) {
            continue;
        }
        seen += 1;
        for (kind, secret) in [
            ("", ""),
            ("", "wtm_unknown"),
            ("", "wtc_unknown"),
            ("", "something"),
            ("management_key", harness.key.as_str()),
            ("connection_token", token.as_str()),
        ] {
            let body = (method != "GET").then(|| json!({}));
            let answer = harness.call(&method, &path, secret, body).await;
            let allowed = kinds.is_empty() || kinds.iter().any(|one| one == kind);
            let refused = match answer.code().as_str() {
                "unauthorized" => Some(""),
                "forbidden" => Some("other"),
                _ => None,
            };
            let expected = match (allowed, kind) {
                (true, _) => None,
                (false, "") => Some(""),
                (false, _) => Some("other"),
            };
            assert_eq!(
                refused, expected,
                "{method} {path} {secret}: {}",
                answer.text
            );
            assert_ne!(
                answer.status,
                StatusCode::INTERNAL_SERVER_ERROR,
                "{method} {path}"
            );
        }
    }
    assert!(seen > 40, "{seen}");
}

#[tokio::test]
async fn a_token_sees_only_its_own_connection() {
    let harness = Harness::new().await;
    let (first, first_token) = harness.connect().await;
    let (second, second_token) = harness.connect().await;
    let ids = async |token: &str| -> Value {
        harness.call("GET", "/v1/status", token, None).await.json()["connection_id"].clone()
    };
    assert_eq!(ids(&first_token).await, json!(first.to_string()));
    assert_eq!(ids(&second_token).await, json!(second.to_string()));
}

#[tokio::test]
async fn a_revoked_key_is_void_at_once() {
    let harness = Harness::new().await;
    let keys = harness.service.keys().await.unwrap();
    assert!(
        harness
            .service
            .revoke_key(keys[0].id, &Actor::CommandLine)
            .await
            .unwrap()
    );
    let answer = harness.get("/v1/systems").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_disconnected_connection_is_read_with_the_management_key_alone() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let path = format!("/v1/connections/{connection}");
    let answer = harness.call("DELETE", &path, &harness.key, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["state"], "disconnected");
    let answer = harness.call("GET", "/v1/assets", &token, None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = harness.get(&format!("{path}/assets")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = harness.call("DELETE", &path, &harness.key, None).await;
    assert_eq!(answer.code(), "connection_state");
    let answer = harness.post(&format!("{path}/syncs"), json!({})).await;
    assert_eq!(answer.code(), "connection_state");
}
