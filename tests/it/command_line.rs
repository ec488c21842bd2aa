//! The command line, with a running service and without.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};

use crate::support::{Home, Invocation};

/// A secret that must show up nowhere.
const CANARY: &str = "canary-51d0-do-not-show";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_is_told_what_to_do() {
    tell_a_running_service(&Home::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_running_service_commands_do_it_themselves() {
    do_it_without_a_service(&Home::new()).await;
}

pub(crate) async fn tell_a_running_service(home: &Home) {
    let tenant = tenant().await;
    let server = home
        .serve_as(
            home.wrenchtime(["serve", "--listen", "127.0.0.1:0"])
                .env("WRENCHTIME_LOG", "trace"),
        )
        .await;
    let documents = connect(home, &tenant).run().await.json();
    let [connected, run] = documents.as_slice() else {
        panic!("{documents:?}");
    };
    assert_eq!(run["outcome"], "complete", "{run:#}");
    let id = connected["id"].as_str().unwrap();
    let token = connected["token"].as_str().unwrap();
    let own = server.api.with_key(token);
    assert_eq!(own.all("/v1/work-orders").await.len(), 60);

    check_commands(home, id).await;
    let shown = home.run(["connections", "show", id]).await.json();
    assert_eq!(shown[0]["status"]["state"], "active");
    let orders = ["--resource", "work_order=5m"];
    let arguments = ["connections", "schedule", id, "--every", "1h"];
    let scheduled = home.run(arguments.into_iter().chain(orders)).await;
    let scheduled = scheduled.succeeded();
    assert!(scheduled.contains("every 3600 seconds"), "{scheduled}");
    assert!(scheduled.contains("work_order: every 300"), "{scheduled}");
    let paused = home.run(["connections", "pause", id]).await;
    assert!(paused.succeeded().contains("is paused"));
    home.run(["sync", id]).await.refused(&["is paused"]);
    let resumed = home.run(["connections", "resume", id, "--json"]).await;
    assert_eq!(resumed.json()[0]["state"], "active");
    let ended = home.run(["connections", "disconnect", id]).await;
    assert!(ended.succeeded().contains("disconnected"));
    let (status, problem) = own.call(Method::GET, "/v1/work-orders", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
    let kept = format!("/v1/connections/{id}/work-orders");
    assert_eq!(server.api.all(&kept).await.len(), 60);
    let ended = home.run(["sync", id]).await;
    ended.refused(&["disconnected"]);

    let log = server.stderr();
    assert!(log.contains("TRACE"), "the log holds nothing to look into");
    assert!(!log.contains(token), "a token stands in the log");
    assert!(!log.contains(server.api.key()), "a key stands in the log");
    server.terminate(20).await.succeeded();
    home.assert_nowhere(CANARY);
}

pub(crate) async fn do_it_without_a_service(home: &Home) {
    let tenant = tenant().await;
    let documents = connect(home, &tenant).run().await.json();
    assert_eq!(documents[1]["outcome"], "complete", "{documents:#?}");
    let id = documents[0]["id"].as_str().unwrap();
    check_commands(home, id).await;

    // People see the same as tables.
    let listed = home.run(["connections"]).await.succeeded();
    assert!(listed.contains(id) && listed.contains("active"), "{listed}");
    let synced = home.run(["sync", id]).await.succeeded();
    assert!(
        synced.contains("RESOURCE") && synced.contains("work_order"),
        "{synced}"
    );

    let server = home.serve().await;
    let own = server.api.with_key(documents[0]["token"].as_str().unwrap());
    assert_eq!(own.all("/v1/work-orders").await.len(), 60);
    // The address that a killed service left behind leads nowhere.
    server.kill();
    home.run(["connections", "disconnect", id])
        .await
        .succeeded();
    let server = home.serve().await;
    let own = server.api.with_key(documents[0]["token"].as_str().unwrap());
    let (status, _) = own.call(Method::GET, "/v1/work-orders", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    server.terminate(20).await.succeeded();
    home.assert_nowhere(CANARY);
}

#[tokio::test]
async fn systems_and_the_api_document_are_shown() {
    let home = Home::new();
    let systems = home.run(["systems", "--json"]).await.json();
    let names: Vec<&Value> = systems[0]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|system| &system["system"])
        .collect();
    assert_eq!(names, ["corrigo", "express-maintenance"]);
    let asked = home.run(["systems", "corrigo"]).await.succeeded();
    assert!(asked.contains("client_secret"), "{asked}");
    let document = home.run(["openapi"]).await.json();
    assert!(document[0]["openapi"].as_str().unwrap().starts_with("3.1"));
}

async fn tenant() -> CorrigoSandbox {
    let mut options = CorrigoOptions::new(71, 60);
    CANARY.clone_into(&mut options.client_secret);
    CorrigoSandbox::start(options).await.unwrap()
}

/// Prepares `connect corrigo` with everything from the environment, as a script would.
fn connect(home: &Home, tenant: &CorrigoSandbox) -> Invocation {
    home.wrenchtime(["connect", "corrigo", "--json", "--name", "North Campus"])
        .env("WRENCHTIME_LOG", "trace")
        .env("WRENCHTIME_SETTING_COMPANY", tenant.company())
        .env("WRENCHTIME_SETTING_CLIENT_ID", tenant.client_id())
        .env("WRENCHTIME_SETTING_CLIENT_SECRET", CANARY)
        .env("WRENCHTIME_SETTING_TOKEN_URL", tenant.token_url())
        .env("WRENCHTIME_SETTING_LOCATOR_URL", tenant.host_url())
}

async fn check_commands(home: &Home, id: &str) {
    let listed = home.run(["connections", "list", "--json"]).await.json();
    let [Value::Array(connections)] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0]["id"], id);
    assert_eq!(connections[0]["name"], "North Campus");
    assert_eq!(connections[0]["state"], "active");
    for arguments in [
        vec!["sync", id, "--json"],
        vec!["sync", id, "--full", "--json"],
    ] {
        let full = arguments.contains(&"--full");
        let runs = home.run(arguments).await.json();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0]["outcome"], "complete", "{runs:#?}");
        assert_eq!(runs[0]["mode"], if full { "full" } else { "incremental" });
    }
}
