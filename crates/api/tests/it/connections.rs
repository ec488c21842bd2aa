//! Connecting accounts, and what runs do.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use wrenchtime_connector::{Error, ErrorKind};

use crate::harness::Harness;

fn request(secret: &str) -> Value {
    json!({ "system": "memory", "settings": { "name": "Plant", "secret": secret } })
}

#[tokio::test]
async fn credentials_are_checked_before_anything_is_stored() {
    let harness = Harness::new().await;
    let unavailable = Error::new(ErrorKind::Unavailable, "open the account");
    let missing = json!({ "system": "memory", "settings": { "colour": "hunter2" } });
    for (body, failure, status, code) in [
        (request("wrong-hunter2"), None, 422, "credentials_refused"),
        (
            request("secret"),
            Some(unavailable),
            502,
            "source_unavailable",
        ),
        (missing, None, 400, "invalid_settings"),
        (json!({ "system": "nothing" }), None, 400, "invalid_body"),
        (
            json!({ "system": "memory", "schedule_seconds": 5 }),
            None,
            400,
            "invalid_body",
        ),
        (
            json!({ "system": "memory", "name": " " }),
            None,
            400,
            "invalid_body",
        ),
        (json!({ "settings": "hunter2" }), None, 400, "invalid_body"),
        (json!({ "sytem": "memory" }), None, 400, "invalid_body"),
    ] {
        if let Some(failure) = failure {
            harness.source.fail_next(failure);
        }
        let answer = harness.post("/v1/connections", body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.code(), code, "{}", answer.text);
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
    let answer = harness.get("/v1/connections").await;
    assert_eq!(answer.json()["data"], json!([]));
}

#[tokio::test]
async fn a_connection_shows_its_account_and_its_token_once() {
    let harness = Harness::new().await;
    let answer = harness.post("/v1/connections", request("secret")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let body = answer.json();
    assert_eq!(body["account"]["identity"], "memory-account");
    assert_eq!(body["name"], "Plant");
    assert_eq!(body["state"], "active");
    assert_eq!(body["schedule_seconds"], 900);
    let location = answer.headers["location"].to_str().unwrap();
    let again = harness.get(location).await;
    assert_eq!(again.json()["id"], body["id"]);
    assert_eq!(again.json()["token"], Value::Null);
    let answer = harness
        .call(
            "PATCH",
            location,
            &harness.key,
            Some(json!({ "schedule_seconds": 60 })),
        )
        .await;
    assert_eq!(answer.json()["schedule_seconds"], 60);
    assert_eq!(answer.json()["resource_schedule_seconds"], json!({}));
    for (change, shown) in [
        (
            json!({ "work_order": 300, "asset": 0 }),
            json!({ "work_order": 300, "asset": 0 }),
        ),
        (json!({ "work_order": null }), json!({ "asset": 0 })),
    ] {
        let body = json!({ "resource_schedule_seconds": change });
        let answer = harness
            .call("PATCH", location, &harness.key, Some(body))
            .await;
        assert_eq!(
            answer.json()["resource_schedule_seconds"],
            shown,
            "{}",
            answer.text
        );
        assert_eq!(answer.json()["schedule_seconds"], 60);
    }
    for wrong in [
        json!({ "work_order": 5 }),
        json!({ "user": 300 }),
        json!({ "rocket": 300 }),
        json!({ "work_order": "5m" }),
    ] {
        let body = json!({ "resource_schedule_seconds": wrong });
        let answer = harness
            .call("PATCH", location, &harness.key, Some(body))
            .await;
        assert_eq!(answer.code(), "invalid_body", "{}", answer.text);
    }
    let shown = harness.get(location).await.json();
    assert_eq!(shown["resource_schedule_seconds"], json!({ "asset": 0 }));
}

#[tokio::test]
async fn a_schedule_is_refused_by_the_name_of_its_field() {
    let harness = Harness::new().await;
    let (connection, _) = harness.connect().await;
    let location = format!("/v1/connections/{connection}");
    for (field, body) in [
        ("schedule_seconds", json!(5)),
        ("resource_schedule_seconds", json!({ "work_order": 5 })),
    ] {
        let body = json!({ field: body });
        let answer = harness
            .call("PATCH", &location, &harness.key, Some(body))
            .await;
        assert_eq!(
            answer.json()["errors"][0]["field"],
            field,
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn connections_are_listed_page_by_page() {
    let harness = Harness::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(harness.connect().await.0.to_string());
    }
    let mut seen = Vec::new();
    let mut path = "/v1/connections?limit=2&state=active,offline".to_owned();
    loop {
        let answer = harness.get(&path).await;
        seen.extend(answer.column("id"));
        match answer.json()["next"].as_str() {
            Some(next) => path = format!("/v1/connections?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let answer = harness.get("/v1/connections?state=paused").await;
    assert_eq!(answer.json()["data"], json!([]));
}

#[tokio::test]
async fn a_sync_on_demand_reads_the_source_and_shows_in_status_and_runs() {
    let harness = Harness::new().await;
    harness.service.start(None).await.unwrap();
    for number in 0..3 {
        let key = number.to_string();
        harness.source.put(
            "assets",
            &key,
            json!({ "name": format!("Pump {key}") }),
            None,
        );
    }
    let (connection, token) = harness.connect().await;
    let path = format!("/v1/connections/{connection}");
    let before = harness.call("GET", "/v1/assets", &token, None).await.json();
    assert_eq!(before["complete"], false);
    let answer = harness
        .post(&format!("{path}/syncs"), json!({ "mode": "full" }))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let status = wait_for_run(&harness, &path).await;
    assert_eq!(status["last_run"]["outcome"], "complete", "{status}");
    assert_eq!(status["last_run"]["resources"]["asset"]["created"], 3);

    let list = harness.call("GET", "/v1/assets", &token, None).await;
    assert_eq!(list.json()["complete"], true);
    assert_eq!(list.json()["data"].as_array().unwrap().len(), 3);
    let fresh = harness.get(&format!("{path}/sync-status")).await.json();
    let assets = fresh["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["resource"] == "asset")
        .unwrap();
    assert_eq!(assets["records"], 3);
    assert_eq!(assets["complete"], true);
    assert!(assets["last_synced_at"].as_str() <= fresh["next_modified_after"].as_str());

    let runs = harness.get(&format!("{path}/syncs")).await.json();
    let run = runs["data"][0]["id"].as_str().unwrap();
    let one = harness.get(&format!("{path}/syncs/{run}")).await.json();
    assert_eq!(one["mode"], "full");
    harness.service.shutdown().await;
    let answer = harness.post(&format!("{path}/syncs"), json!({})).await;
    assert_eq!(answer.code(), "unavailable");
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn refused_credentials_close_data_calls_and_leave_status_open() {
    let harness = Harness::new().await;
    harness.service.start(None).await.unwrap();
    let (connection, token) = harness.connect().await;
    let path = format!("/v1/connections/{connection}");
    harness.source.set_secret("changed");
    harness.post(&format!("{path}/syncs"), json!({})).await;
    let status = wait_for_run(&harness, &path).await;
    assert_eq!(status["state"], "reauthorization_required", "{status}");
    for data in ["/v1/assets", "/v1/changes", "/v1/work-orders?limit=1"] {
        let answer = harness.call("GET", data, &token, None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.code(), "reauthorization_required");
    }
    let answer = harness.call("GET", "/v1/sync-status", &token, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = harness.post(&format!("{path}/syncs"), json!({})).await;
    assert_eq!(answer.code(), "connection_state");

    let give = async |secret: &str, key: &str| {
        let body = json!({
            "settings": { "name": "Plant", "secret": secret },
            "schedule_seconds": 60,
        });
        harness.call("PATCH", &path, key, Some(body)).await
    };
    let answer = give("changed", &token).await;
    assert_eq!(answer.code(), "forbidden", "{}", answer.text);
    let answer = give("wrong-hunter2", &harness.key).await;
    assert_eq!(answer.code(), "credentials_refused", "{}", answer.text);
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    harness.source.set_identity("another");
    let answer = give("changed", &harness.key).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.code(), "account_mismatch", "{}", answer.text);
    let before = harness.get(&path).await.json();
    assert_eq!(before["state"], "reauthorization_required");
    assert_eq!(before["schedule_seconds"], Value::Null);
    harness.source.set_identity("memory-account");
    let answer = give("changed", &harness.key).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["state"], "active");
    assert_eq!(answer.json()["schedule_seconds"], 60);
    let answer = harness.call("GET", "/v1/assets", &token, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);

    for (body, code) in [
        (json!({}), "invalid_body"),
        (
            json!({ "settings": { "secret": "changed" } }),
            "invalid_settings",
        ),
        (json!({ "settings": "changed" }), "invalid_body"),
    ] {
        let answer = harness.call("PATCH", &path, &harness.key, Some(body)).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
    }
    harness.call("DELETE", &path, &harness.key, None).await;
    let answer = give("changed", &harness.key).await;
    assert_eq!(answer.code(), "connection_state", "{}", answer.text);
    harness.service.shutdown().await;
}

#[tokio::test]
async fn a_pause_refuses_syncs_and_serves_what_is_stored() {
    let harness = Harness::new().await;
    harness.service.start(None).await.unwrap();
    harness.source.put("assets", "1", json!({}), None);
    let (connection, token) = harness.connect().await;
    let path = format!("/v1/connections/{connection}");
    harness.post(&format!("{path}/syncs"), json!({})).await;
    wait_for_run(&harness, &path).await;
    let step = async |what: &str, key: &str| {
        let path = format!("{path}/{what}");
        harness.call("POST", &path, key, None).await
    };
    let answer = step("pause", &token).await;
    assert_eq!(answer.code(), "forbidden", "{}", answer.text);
    for _ in 0..2 {
        let answer = step("pause", &harness.key).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json()["state"], "paused");
    }
    let answer = harness.post(&format!("{path}/syncs"), json!({})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.code(), "connection_state");
    assert!(answer.text.contains("is paused"), "{}", answer.text);
    let listed = harness.get("/v1/connections?state=paused").await;
    assert_eq!(listed.column("id"), [connection.to_string()]);
    for shown in [path.clone(), format!("{path}/status")] {
        assert_eq!(harness.get(&shown).await.json()["state"], "paused");
    }
    let list = harness.call("GET", "/v1/assets", &token, None).await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert!(list["stale_since"].is_string(), "{list}");
    let answer = step("resume", &harness.key).await;
    assert_eq!(answer.json()["state"], "active", "{}", answer.text);
    let answer = harness.post(&format!("{path}/syncs"), json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    harness.call("DELETE", &path, &harness.key, None).await;
    for what in ["pause", "resume"] {
        let answer = step(what, &harness.key).await;
        assert_eq!(answer.code(), "connection_state", "{}", answer.text);
    }
    harness.service.shutdown().await;
}

/// Waits until a run was made and the connection is at rest.
async fn wait_for_run(harness: &Harness, path: &str) -> Value {
    for _ in 0..1000 {
        let status = harness.get(&format!("{path}/status")).await.json();
        let refused = status["state"] == "reauthorization_required";
        if status["last_run"]["finished_at"].is_string()
            && status["syncing"].is_null()
            && (refused || status["last_run"]["outcome"] != "failed")
        {
            return status;
        }
        tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>())
            .await
            .unwrap_err();
    }
    unreachable!("no run was made")
}
