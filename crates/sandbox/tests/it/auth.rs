use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE};
use serde_json::{Value, json};

use crate::support::{Desk, options};

const NOTHING: &str = "query/WoPriority";

async fn refused(desk: &Desk, authorization: Option<&str>, company: Option<&str>) -> (u16, Value) {
    let mut request = desk.http.post(desk.url(NOTHING)).body("not json");
    if let Some(text) = authorization {
        request = request.header(AUTHORIZATION, text);
    }
    if let Some(name) = company {
        request = request.header("CompanyName", name);
    }
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

#[tokio::test]
async fn token_is_opaque_and_lives_1199_seconds() {
    let desk = Desk::open(1).await;
    let reply = desk.ask_token("sandbox-client", "sandbox-secret").await;
    assert_eq!(reply.status(), 200);
    let reply: Value = reply.json().await.unwrap();
    assert_eq!(
        (&reply["token_type"], &reply["expires_in"]),
        (&json!("bearer"), &json!(1199))
    );
    desk.sandbox.clock().advance(Duration::from_secs(1198));
    assert_eq!(desk.get("base/WoPriority/1").await.0, 200);
    desk.sandbox.clock().advance(Duration::from_secs(1));
    let (status, body) = desk.get("base/WoPriority/1").await;
    assert_eq!((status, &body["ErrorCode"]), (403, &json!("EXPIRED_TOKEN")));
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_the_path_ignores_case() {
    let desk = Desk::open(1).await;
    let reply = desk.ask_token("sandbox-client", "wrong").await;
    assert_eq!(reply.status(), 400);
    assert_eq!(
        reply.json::<Value>().await.unwrap(),
        json!({"error": "invalid_client"})
    );
    let url = desk
        .sandbox
        .token_url()
        .replace("OAuth/token", "oauth/Token");
    let form = [("grant_type", "password")];
    let reply = desk.http.post(url).form(&form).send().await.unwrap();
    assert_eq!(
        reply.json::<Value>().await.unwrap(),
        json!({"error": "unsupported_grant_type"})
    );
    // Credentials in a Basic header are not supported.
    let request = desk
        .http
        .post(desk.sandbox.token_url())
        .basic_auth("sandbox-client", Some("sandbox-secret"));
    let reply = request
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 400);
}

#[tokio::test]
async fn headers_are_checked_in_order() {
    let desk = Desk::open(1).await;
    let code = |reply: (u16, Value)| (reply.0, reply.1["ErrorCode"].as_str().unwrap().to_owned());
    let is = |status, text: &str| (status, text.to_owned());
    assert_eq!(
        code(refused(&desk, None, None).await),
        is(401, "MISSING_AUTHORIZATION_HEADER")
    );
    assert_eq!(
        code(refused(&desk, Some(&desk.token), None).await),
        is(403, "MISSING_AUTHORIZATION_SCHEME")
    );
    assert_eq!(
        code(refused(&desk, Some("Bearer x"), None).await),
        is(403, "INCORRECT_TOKEN")
    );
    assert_eq!(
        code(refused(&desk, Some("Bearer"), None).await),
        is(400, "INCORRECT_TOKEN")
    );
    let good = format!("bEARER {}", desk.token);
    assert_eq!(code(refused(&desk, Some(&good), None).await).0, 400);
    assert_eq!(
        code(refused(&desk, Some(&good), Some("Other")).await),
        is(400, "DATABASE_VERSION_MISMATCH")
    );
    assert_eq!(
        code(refused(&desk, Some(&good), Some("Example Facilities")).await),
        is(400, "DATA_PARSING_ERROR")
    );
}

#[tokio::test]
async fn company_that_moved_looks_like_a_version_mismatch() {
    let desk = Desk::open(1).await;
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().wrong_host = true);
    let (status, body) = desk.get("base/WoPriority/1").await;
    assert_eq!(
        (status, &body["ErrorCode"]),
        (400, &json!("DATABASE_VERSION_MISMATCH"))
    );
}

#[tokio::test]
async fn replies_carry_the_date_of_the_simulated_clock() {
    let desk = Desk::with(options(1)).await;
    let reply = desk
        .try_post(NOTHING, &json!({"QueryExpression": {}}))
        .await
        .unwrap();
    assert_eq!(reply.headers()[DATE], "Mon, 01 Jun 2026 12:00:00 GMT");
    assert_eq!(
        reply.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    assert_eq!(reply.headers()["cache-control"], "no-cache");
}

#[tokio::test]
async fn secret_is_in_no_debug_text() {
    let given = options(1);
    assert!(!format!("{given:?}").contains("sandbox-secret"));
    let desk = Desk::with(given).await;
    assert!(!format!("{:?}", desk.sandbox).contains("sandbox-secret"));
}
