//! From a change at a source to a signed message.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use webhook_receiver::{Receiver, Verifier};

use crate::support::{Home, exports, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_signed_and_a_restart_makes_none_of_them_new() {
    let home = Home::new();
    let mut exports = exports(&home.path("exports"), 51, 150);
    let receiver = Receiver::start(
        SocketAddr::from(([127, 0, 0, 1], 0)),
        &home.path("messages.jsonl"),
    )
    .await
    .unwrap();
    let server = home.serve().await;
    let made = server
        .api
        .post(
            "/v1/webhook-endpoints",
            &json!({ "url": receiver.url(), "include_initial": true }),
        )
        .await;
    let secret = made["secret"].as_str().unwrap();
    receiver.trust(Verifier::from_secret(secret).unwrap());
    let connection = server
        .api
        .connect("express-maintenance", &exports.settings(), true)
        .await;
    server.api.finished_run(&connection.id, None).await;
    let records = connection.own.all("/v1/work-orders").await.len();
    until("the first sync's messages arrive", async || {
        (told(&receiver, "work_order").len() == records && completions(&receiver) == 1)
            .then_some(())
    })
    .await;

    // Killed with messages on their way: what is sent again has the id that it had.
    let now = exports.plant.now;
    exports.plant.mutate(1, now);
    exports.write();
    server.api.sync(&connection.id).await;
    server.kill();
    let server = home.serve().await;
    let own = server.api.with_key(connection.own.key());
    server.api.sync(&connection.id).await;
    until("everything is delivered", async || {
        let waiting = server.api.get("/v1/webhook-deliveries?state=pending").await;
        let none = waiting["data"].as_array().unwrap().is_empty();
        (none && completions(&receiver) == 3).then_some(())
    })
    .await;

    check_one_message_for_each_place(&receiver);
    assert_eq!(receiver.refused(), 0);
    let changes = own
        .feed()
        .await
        .iter()
        .filter(|entry| entry["resource"] == "work_order")
        .count();
    assert_eq!(told(&receiver, "work_order").len(), changes);
    let failed = server.api.get("/v1/webhook-deliveries?state=failed").await;
    assert_eq!(failed["data"], json!([]));
    server.terminate(20).await.succeeded();
    receiver.stop().await;
    home.assert_nowhere(secret);
}

#[track_caller]
fn check_one_message_for_each_place(receiver: &Receiver) {
    let messages = receiver.messages();
    let mut by_place: BTreeMap<u64, &str> = BTreeMap::new();
    for message in &messages {
        assert_eq!(message.body["id"], message.id.as_str());
        let place = message.body["sequence"].as_u64().unwrap();
        let twice = by_place.insert(place, &message.id);
        assert!(twice.is_none(), "one event as {twice:?} and {}", message.id);
    }
}

/// Returns the records of a resource that messages told of, in all.
fn told(receiver: &Receiver, resource: &str) -> Vec<Value> {
    let messages = receiver.messages();
    let data = messages.iter().map(|message| &message.body["data"]);
    data.filter(|data| data["resource"] == resource)
        .flat_map(|data| data["records"].as_array().unwrap().clone())
        .collect()
}

fn completions(receiver: &Receiver) -> usize {
    let messages = receiver.messages();
    messages
        .iter()
        .filter(|message| message.body["type"] == "sync.completed")
        .count()
}
