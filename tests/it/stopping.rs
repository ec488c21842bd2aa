//! `serve` is asked to end while it works.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Home, corrigo, corrigo_settings, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_was_asked_to_end_goes_on_after_the_next_start() {
    stop_a_sync(Home::new()).await;
}

pub(crate) async fn stop_a_sync(home: Home) {
    let tenant = corrigo(21, 2_000).await;
    let server = home.serve().await;
    let settings = corrigo_settings(&tenant);
    let body = json!({ "system": "corrigo", "settings": settings });
    let made = server.api.post("/v1/connections", &body).await;
    let id = made["id"].as_str().unwrap();
    until("the first page is asked for", async || {
        (tenant.data_request_count() >= 2).then_some(())
    })
    .await;
    let ended = server.terminate(20).await;
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended.succeeded();

    let server = home.serve().await;
    let own = server.api.with_key(made["token"].as_str().unwrap());
    until("the run goes on by itself and completes", async || {
        let run = server.api.newest_run(id).await?;
        (run["outcome"] == "complete").then_some(())
    })
    .await;
    assert_eq!(own.all("/v1/work-orders").await.len(), 2_000);
    server.terminate(20).await.succeeded();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let tenant = corrigo(22, 100).await;
    let home = Home::new();
    // As when the log lies on a disk that is full.
    let serve = home
        .wrenchtime(["serve", "--listen", "127.0.0.1:0", "--log", "trace"])
        .log_to("/dev/full");
    let server = home.serve_as(serve).await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), true)
        .await;
    let run = server.api.finished_run(&connection.id, None).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    server.kill();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_that_could_not_be_shown_is_not_the_last() {
    const FULL: &str = "/dev/full";
    let home = Home::new();
    let serve = || home.wrenchtime(["serve", "--listen", "127.0.0.1:0"]);
    let ended = serve().say_to(FULL).run().await;
    ended.refused(&[
        "management key could not be shown",
        "the next start shows another",
    ]);
    let ended = serve().say_to(FULL).log_to(FULL).run().await;
    assert_eq!(ended.code, Some(1), "it has no panic");
    // A command shows it where it says what goes wrong, and does its work without.
    let listed = home.wrenchtime(["connections", "--json"]).log_to(FULL);
    assert_eq!(listed.run().await.json(), [json!([])]);

    let server = home.serve().await;
    let said = server.stdout();
    let key = said
        .lines()
        .find_map(|line| line.strip_prefix("management key, shown this once: "));
    let (status, _) = server
        .api
        .with_key(key.unwrap())
        .call(Method::GET, "/v1/connections", None)
        .await;
    assert_eq!(status, StatusCode::OK);
    server.terminate(20).await.succeeded();

    // From then on there is nothing that must be seen.
    let server = home.serve_mute(serve().say_to(FULL).log_to(FULL)).await;
    assert_eq!(server.api.get("/v1/connections").await["data"], json!([]));
    let ended = home.wrenchtime(["sync", "nonsense"]).log_to(FULL).run();
    assert_eq!(ended.await.code, Some(1), "it has no panic");
    server.terminate(20).await.succeeded();
}
