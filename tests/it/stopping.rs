//! `serve` is asked to end while it works.

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
