use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wrenchtime_sandbox::Fault;

use crate::support::Desk;

const ORDERS: &str = "query/WorkOrder";

fn all() -> Value {
    json!({"QueryExpression": {}})
}

#[tokio::test]
async fn too_many_requests_with_and_without_delay() {
    let desk = Desk::open(3).await;
    desk.sandbox.faults().inject(Fault::TooManyRequests {
        retry_after: Some(7),
    });
    desk.sandbox
        .faults()
        .inject(Fault::TooManyRequests { retry_after: None });
    let first = desk.try_post(ORDERS, &all()).await.unwrap();
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "7")
    );
    let second = desk.try_post(ORDERS, &all()).await.unwrap();
    assert_eq!(
        (
            second.status().as_u16(),
            second.headers().get("retry-after")
        ),
        (429, None)
    );
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
}

#[tokio::test]
async fn server_error_drop_truncation_and_nonsense() {
    let desk = Desk::open(50).await;
    let faults = desk.sandbox.faults();
    faults.inject(Fault::ServerError(503));
    assert_eq!(desk.try_post(ORDERS, &all()).await.unwrap().status(), 503);
    // A client may repeat on a fresh connection by itself what a reused one dropped, so drop twice.
    faults.inject_times(2, Fault::Drop);
    let before = desk.sandbox.request_count();
    assert!(desk.try_post(ORDERS, &all()).await.is_err());
    let dropped = desk.sandbox.request_count() - before;
    assert!(
        desk.sandbox
            .requests()
            .iter()
            .rev()
            .take(usize::try_from(dropped).unwrap())
            .all(|entry| entry.status == 0)
    );
    faults.clear();
    faults.inject(Fault::Truncate);
    let cut = desk.try_post(ORDERS, &all()).await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.content_length().unwrap() > 1000);
    assert!(cut.bytes().await.is_err());
    faults.inject(Fault::Malformed);
    let odd = desk.try_post(ORDERS, &all()).await.unwrap();
    assert_eq!(odd.status(), 200);
    assert!(odd.json::<Value>().await.is_err());
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
}

#[tokio::test]
async fn expired_token_stays_expired() {
    let mut desk = Desk::open(3).await;
    desk.sandbox.faults().inject(Fault::ExpiredToken);
    for _ in 0..2 {
        let (status, body) = desk.post(ORDERS, &all()).await;
        assert_eq!((status, &body["ErrorCode"]), (403, &json!("EXPIRED_TOKEN")));
    }
    desk.sign_in().await;
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
}

#[tokio::test]
async fn slow_replies_are_late_but_right() {
    let desk = Desk::open(3).await;
    desk.sandbox
        .faults()
        .inject(Fault::Slow(Duration::from_millis(60)));
    let start = Instant::now();
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn unknown_fields_and_members_appear_once() {
    let desk = Desk::open(3).await;
    let plain = desk.post(ORDERS, &all()).await.1;
    desk.sandbox.faults().inject(Fault::UnknownField);
    desk.sandbox.faults().inject(Fault::UnknownEnumMember);
    let field = desk.post(ORDERS, &all()).await.1;
    let member = desk.post(ORDERS, &all()).await.1;
    for index in 0..3 {
        assert!(
            field["Entities"][index]["Data"]
                .get("AddedByTheVendor")
                .is_some()
        );
        assert_eq!(member["Entities"][index]["Data"]["StatusId"], "Unforeseen");
    }
    assert_eq!(desk.post(ORDERS, &all()).await.1, plain);
}

#[tokio::test]
async fn faults_hit_data_requests_by_index_and_tokens_apart() {
    let desk = Desk::open(3).await;
    desk.sandbox.faults().inject_at(1, Fault::ServerError(500));
    desk.sandbox.faults().inject_token(Fault::ServerError(502));
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
    assert_eq!(
        desk.ask_token("sandbox-client", "sandbox-secret")
            .await
            .status(),
        502
    );
    assert_eq!(
        desk.ask_token("sandbox-client", "sandbox-secret")
            .await
            .status(),
        200
    );
    assert_eq!(desk.try_post(ORDERS, &all()).await.unwrap().status(), 500);
    assert_eq!(desk.post(ORDERS, &all()).await.0, 200);
    let log = desk.sandbox.requests();
    let data: Vec<_> = log.iter().filter(|entry| entry.is_data()).collect();
    assert_eq!(data.len(), 3);
    assert_eq!(data[1].fault, Some(Fault::ServerError(500)));
    assert_eq!(
        (data[2].entity, data[2].rows, data[2].method.as_str()),
        (Some("WorkOrder"), 3, "POST")
    );
}

#[tokio::test]
async fn stopping_frees_the_port() {
    let desk = Desk::open(1).await;
    let url = desk.url(ORDERS);
    desk.sandbox.stop().await;
    assert!(desk.http.get(&url).send().await.is_err());
    let port = url
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('/').next())
        .unwrap()
        .parse()
        .unwrap();
    let again =
        wrenchtime_sandbox::corrigo::CorrigoSandbox::start_on(crate::support::options(1), port)
            .await
            .unwrap();
    let taken =
        wrenchtime_sandbox::corrigo::CorrigoSandbox::start_on(crate::support::options(1), port)
            .await;
    assert!(taken.unwrap_err().to_string().contains(&port.to_string()));
    again.stop().await;
}
