//! Problems: a closed list, a page each, an id in every reply.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use wrenchtime_api::ProblemCode;

use crate::harness::Harness;

#[tokio::test]
async fn every_code_has_a_page_that_explains_it() {
    let harness = Harness::new().await;
    for code in ProblemCode::ALL {
        let answer = harness
            .call("GET", &format!("/problems/{}", code.name()), "", None)
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.text, code.page());
        let first = answer.text.lines().next().unwrap();
        assert_eq!(first, format!("# {}", code.title()), "{}", code.name());
        let second = format!("Status {}, code `{}`.", code.status().as_u16(), code.name());
        assert!(answer.text.contains(&second), "{second}");
        assert!(answer.text.contains("**What to do.**"), "{}", code.name());
    }
}

#[test]
fn every_page_has_a_code() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let codes = ProblemCode::ALL
        .iter()
        .map(|code| format!("{}.md", code.name()))
        .collect();
    assert_eq!(pages, codes);
}

#[tokio::test]
async fn a_problem_says_what_happened_and_carries_the_requests_id() {
    let harness = Harness::new().await;
    for (method, path, secret, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/v1/systems", "", 401),
        ("PUT", "/v1/systems", harness.key.as_str(), 405),
        ("GET", "/v1/systems/nothing", harness.key.as_str(), 404),
        ("GET", "/v1/systems?x=1", harness.key.as_str(), 400),
        (
            "GET",
            "/v1/connections/00000000-0000-7000-8000-000000000000",
            harness.key.as_str(),
            404,
        ),
    ] {
        let answer = harness.call(method, path, secret, None).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let body = answer.json();
        assert_eq!(body["status"], status);
        assert_eq!(
            body["request_id"],
            answer.headers["x-request-id"].to_str().unwrap()
        );
        assert_eq!(body["type"], format!("/problems/{}", answer.code()));
    }
    let answer = harness.call("PUT", "/v1/systems", &harness.key, None).await;
    assert_eq!(answer.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let harness = Harness::new().await;
    let post = |kind: &str, body: Body| {
        Request::post("/v1/connections")
            .header("authorization", format!("Bearer {}", harness.key))
            .header("content-type", kind)
            .body(body)
            .unwrap()
    };
    let large = || "x".repeat(3000);
    let pieces =
        futures_util::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>("x".repeat(1000))));
    let never = futures_util::stream::pending::<Result<String, std::io::Error>>();
    for (kind, body, code) in [
        ("text/plain", Body::from("{}"), "unsupported_media_type"),
        ("application/json", Body::from("{"), "invalid_body"),
        ("application/json", Body::from("[]"), "invalid_body"),
        ("application/json", Body::from(large()), "body_too_large"),
        (
            "application/json",
            Body::from_stream(pieces),
            "body_too_large",
        ),
        (
            "application/json",
            Body::from_stream(never),
            "request_timeout",
        ),
    ] {
        let answer = harness.send(post(kind, body)).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_store_that_fails_tells_nothing_of_itself() {
    let harness = Harness::new().await;
    harness.store.close().await;
    let answer = harness.call("GET", "/readyz", "", None).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["detail"], json!(null));
    let answer = harness.call("GET", "/healthz", "", None).await;
    assert_eq!(answer.status, StatusCode::OK);
}
