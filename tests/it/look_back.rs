//! A connection whose records do not go back to the first.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Home, corrigo, corrigo_settings, exports};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_back_as_far_as_was_asked_and_further_later() {
    let tenant = corrigo(91, 120).await;
    let home = Home::new();
    let exports = exports(&home.path("exports"), 92, 20);
    let server = home.serve().await;
    let settings = corrigo_settings(&tenant);
    let whole = server.api.connect("corrigo", &settings, true).await;
    server.api.finished_run(&whole.id, None).await;
    let all = whole.own.all("/v1/work-orders").await;
    let changed = |row: &Value| row["remote_modified_at"].as_str().map(str::to_owned);
    let mut times: Vec<String> = all.iter().filter_map(changed).collect();
    times.sort_unstable();
    let since = &times[times.len() / 2];

    // A system that does not date its rows, what is no time, and the future are refused.
    let body = |system: &str, settings: &Value, since: &str| json!({ "system": system, "settings": settings, "records_since": since });
    let others = exports.settings();
    for (system, settings, since) in [
        ("express-maintenance", &others, "90d"),
        ("corrigo", &settings, "soon"),
        ("corrigo", &settings, "2999-01-01"),
    ] {
        let body = body(system, settings, since);
        let (status, problem) = server
            .api
            .call(Method::POST, "/v1/connections", Some(&body))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem.to_string().contains("records_since"), "{problem}");
    }

    let body = body("corrigo", &settings, since);
    let made = server.api.post("/v1/connections", &body).await;
    assert_eq!(made["records_since"], json!(since));
    let id = made["id"].as_str().unwrap();
    let own = server.api.with_key(made["token"].as_str().unwrap());
    let run = server.api.finished_run(id, None).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    let recent = |row: &&Value| changed(row).is_none_or(|changed| changed >= *since);
    let expected = all.iter().filter(recent).count();
    assert!(expected < all.len());
    assert_eq!(own.all("/v1/work-orders").await.len(), expected);
    assert_eq!(
        own.all("/v1/locations").await.len(),
        whole.own.all("/v1/locations").await.len(),
        "places are not dated"
    );

    // Listing everything takes nothing away.
    let run = server.api.sync(id).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    assert_eq!(own.all("/v1/work-orders").await.len(), expected);
    home.run(["connections", "extend", id, "1d"])
        .await
        .refused(&["further"]);
    let before = run["id"].as_str();
    let said = home.run(["connections", "extend", id, "all"]).await;
    assert!(said.succeeded().contains("back to the first"));
    let run = server.api.finished_run(id, before).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    assert_eq!(own.all("/v1/work-orders").await.len(), all.len());
    server.terminate(20).await.succeeded();
}
