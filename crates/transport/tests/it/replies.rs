//! What is made of replies.

use serde::Deserialize;
use wrenchtime_connector::{Context, ErrorKind, Retry};
use wrenchtime_egress::Policy;
use wrenchtime_transport::{Auth, Call};

use crate::support::{Answer, Server, World, ok, profile, reply};

#[derive(Debug, Deserialize, PartialEq)]
struct Pump {
    id: u32,
}

#[tokio::test]
async fn malformed_json_is_asked_for_again_where_it_is_safe() {
    let server = Server::scripted([ok(r#"{"id":"#), ok("<html>"), ok("\u{feff}{\"id\":7}")]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let pump = http
        .send_json::<Pump>(&Context::new("t"), Call::get("pump"))
        .await
        .unwrap();
    assert_eq!((pump.value, pump.reply.attempts), (Pump { id: 7 }, 3));

    let server = Server::scripted([ok(r#"{"id":"#), ok(r#"{"id":7}"#)]).await;
    let http = world.runtime.http(profile(&server.url()));
    let error = http
        .send_json::<Pump>(&Context::new("t"), Call::post_json("pump", &1))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), server.requests().len()),
        (ErrorKind::Protocol, 1)
    );
}

#[tokio::test]
async fn json_of_another_shape_is_not_asked_for_again() {
    let server = Server::scripted([reply(
        200,
        "content-type: application/json\r\n",
        r#"{"id":"abc","n":[1]}"#,
    )])
    .await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let error = http
        .send_json::<Pump>(&Context::new("t"), Call::get("pump"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Protocol, Retry::After(None))
    );
    assert_eq!(
        error.to_string(),
        "acme: GET pump: the reply is JSON of another shape than expected, at line 1 column 11 \
         (status 200, content_type application/json, bytes 20, shape {id:text,n:[number]})"
    );
}

#[tokio::test]
async fn a_reply_can_be_read_later() {
    let server =
        Server::scripted([ok(r#"{"id":"#), ok("\u{1F527}"), Answer::Bytes(not_text())]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    for what in ["ends too early", "is not JSON", "is not UTF-8 text"] {
        let reply = http
            .send(&Context::new("t"), Call::get("pump"))
            .await
            .unwrap();
        let error = reply.json::<Pump>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains(what), "{error}");
    }
}

fn not_text() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n\xff\xfe".to_vec()
}

#[tokio::test]
async fn long_replies_are_not_swallowed() {
    let server = Server::scripted([
        ok(&"x".repeat(1000)),
        ok(&"x".repeat(1001)),
        Answer::Bytes(bomb()),
    ])
    .await;
    let world = World::new();
    let mut profile = profile(&server.url());
    profile.max_reply_bytes = 1000;
    let http = world.runtime.http(profile);
    http.send(&Context::new("t"), Call::get("x")).await.unwrap();
    for case in ["plain", "packed"] {
        let error = http
            .send(&Context::new("t"), Call::get("x"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Protocol, Retry::Never),
            "{case}: {error}"
        );
    }
    assert_eq!(server.requests().len(), 3);
}

/// A short reply of 5000 bytes, each a blank.
fn bomb() -> Vec<u8> {
    let packed = PACKED_BLANKS;
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    bytes.extend_from_slice(packed);
    bytes
}

const PACKED_BLANKS: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 237, 193, 49, 1, 0, 0, 0, 194, 160, 42, 235, 159, 210, 20,
    126, 64, 1, 0, 0, 0, 0, 111, 3, 96, 44, 11, 135, 136, 19, 0, 0,
];

#[tokio::test]
async fn packed_replies_are_unpacked() {
    let server = Server::scripted([Answer::Bytes(bomb())]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let reply = http.send(&Context::new("t"), Call::get("x")).await.unwrap();
    assert_eq!(reply.body, " ".repeat(5000));
    let request = server.requests().remove(0);
    assert!(request.contains("accept-encoding: gzip\r\n"), "{request}");
    assert!(request.contains("user-agent: wrenchtime/"), "{request}");
}

#[tokio::test]
async fn the_sources_clock_is_told() {
    let server = Server::scripted([
        reply(200, "date: Sun, 01 Mar 2026 11:59:57 GMT\r\n", ""),
        ok(""),
    ])
    .await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let reply = http.send(&Context::new("t"), Call::get("x")).await.unwrap();
    assert_eq!(
        reply.source_time,
        Some("2026-03-01T11:59:57Z".parse().unwrap())
    );
    let reply = http.send(&Context::new("t"), Call::get("x")).await.unwrap();
    assert_eq!(reply.source_time, None);
}

#[tokio::test]
async fn calls_arrive_as_written() {
    let server = Server::answering(|_| ok("")).await;
    let world = World::new();
    let http = world
        .runtime
        .http(profile(&server.url().join("api").unwrap()));
    let cx = Context::new("t");
    http.send(&cx, Call::get("a b/c").query("q", "x&y=é").query("n", 5))
        .await
        .unwrap();
    http.send(&cx, Call::post_json("p", &serde_json::json!({ "k": [1] })))
        .await
        .unwrap();
    http.send(&cx, Call::post_form("f", [("grant", "a b"), ("x", "&")]))
        .await
        .unwrap();
    let requests = server.requests();
    assert!(
        requests[0].starts_with("GET /api/a%20b/c?q=x%26y%3D%C3%A9&n=5 HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert!(
        requests[1].contains("content-type: application/json\r\n"),
        "{}",
        requests[1]
    );
    assert!(
        requests[1].ends_with("\r\n\r\n{\"k\":[1]}"),
        "{}",
        requests[1]
    );
    assert!(
        requests[2].contains("content-type: application/x-www-form-urlencoded\r\n"),
        "{}",
        requests[2]
    );
    assert!(
        requests[2].ends_with("\r\n\r\ngrant=a+b&x=%26"),
        "{}",
        requests[2]
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::scripted([ok("")]).await;
    let server =
        Server::scripted([reply(302, &format!("location: {}\r\n", other.url()), "")]).await;
    let world = World::new();
    let error = world
        .runtime
        .http(profile(&server.url()))
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Protocol, Retry::Never)
    );
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn addresses_that_may_not_be_reached_get_no_request() {
    let server = Server::scripted([ok("")]).await;
    let world = World::with(|options| options.egress = Policy::strict());
    let local = |scheme: &str, host: &str| format!("{scheme}://{host}:{}/", server.address.port());
    for base in [
        local("http", "127.0.0.1"),
        local("https", "127.0.0.1"),
        local("https", "localhost"),
    ] {
        let http = world.runtime.http(profile(&base.parse().unwrap()));
        let error = http
            .send(&Context::new("t"), Call::get("x"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Invalid, Retry::Never),
            "{error}"
        );
        assert!(error.to_string().contains("allowed addresses"), "{error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn names_are_resolved_where_the_policy_allows_it() {
    let server = Server::scripted([ok("")]).await;
    let world = World::new();
    let base = format!("http://localhost:{}/", server.address.port())
        .parse()
        .unwrap();
    world
        .runtime
        .http(profile(&base))
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap();
}

#[tokio::test]
async fn credentials_stay_with_the_account() {
    let (own, other) = (
        Server::answering(|_| ok("")).await,
        Server::answering(|_| ok("")).await,
    );
    let world = World::new();
    let mut profile = profile(&own.url());
    profile.auth = Auth::Basic {
        user: "u".to_owned(),
        password: "p".into(),
    };
    profile.headers = vec![("company".parse().unwrap(), "Acme".into())];
    let http = world.runtime.http(profile);
    let cx = Context::new("t");
    http.send(&cx, Call::get(own.url().join("next?page=2").unwrap()))
        .await
        .unwrap();
    http.send(&cx, Call::get(other.url())).await.unwrap();
    let (own, other_requests) = (own.requests().remove(0), other.requests());
    assert!(
        own.contains("authorization: Basic dTpw\r\n") && own.contains("company: Acme\r\n"),
        "{own}"
    );
    let stranger = &other_requests[0];
    assert!(
        !stranger.contains("authorization") && !stranger.contains("company"),
        "{stranger}"
    );
    // Unless the account itself moves there.
    http.at(other.url())
        .send(&cx, Call::get("x"))
        .await
        .unwrap();
    assert!(other.requests()[1].contains("authorization: Basic dTpw\r\n"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let world = World::new();
    let mut profile = profile(&"http://127.0.0.1:1/".parse().unwrap());
    profile.base_url = None;
    let http = world.runtime.http(profile.clone());
    let error = http
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "acme: GET x: the account has no base address"
    );

    profile.auth = Auth::Header {
        name: "x-key".parse().unwrap(),
        value: "canary\n".into(),
    };
    let http = world.runtime.http(profile);
    let call = Call::get("http://127.0.0.1:1/".parse::<url::Url>().unwrap());
    let error = http.send(&Context::new("t"), call).await.unwrap_err();
    assert!(
        error.to_string().contains("the header x-key") && !error.to_string().contains("canary"),
        "{error}"
    );

    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let base = "http://127.0.0.1:1/".parse().unwrap();
    let http = world.runtime.http(crate::support::profile(&base));
    let error = http
        .send(&Context::new("t"), Call::post_json("x", &Unwritable))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
