//! What arrives, what is tried again, and what never leaves.

use std::time::Duration;

use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};
use wrenchtime_clock::Clock;
use wrenchtime_egress::Policy;
use wrenchtime_webhooks::{
    AttemptOutcome, DeliveryId, DeliveryStore, EventSource, Received, Refused, Turn,
};

use crate::support::{SEALED_ELSEWHERE, World};

fn loopback() -> Policy {
    Policy::allowing(["127.0.0.0/8".parse().unwrap()])
}

async fn answer(world: &World, template: ResponseTemplate) {
    world.receiver.reset().await;
    Mock::given(method("POST"))
        .and(path("/hook"))
        .respond_with(template)
        .mount(&world.receiver)
        .await;
}

#[tokio::test]
async fn a_delivered_event_is_signed_over_its_exact_bytes() {
    let world = World::new(loopback()).await;
    answer(&world, ResponseTemplate::new(204)).await;
    world.log();
    let turn = world.dispatcher.turn().await.unwrap();
    assert_eq!(
        turn,
        Turn {
            messages: 1,
            attempts: 1,
            delivered: 1
        }
    );
    let requests = world.receiver.received_requests().await.unwrap();
    let header = |name: &str| requests[0].headers[name].to_str().unwrap().to_owned();
    let (id, time, signature) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    );
    let at = world.clock.now();
    let body = requests[0].body.as_slice();
    assert_eq!(
        world
            .key
            .verify(&id, &time, &signature, Received { body, at }),
        Ok(())
    );
    let mut changed = body.to_vec();
    changed[0] ^= 1;
    let refused = world
        .key
        .verify(&id, &time, &signature, Received { body: &changed, at });
    assert_eq!(refused, Err(Refused::NoMatch));
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["id"], id);
    assert_eq!(body["type"], "sync.completed");
    assert_eq!(body["data"]["outcome"], "complete");
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
}

#[tokio::test]
async fn what_nobody_hears_is_passed_over_unread() {
    let world = World::new(loopback()).await;
    let endpoint = world.store.with(|state| state.endpoints.pop().unwrap());
    world.log();
    world.log();
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
    assert_eq!(world.store.with(|state| state.reads), 0);
    assert!(world.store.pending(9).await.unwrap().is_empty());

    // Who is there from now on hears of what comes.
    world.store.add_endpoint(&endpoint).await.unwrap();
    answer(&world, ResponseTemplate::new(204)).await;
    world.log();
    let turn = world.dispatcher.turn().await.unwrap();
    assert_eq!((turn.messages, turn.delivered), (1, 1));
}

#[tokio::test]
async fn a_refusal_is_tried_again_with_the_same_id_and_bytes_and_a_new_signature() {
    let world = World::new(loopback()).await;
    answer(
        &world,
        ResponseTemplate::new(503).insert_header("retry-after", "120"),
    )
    .await;
    world.log();
    assert_eq!(world.dispatcher.turn().await.unwrap().delivered, 0);
    let first = world.receiver.received_requests().await.unwrap().remove(0);
    world.clock.advance(Duration::from_secs(119));
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
    world.clock.advance(Duration::from_secs(1));
    answer(&world, ResponseTemplate::new(200)).await;
    assert_eq!(world.dispatcher.turn().await.unwrap().delivered, 1);
    let second = world.receiver.received_requests().await.unwrap().remove(0);
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert_eq!(first.body, second.body);
    assert_ne!(
        first.headers["webhook-signature"],
        second.headers["webhook-signature"]
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = World::new(loopback()).await;
    let target = format!("{}/elsewhere", world.receiver.uri());
    answer(
        &world,
        ResponseTemplate::new(307).insert_header("location", target),
    )
    .await;
    world.log();
    assert_eq!(
        world.dispatcher.turn().await.unwrap(),
        Turn {
            messages: 1,
            attempts: 1,
            delivered: 0
        }
    );
    assert_eq!(world.receiver.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn gone_disables_the_endpoint_and_keeps_the_delivery() {
    let world = World::new(loopback()).await;
    answer(&world, ResponseTemplate::new(410)).await;
    world.log();
    world.dispatcher.turn().await.unwrap();
    assert!(
        world
            .store
            .with(|state| state.endpoints[0].disabled.is_some())
    );
    assert!(
        world
            .store
            .with(|state| state.messages.values().all(|(_, _, due)| due.is_some()))
    );
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
}

#[tokio::test]
async fn nothing_leaves_for_an_address_that_is_not_allowed() {
    let world = World::new(Policy::strict()).await;
    answer(&world, ResponseTemplate::new(200)).await;
    world.log();
    assert_eq!(
        world.dispatcher.turn().await.unwrap(),
        Turn {
            messages: 1,
            attempts: 1,
            delivered: 0
        }
    );
    assert_eq!(world.receiver.received_requests().await.unwrap().len(), 0);
    world.store.with(|state| {
        let attempt = &state.attempts[0];
        assert!(matches!(attempt.outcome, AttemptOutcome::RetryAt(_)));
        let error = attempt.error.as_deref().unwrap();
        assert!(!error.is_empty() && !error.contains("canary"), "{error}");
    });
}

#[tokio::test]
async fn an_endless_reply_is_read_to_its_limit_only() {
    let world = World::new(loopback()).await;
    answer(
        &world,
        ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 1 << 20]),
    )
    .await;
    world.log();
    assert_eq!(world.dispatcher.turn().await.unwrap().delivered, 1);
}

#[tokio::test]
async fn a_dead_receiver_does_not_delay_a_healthy_one_and_names_no_url() {
    let world = World::new(loopback()).await;
    answer(&world, ResponseTemplate::new(200)).await;
    // A port that nobody listens on: bound once, then given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    world
        .add_endpoint(&format!("http://{free}/hook?token=canary"))
        .await;
    world.log();
    let turn = world.dispatcher.turn().await.unwrap();
    assert_eq!(
        turn,
        Turn {
            messages: 2,
            attempts: 2,
            delivered: 1
        }
    );
    world.store.with(|state| {
        let failed = state
            .attempts
            .iter()
            .find_map(|attempt| attempt.error.as_deref())
            .unwrap();
        assert!(
            failed.contains("no connection") && !failed.contains("canary"),
            "{failed}"
        );
    });
}

#[tokio::test]
async fn a_delivery_given_up_is_sent_again_by_hand() {
    let world = World::new(loopback()).await;
    answer(&world, ResponseTemplate::new(500)).await;
    world.log();
    world.dispatcher.turn().await.unwrap();
    world.clock.advance(Duration::from_secs(73 * 3600));
    world.dispatcher.turn().await.unwrap();
    let (id, outcome) = world.store.with(|state| {
        state
            .attempts
            .last()
            .map(|last| (last.delivery, last.outcome.clone()))
            .unwrap()
    });
    assert_eq!(outcome, AttemptOutcome::Failed);
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
    answer(&world, ResponseTemplate::new(200)).await;
    assert!(world.store.retry(id, world.clock.now()).await.unwrap());
    assert_eq!(world.dispatcher.turn().await.unwrap().delivered, 1);
}

#[tokio::test]
async fn a_secret_that_does_not_open_fails_by_the_plan() {
    let world = World::new(loopback()).await;
    answer(&world, ResponseTemplate::new(200)).await;
    world
        .store
        .with(|state| state.endpoints[0].sealed_secret = SEALED_ELSEWHERE.to_vec());
    world.log();
    let turn = world.dispatcher.turn().await.unwrap();
    assert_eq!((turn.attempts, turn.delivered), (1, 0));
    assert!(world.receiver.received_requests().await.unwrap().is_empty());
    world.store.with(|state| {
        let attempt = &state.attempts[0];
        assert!(matches!(attempt.outcome, AttemptOutcome::RetryAt(_)));
        let error = attempt.error.as_deref().unwrap();
        assert!(
            error.contains("secret") && !error.contains("canary"),
            "{error}"
        );
    });
    world.clock.advance(Duration::from_secs(73 * 3600));
    world.dispatcher.turn().await.unwrap();
    world.clock.advance(Duration::from_secs(73 * 3600));
    assert_eq!(world.dispatcher.turn().await.unwrap(), Turn::default());
    let last = world.store.with(|state| state.attempts[1].outcome.clone());
    assert_eq!(last, AttemptOutcome::Failed);
}

/// Gives others their turn until this holds.
async fn until(holds: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + Duration::from_secs(8);
    while !holds() {
        assert!(
            std::time::Instant::now() < limit,
            "it takes as long as an attempt"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_loop_wakes_delivers_and_stops() {
    let world = World::in_real_time(loopback()).await;
    answer(&world, ResponseTemplate::new(200)).await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let waker = world.dispatcher.waker();
    world.log();
    waker.notify_one();
    let stop = async {
        until(|| world.store.with(|state| !state.attempts.is_empty())).await;
        cancel.cancel();
    };
    tokio::join!(
        world.dispatcher.run(Duration::from_secs(1), cancel.clone()),
        stop
    );
    assert_eq!(world.store.with(|state| state.attempts.len()), 1);
}

#[tokio::test]
async fn an_endpoint_that_never_answers_delays_nobody() {
    const BACKLOG: usize = 20;
    let world = World::in_real_time(loopback()).await;
    answer(&world, ResponseTemplate::new(200)).await;
    // Connections are made by the system, and nobody reads what they say.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}/hook", silent.local_addr().unwrap());
    let silent_id = world.add_endpoint(&silent_url).await;
    for _ in 0..BACKLOG {
        world.log();
    }
    let working = world
        .dispatcher
        .run(Duration::from_secs(1), Default::default());
    let arrived = async {
        until(|| world.store.with(|state| state.attempts.len() >= BACKLOG)).await;
        // What is logged meanwhile arrives too.
        world.log();
        world.dispatcher.waker().notify_one();
        until(|| world.store.with(|state| state.attempts.len() > BACKLOG)).await;
    };
    tokio::select! {
        () = working => panic!("it was not told to stop"),
        () = arrived => {}
    }
    world.store.with(|state| {
        let mut outcomes = state.attempts.iter().map(|attempt| &attempt.outcome);
        assert!(outcomes.all(|outcome| *outcome == AttemptOutcome::Delivered));
        let held: Vec<_> = state.leases.keys().collect();
        assert_eq!(held.len(), 4, "of the silent one, as many as it may have");
        let of = |id: &DeliveryId| state.messages[id].0.endpoint;
        assert!(held.into_iter().all(|id| of(id) == silent_id));
    });
}

#[tokio::test]
async fn an_attempt_under_way_comes_to_its_end_before_the_loop_stops() {
    let world = World::in_real_time(loopback()).await;
    let slowly = ResponseTemplate::new(200).set_delay(Duration::from_millis(300));
    answer(&world, slowly).await;
    world.log();
    let cancel = tokio_util::sync::CancellationToken::new();
    let stop = async {
        until(|| world.store.with(|state| !state.leases.is_empty())).await;
        cancel.cancel();
    };
    tokio::join!(
        world.dispatcher.run(Duration::from_secs(1), cancel.clone()),
        stop
    );
    world.store.with(|state| {
        assert_eq!(state.attempts.len(), 1);
        assert_eq!(state.attempts[0].outcome, AttemptOutcome::Delivered);
    });
}

#[test]
fn an_id_reads_back_as_receivers_see_it() {
    let id = DeliveryId::from_uuid(uuid::Uuid::from_u128(7));
    assert_eq!(id.to_string(), "msg_00000000000000000000000000000007");
    assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
}
