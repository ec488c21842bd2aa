//! A source that changes its secret, and a connection that is given the new one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};

use crate::support::{Home, Invocation, TENANT_RESOURCES, corrigo_settings, until};

const OLD: &str = "canary-old-77a1-do-not-show";
const NEW: &str = "canary-new-77a1-do-not-show";
const SECRET: &str = "WRENCHTIME_SETTING_CLIENT_SECRET";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_secret_is_given_and_everything_stays() {
    let tenant = tenant(OLD, 0).await;
    let home = Home::new();
    let server = home.serve().await;
    let settings = corrigo_settings(&tenant);
    let made = server.api.connect("corrigo", &settings, true).await;
    server.api.finished_run(&made.id, None).await;
    let records = made.own.records(&TENANT_RESOURCES).await;
    assert!(!records.is_empty());

    let url = tenant.host_url();
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let port = port.parse().unwrap();
    tenant.stop().await;
    let changed = self::tenant(NEW, port).await;
    server.api.start_sync(&made.id, "incremental").await;
    let path = format!("/v1/connections/{}", made.id);
    until("the secret is refused", async || {
        let status = server.api.get(&format!("{path}/status")).await;
        (status["state"] == "reauthorization_required").then_some(())
    })
    .await;
    let (status, problem) = made.own.call(Method::GET, "/v1/work-orders", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");

    let ended = reauthorize(&home, &made.id, &changed)
        .env(SECRET, OLD)
        .run();
    ended
        .await
        .refused(&["client id and secret are not accepted"]);
    let ended = reauthorize(&home, &made.id, &changed).run().await;
    ended.refused(&["client_secret", SECRET]);
    let still = server.api.get(&path).await;
    assert_eq!(still["state"], "reauthorization_required");

    let ended = reauthorize(&home, &made.id, &changed)
        .env(SECRET, NEW)
        .run();
    let said = ended.await.succeeded();
    assert!(said.contains("reauthorization_required"), "{said}");
    assert!(said.contains("is active now"), "{said}");
    let after = server.api.get(&path).await;
    assert_eq!(
        (&after["id"], &after["state"]),
        (&json!(made.id), &json!("active"))
    );
    // The token that was given at first still serves the same records.
    assert_eq!(made.own.records(&TENANT_RESOURCES).await, records);
    let told: Vec<Value> = made.own.feed().await;
    let told: Vec<&str> = told
        .iter()
        .filter_map(|event| event["type"].as_str())
        .filter(|name| name.starts_with("connection."))
        .collect();
    assert_eq!(
        told,
        ["connection.reauthorization_required", "connection.online"]
    );
    server.terminate(20).await.succeeded();
    home.assert_nowhere(OLD);
    home.assert_nowhere(NEW);
}

async fn tenant(secret: &str, port: u16) -> CorrigoSandbox {
    let mut options = CorrigoOptions::new(81, 60);
    secret.clone_into(&mut options.client_secret);
    CorrigoSandbox::start_on(options, port).await.unwrap()
}

/// Prepares `connections reauthorize` with all settings but the secret.
fn reauthorize(home: &Home, id: &str, tenant: &CorrigoSandbox) -> Invocation {
    let settings = corrigo_settings(tenant);
    let mut arguments = vec![
        "connections".to_owned(),
        "reauthorize".to_owned(),
        id.to_owned(),
    ];
    for (name, value) in settings.as_object().unwrap() {
        if name != "client_secret" {
            arguments.push("--set".to_owned());
            arguments.push(format!("{name}={}", value.as_str().unwrap()));
        }
    }
    home.wrenchtime(arguments.iter().map(String::as_str))
}
