//! What is sent again, and when.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{Context, ErrorKind, Retry};
use wrenchtime_transport::{Call, Verdict};

use crate::support::{Answer, Server, World, ok, profile, reply, start};

/// What came of a call: kind of error or none, and how many requests the source saw.
type Outcome = (Option<ErrorKind>, usize);

#[track_caller]
fn expect(case: &str, actual: Outcome, expected: Outcome) {
    assert_eq!(actual, expected, "{case}");
}

async fn outcome(call: Call, answers: Vec<Answer>) -> Outcome {
    let server = Server::scripted(answers).await;
    let http = World::new().runtime.http(profile(&server.url()));
    let result = http.send(&Context::new("t"), call).await;
    let seen = server.requests().len();
    if let Ok(reply) = &result {
        assert_eq!(usize::try_from(reply.attempts).unwrap(), seen);
    }
    (result.err().map(|error| error.kind()), seen)
}

fn truncated() -> Answer {
    Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"cut".to_vec())
}

fn broken_gzip() -> Answer {
    Answer::Bytes(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope".to_vec(),
    )
}

fn garbage() -> Answer {
    Answer::Bytes(b"hello?\r\n\r\n".to_vec())
}

#[tokio::test]
async fn each_failure_of_a_safe_call() {
    let passing = [
        ("408", reply(408, "", "")),
        ("425", reply(425, "", "")),
        ("429", reply(429, "", "")),
        ("500", reply(500, "", "")),
        ("502", reply(502, "", "")),
        ("503", reply(503, "", "")),
        ("504", reply(504, "", "")),
        ("dropped", Answer::Drop),
        ("truncated", truncated()),
        ("broken compression", broken_gzip()),
        ("not HTTP", garbage()),
    ];
    for (case, failure) in passing {
        expect(
            case,
            outcome(Call::get("x"), vec![failure, ok("")]).await,
            (None, 2),
        );
    }
    let lasting = [
        (301, ErrorKind::Protocol),
        (400, ErrorKind::Invalid),
        (401, ErrorKind::ReauthorizationRequired),
        (403, ErrorKind::PermissionDenied),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (412, ErrorKind::Conflict),
        (418, ErrorKind::Invalid),
        (422, ErrorKind::Invalid),
    ];
    for (status, kind) in lasting {
        let answers = vec![reply(status, "", ""), ok("")];
        expect(
            &status.to_string(),
            outcome(Call::get("x"), answers).await,
            (Some(kind), 1),
        );
    }
}

#[tokio::test]
async fn calls_that_change_something_are_sent_once() {
    let unavailable = Some(ErrorKind::Unavailable);
    let call = || Call::post_json("x", &1);
    for failure in [reply(503, "", ""), Answer::Drop, truncated()] {
        expect(
            "unsafe",
            outcome(call(), vec![failure, ok("")]).await,
            (unavailable, 1),
        );
    }
    let limited = vec![reply(429, "retry-after: 1\r\n", ""), ok("")];
    expect(
        "unsafe, limited",
        outcome(call(), limited).await,
        (Some(ErrorKind::RateLimited), 1),
    );
    expect(
        "marked",
        outcome(call().safe(), vec![reply(503, "", ""), ok("")]).await,
        (None, 2),
    );
    expect(
        "delete",
        outcome(Call::delete("x"), vec![reply(503, "", ""), ok("")]).await,
        (unavailable, 1),
    );
}

#[tokio::test]
async fn five_attempts_are_enough() {
    let answers = vec![reply(503, "", ""); 9];
    expect(
        "always 503",
        outcome(Call::get("x"), answers).await,
        (Some(ErrorKind::Unavailable), 5),
    );
}

#[tokio::test]
async fn nobody_listens() {
    let server = Server::scripted([]).await;
    let base = server.url();
    drop(server);
    let world = World::new();
    let error = world
        .runtime
        .http(profile(&base))
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.retry(), Retry::After(None));
    let (text, place) = (
        error.to_string(),
        format!("cannot connect to 127.0.0.1:{}", base.port().unwrap()),
    );
    assert!(
        text.contains(&place) && text.contains("check the address"),
        "{text}"
    );
    assert!(text.contains("attempts 5"), "{text}");
}

#[track_caller]
fn waited(world: &World, expected: Duration) {
    assert_eq!(world.waited(), expected);
}

#[tokio::test]
async fn retry_after_wins_in_both_forms() {
    for (header, seconds) in [
        ("retry-after: 7\r\n", 7),
        (
            "date: Sun, 01 Mar 2026 09:00:00 GMT\r\nretry-after: Sun, 01 Mar 2026 09:02:00 GMT\r\n",
            120,
        ),
        ("retry-after: Sun, 01 Mar 2026 12:00:30 GMT\r\n", 30),
        ("retry-after: 0\r\n", 0),
    ] {
        for status in [429, 503] {
            let server = Server::scripted([reply(status, header, ""), ok("")]).await;
            let world = World::new();
            world
                .runtime
                .http(profile(&server.url()))
                .send(&Context::new("t"), Call::get("x"))
                .await
                .unwrap();
            waited(&world, Duration::from_secs(seconds));
        }
    }
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let server = Server::scripted([reply(429, "retry-after: 3600\r\n", ""), ok("")]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let error = http
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::After(hour))
    );
    waited(&world, Duration::ZERO);
    // The next one is told without a request.
    let error = http
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::After(hour))
    );
    assert_eq!(server.requests().len(), 1);
    world.clock.advance(Duration::from_secs(3600));
    http.send(&Context::new("t"), Call::get("x")).await.unwrap();
}

#[tokio::test]
async fn a_vendor_may_say_what_is_temporary() {
    let server = Server::scripted([reply(400, "", "BUSY"), reply(500, "", "FINAL"), ok("")]).await;
    let world = World::new();
    let mut profile = profile(&server.url());
    profile.refine = |refusal| match refusal.body {
        b"BUSY" => Some(
            Verdict::new(ErrorKind::Unavailable)
                .with_retry(Retry::After(Some(Duration::from_secs(3)))),
        ),
        b"FINAL" => Some(
            Verdict::new(ErrorKind::Invalid)
                .with_message("no such filter")
                .with_context("code", "FINAL"),
        ),
        _ => None,
    };
    let error = world
        .runtime
        .http(profile)
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "acme: GET x: no such filter (status 500, code FINAL, attempts 2)"
    );
    waited(&world, Duration::from_secs(3));
}

#[tokio::test]
async fn a_deadline_is_kept() {
    let server = Server::scripted([reply(503, "retry-after: 10\r\n", ""), ok(""), ok("")]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let in_seconds =
        |seconds| Context::new("t").with_deadline(start() + TimeDelta::seconds(seconds));
    // No wait begins that would last beyond it.
    let error = http
        .send(&in_seconds(10), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(10))));
    assert_eq!(server.requests().len(), 1);
    // No request leaves after it.
    let error = http.send(&in_seconds(0), Call::get("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, "GET x: the time for it is over")
    );
    assert_eq!(server.requests().len(), 1);
    http.send(&in_seconds(1), Call::get("x")).await.unwrap();
}

#[tokio::test]
async fn a_deadline_ends_an_attempt_under_way() {
    let server = Server::scripted([Answer::Hang]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let cx = Context::new("t").with_deadline(start() + TimeDelta::milliseconds(50));
    assert_eq!(
        http.send(&cx, Call::get("x")).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_silent_source_is_given_up() {
    let server = Server::scripted([Answer::Hang, ok("")]).await;
    let world = World::new();
    let mut profile = profile(&server.url());
    profile.timeout = Duration::from_millis(50);
    let reply = world
        .runtime
        .http(profile)
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap();
    assert_eq!(reply.attempts, 2);
}

#[tokio::test]
async fn cancelling_ends_a_call_at_once() {
    let cancel = CancellationToken::new();
    let canceller = cancel.clone();
    let server = Server::answering(move |_| {
        canceller.cancel();
        Answer::Hang
    })
    .await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let cx = Context::new("t").with_cancel(cancel);
    let error = http.send(&cx, Call::get("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, "GET x: cancelled")
    );
    // Afterwards nothing is sent at all.
    http.send(&cx, Call::get("x")).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
}
