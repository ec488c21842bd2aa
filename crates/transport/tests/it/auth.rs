//! Credentials on calls, and tokens that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wrenchtime_connector::{Context, Error, ErrorKind, Result, Retry};
use wrenchtime_transport::{Auth, Call, HttpProfile, Token, TokenCache, TokenSource, Verdict};

use crate::support::{Server, World, ok, profile, reply};

/// Gives out `token-1`, `token-2` and so on; refuses from a number on.
#[derive(Debug)]
struct Counting {
    given: AtomicU32,
    refuse_from: u32,
}

#[async_trait]
impl TokenSource for Counting {
    async fn token(&self, _: &Context) -> Result<Token> {
        let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        if number >= self.refuse_from {
            return Err(Error::new(
                ErrorKind::ReauthorizationRequired,
                "the client secret is not accepted",
            ));
        }
        Ok(Token {
            secret: format!("token-{number}").into(),
            expires_in: Duration::from_secs(1199),
        })
    }
}

struct Account {
    world: World,
    server: Server,
    tokens: Arc<Counting>,
    profile: HttpProfile,
}

/// An account whose source takes this token only, and says 403 and `EXPIRED` to others.
async fn account(accepted: &'static str, refuse_from: u32) -> Account {
    let server = Server::answering(move |request| {
        if request.contains(&format!("authorization: Bearer {accepted}\r\n")) {
            ok("fine")
        } else {
            reply(403, "", "EXPIRED")
        }
    })
    .await;
    let world = World::new();
    let tokens = Arc::new(Counting {
        given: AtomicU32::new(0),
        refuse_from,
    });
    let mut profile = profile(&server.url());
    let source: Arc<dyn TokenSource> = Arc::<Counting>::clone(&tokens);
    profile.auth = Auth::Bearer(Arc::new(TokenCache::new(
        Arc::clone(world.runtime.clock()),
        source,
    )));
    profile.refine = |refusal| {
        let expired = refusal.status == 403 && refusal.body == b"EXPIRED";
        expired.then(|| Verdict::new(ErrorKind::ReauthorizationRequired).refreshing_token())
    };
    Account {
        world,
        server,
        tokens,
        profile,
    }
}

impl Account {
    async fn send(&self, call: Call) -> Result<u32> {
        let http = self.world.runtime.http(self.profile.clone());
        http.send(&Context::new("t"), call)
            .await
            .map(|reply| reply.attempts)
    }

    /// Returns how many tokens were fetched and how many requests were seen.
    fn seen(&self) -> (u32, usize) {
        (
            self.tokens.given.load(Ordering::Relaxed),
            self.server.requests().len(),
        )
    }
}

#[tokio::test]
async fn an_expired_token_costs_one_refresh_and_one_replay() {
    let account = account("token-2", 99).await;
    assert_eq!(account.send(Call::get("x")).await.unwrap(), 2);
    assert_eq!(account.seen(), (2, 2));
    // The new one is kept.
    assert_eq!(account.send(Call::get("x")).await.unwrap(), 1);
    assert_eq!(account.seen(), (2, 3));
}

#[tokio::test]
async fn a_refused_call_is_replayed_even_if_it_changes_something() {
    let account = account("token-2", 99).await;
    assert_eq!(account.send(Call::post_json("x", &1)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let account = account("token-99", 99).await;
    let error = account.send(Call::get("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::ReauthorizationRequired, Retry::Never)
    );
    assert_eq!(account.seen(), (2, 2));
}

#[tokio::test]
async fn a_second_refusal_is_final_even_if_called_temporary() {
    let mut account = account("token-99", 99).await;
    account.profile.refine = |_| {
        let verdict = Verdict::new(ErrorKind::Unavailable).refreshing_token();
        Some(verdict)
    };
    let error = account.send(Call::get("x")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::Never)
    );
    assert_eq!(account.seen(), (2, 2));
}

#[tokio::test]
async fn other_refusals_keep_the_token() {
    let mut account = account("token-99", 99).await;
    account.profile.refine = |_| None;
    let error = account.send(Call::get("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(account.seen(), (1, 1));
}

#[tokio::test]
async fn a_401_needs_no_word_of_the_vendor() {
    let world = World::new();
    let server = Server::scripted([reply(401, "", ""), ok("")]).await;
    let tokens = Arc::new(Counting {
        given: AtomicU32::new(0),
        refuse_from: 99,
    });
    let mut profile = profile(&server.url());
    profile.auth = Auth::Bearer(Arc::new(TokenCache::new(
        Arc::clone(world.runtime.clock()),
        tokens,
    )));
    let reply = world
        .runtime
        .http(profile)
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap();
    assert_eq!(reply.attempts, 2);
}

#[tokio::test]
async fn a_refused_secret_is_told_with_system_and_operation() {
    let account = account("token-2", 2).await;
    let error = account
        .send(Call::get("x").operation("read x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
    assert_eq!(
        (error.system(), error.operation()),
        (Some("acme"), Some("read x"))
    );
    assert_eq!(account.seen(), (2, 1));
}

#[tokio::test]
async fn a_replay_is_retried_like_any_other_request() {
    let world = World::new();
    let server = Server::scripted([reply(401, "", ""), reply(503, "", ""), ok("")]).await;
    let tokens = Arc::new(Counting {
        given: AtomicU32::new(0),
        refuse_from: 99,
    });
    let mut profile = profile(&server.url());
    let source: Arc<dyn TokenSource> = Arc::<Counting>::clone(&tokens);
    profile.auth = Auth::Bearer(Arc::new(TokenCache::new(
        Arc::clone(world.runtime.clock()),
        source,
    )));
    let reply = world
        .runtime
        .http(profile)
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap();
    assert_eq!(
        (reply.attempts, tokens.given.load(Ordering::Relaxed)),
        (3, 2)
    );
}

#[tokio::test]
async fn each_scheme_sends_its_header() {
    let world = World::new();
    let basic = Auth::Basic {
        user: "Aladdin".to_owned(),
        password: "open sesame".into(),
    };
    let header = Auth::Header {
        name: "x-api-key".parse().unwrap(),
        value: "k".into(),
    };
    let expected = [
        (Auth::None, None),
        (
            basic,
            Some("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"),
        ),
        (header, Some("x-api-key: k\r\n")),
    ];
    for (auth, line) in expected {
        let server = Server::scripted([ok("")]).await;
        let mut profile = profile(&server.url());
        profile.auth = auth;
        world
            .runtime
            .http(profile)
            .send(&Context::new("t"), Call::get("x"))
            .await
            .unwrap();
        let request = server.requests().remove(0);
        match line {
            Some(line) => assert!(request.contains(line), "{request}"),
            None => assert!(!request.contains("authorization"), "{request}"),
        }
    }
}
