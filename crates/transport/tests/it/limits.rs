//! The budget of an account, over several clients.

use std::time::Duration;

use wrenchtime_connector::{Context, ErrorKind};
use wrenchtime_transport::{Call, Quota};

use crate::support::{Server, World, ok, profile, reply};

#[tokio::test]
async fn clients_of_one_account_share_a_budget() {
    let server = Server::answering(|_| ok("")).await;
    let world = World::new();
    let client = |account: &str| {
        let mut profile = profile(&server.url());
        profile.account = Some(account.to_owned());
        profile.quota = Quota {
            per_second: 1,
            burst: 2,
        };
        world.runtime.http(profile)
    };
    let (one, two, other) = (client("a"), client("a"), client("b"));
    let cx = Context::new("t");
    for http in [&one, &two, &other, &other] {
        http.send(&cx, Call::get("x")).await.unwrap();
    }
    assert_eq!(world.waited(), Duration::ZERO);
    two.send(&cx, Call::get("x")).await.unwrap();
    one.send(&cx, Call::get("x")).await.unwrap();
    assert_eq!(world.waited(), Duration::from_secs(2));
}

#[tokio::test]
async fn a_request_to_wait_pauses_the_whole_account() {
    let server = Server::scripted([reply(429, "retry-after: 40\r\n", ""), ok(""), ok("")]).await;
    let world = World::new();
    let mut profile = profile(&server.url());
    profile.account = Some("a".to_owned());
    let (one, two) = (
        world.runtime.http(profile.clone()),
        world.runtime.http(profile),
    );
    let cx = Context::new("t");
    // A write is not sent again, but what it was told holds for all.
    let error = one.send(&cx, Call::post_json("x", &1)).await.unwrap_err();
    assert_eq!(
        (error.kind(), world.waited()),
        (ErrorKind::RateLimited, Duration::ZERO)
    );
    two.send(&cx, Call::get("x")).await.unwrap();
    assert_eq!(world.waited(), Duration::from_secs(40));
    // Without a time to wait, the pause is as long as a retry would take.
    let server = Server::scripted([reply(429, "", ""), ok("")]).await;
    let http = one.at(server.url());
    http.send(&cx, Call::post_json("x", &1)).await.unwrap_err();
    http.send(&cx, Call::get("x")).await.unwrap();
    let waited = world.waited() - Duration::from_secs(40);
    assert!(
        waited >= Duration::from_millis(250) && waited <= Duration::from_millis(751),
        "{waited:?}"
    );
}

#[tokio::test]
async fn each_attempt_counts() {
    let server = Server::answering(|_| reply(503, "retry-after: 0\r\n", "")).await;
    let world = World::new();
    let mut profile = profile(&server.url());
    profile.quota = Quota {
        per_second: 1,
        burst: 1,
    };
    world
        .runtime
        .http(profile)
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(world.waited(), Duration::from_secs(4));
}
