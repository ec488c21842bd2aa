//! One token for any number of callers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use wrenchtime_connector::{Context, Error, ErrorKind, ManualClock, Result};
use wrenchtime_transport::{Token, TokenCache, TokenSource};

use crate::support::start;

/// Answers as told, each time after it was let through the gate.
#[derive(Debug)]
struct Gated {
    gate: Semaphore,
    answers: Mutex<VecDeque<std::result::Result<&'static str, ErrorKind>>>,
    begun: Mutex<u32>,
}

#[async_trait]
impl TokenSource for Gated {
    async fn token(&self, _: &Context) -> Result<Token> {
        *self.begun.lock().unwrap() += 1;
        self.gate.acquire().await.unwrap().forget();
        let answer = self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Err(ErrorKind::Unsupported));
        match answer {
            Ok(secret) => Ok(Token {
                secret: secret.into(),
                expires_in: Duration::from_secs(1000),
            }),
            Err(kind) => Err(Error::new(kind, "no token")
                .with_context("code", "7")
                .at("acme", "ask for a token")),
        }
    }
}

struct Case {
    clock: ManualClock,
    source: Arc<Gated>,
    cache: Arc<TokenCache>,
}

impl Case {
    fn new(
        open: usize,
        answers: impl IntoIterator<Item = std::result::Result<&'static str, ErrorKind>>,
    ) -> Self {
        let clock = ManualClock::new(start());
        let source = Arc::new(Gated {
            gate: Semaphore::new(open),
            answers: Mutex::new(answers.into_iter().collect()),
            begun: Mutex::new(0),
        });
        let lent: Arc<dyn TokenSource> = Arc::<Gated>::clone(&source);
        let cache = Arc::new(TokenCache::new(Arc::new(clock.clone()), lent));
        Self {
            clock,
            source,
            cache,
        }
    }

    async fn get(&self) -> std::result::Result<String, ErrorKind> {
        let token = self.cache.get(&Context::new("t")).await;
        token
            .map(|token| token.expose_secret().to_owned())
            .map_err(|error| {
                // The same words for those who asked and those who only waited.
                assert_eq!(error.to_string(), "acme: no token (code 7)");
                assert_eq!(error.operation(), Some("ask for a token"));
                error.kind()
            })
    }

    fn begun(&self) -> u32 {
        *self.source.begun.lock().unwrap()
    }

    fn spawn(self: &Arc<Self>) -> tokio::task::JoinHandle<std::result::Result<String, ErrorKind>> {
        let case = Arc::clone(self);
        tokio::spawn(async move { case.get().await })
    }
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_callers_share_one_fetch() {
    let case = Arc::new(Case::new(0, [Ok("a"), Ok("b")]));
    let callers: Vec<_> = (0..20).map(|_| case.spawn()).collect();
    settle().await;
    case.source.gate.add_permits(9);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok("a".to_owned()));
    }
    assert_eq!(case.begun(), 1);
}

#[tokio::test]
async fn many_callers_share_one_failure() {
    let refused = ErrorKind::ReauthorizationRequired;
    let case = Arc::new(Case::new(0, [Err(refused), Ok("b")]));
    let callers: Vec<_> = (0..20).map(|_| case.spawn()).collect();
    settle().await;
    case.source.gate.add_permits(9);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(refused));
    }
    assert_eq!(case.begun(), 1);
    // Who comes later tries anew.
    assert_eq!(case.get().await, Ok("b".to_owned()));
}

#[tokio::test]
async fn a_caller_who_gives_up_hands_over() {
    let case = Arc::new(Case::new(0, [Ok("a")]));
    let first = case.spawn();
    settle().await;
    let second = case.spawn();
    settle().await;
    first.abort();
    settle().await;
    case.source.gate.add_permits(1);
    assert_eq!(second.await.unwrap(), Ok("a".to_owned()));
    assert_eq!(case.begun(), 2);
}

#[tokio::test]
async fn a_token_is_refreshed_when_a_tenth_of_its_life_is_left() {
    let case = Case::new(9, [Ok("a"), Ok("b")]);
    assert_eq!(case.get().await, Ok("a".to_owned()));
    case.clock.advance(Duration::from_secs(899));
    assert_eq!(case.get().await, Ok("a".to_owned()));
    case.clock.advance(Duration::from_secs(1));
    assert_eq!(case.get().await, Ok("b".to_owned()));
    assert_eq!(case.begun(), 2);
}

#[tokio::test]
async fn others_go_on_with_the_old_token_meanwhile() {
    let case = Arc::new(Case::new(1, [Ok("a"), Ok("b")]));
    case.get().await.unwrap();
    case.clock.advance(Duration::from_secs(950));
    let refreshing = case.spawn();
    settle().await;
    assert_eq!(case.get().await, Ok("a".to_owned()));
    case.source.gate.add_permits(1);
    assert_eq!(refreshing.await.unwrap(), Ok("b".to_owned()));
    assert_eq!(case.begun(), 2);
}

#[tokio::test]
async fn an_early_refresh_that_fails_for_now_does_no_harm() {
    let case = Case::new(
        9,
        [
            Ok("a"),
            Err(ErrorKind::Unavailable),
            Err(ErrorKind::Unavailable),
            Ok("b"),
        ],
    );
    case.get().await.unwrap();
    case.clock.advance(Duration::from_secs(950));
    assert_eq!(case.get().await, Ok("a".to_owned()));
    // Not tried again with each call.
    assert_eq!(case.get().await, Ok("a".to_owned()));
    assert_eq!(case.begun(), 2);
    case.clock.advance(Duration::from_secs(50));
    assert_eq!(case.get().await, Err(ErrorKind::Unavailable));
    assert_eq!(case.get().await, Ok("b".to_owned()));
}

#[tokio::test]
async fn an_early_refresh_that_is_refused_is_told() {
    let case = Case::new(9, [Ok("a"), Err(ErrorKind::ReauthorizationRequired)]);
    case.get().await.unwrap();
    case.clock.advance(Duration::from_secs(950));
    assert_eq!(case.get().await, Err(ErrorKind::ReauthorizationRequired));
}

#[tokio::test]
async fn only_the_current_token_can_be_dropped() {
    let case = Case::new(9, [Ok("a"), Ok("b"), Ok("c")]);
    case.get().await.unwrap();
    case.cache.invalidate(&"a".into());
    assert_eq!(case.get().await, Ok("b".to_owned()));
    // A slow caller reports the one before.
    case.cache.invalidate(&"a".into());
    assert_eq!(case.get().await, Ok("b".to_owned()));
    assert_eq!(case.begun(), 2);
}
