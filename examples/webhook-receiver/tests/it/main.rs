//! What is queued, and what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::TempDir;
use webhook_receiver::{Queue, Receiver, Verifier};

const KEY: [u8; 32] = [7; 32];

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

fn signature(id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

async fn start(folder: &TempDir) -> Receiver {
    let queue = folder.path().join("queue.jsonl");
    let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), &queue)
        .await
        .unwrap();
    receiver.trust(Verifier::from_secret(&secret()).unwrap());
    receiver
}

#[expect(
    clippy::disallowed_methods,
    reason = "the receiver goes by the machine's clock, and a client to loopback needs no policy"
)]
async fn post(receiver: &Receiver, id: &str, age: i64, (body, signed): (&str, &str)) -> u16 {
    static TLS: Once = Once::new();
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let timestamp = chrono::Utc::now().timestamp() - age;
    let reply = reqwest::Client::new()
        .post(receiver.url())
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature(id, timestamp, signed))
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    reply.status().as_u16()
}

#[tokio::test]
async fn a_signed_message_is_queued_once_and_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let receiver = start(&folder).await;
    let body = r#"{"type":"sync.completed"}"#;
    assert_eq!(post(&receiver, "msg_1", 0, (body, body)).await, 204);
    assert_eq!(post(&receiver, "msg_1", 0, (body, body)).await, 204);
    assert_eq!(receiver.messages().len(), 1);
    receiver.stop().await;
    let queue = Queue::open(&folder.path().join("queue.jsonl")).unwrap();
    assert_eq!(queue.messages()[0].id, "msg_1");
    assert_eq!(queue.messages()[0].body["type"], "sync.completed");
}

#[tokio::test]
async fn a_changed_or_old_message_is_refused() {
    let folder = TempDir::new().unwrap();
    let receiver = start(&folder).await;
    assert_eq!(
        post(&receiver, "msg_1", 0, (r#"{"a":2}"#, r#"{"a":1}"#)).await,
        401
    );
    assert_eq!(post(&receiver, "msg_1", 301, ("{}", "{}")).await, 401);
    assert_eq!(
        post(&receiver, "msg_1", 0, ("no json", "no json")).await,
        400
    );
    assert_eq!(receiver.refused(), 2);
    assert!(receiver.messages().is_empty());
    receiver.stop().await;
}

#[test]
fn a_line_cut_off_by_a_crash_is_passed_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("queue.jsonl");
    std::fs::write(
        &path,
        "{\"id\":\"msg_1\",\"body\":{}}\n{\"id\":\"msg_2\",\"bo",
    )
    .unwrap();
    let mut queue = Queue::open(&path).unwrap();
    assert_eq!(queue.messages().len(), 1);
    assert!(queue.push("msg_2", serde_json::json!({})).unwrap());
    let ids: Vec<_> = Queue::open(&path)
        .unwrap()
        .messages()
        .iter()
        .map(|one| one.id.clone())
        .collect();
    assert_eq!(ids, ["msg_1", "msg_2"]);
}
