//! One token for any number of callers: refreshed early, one refresh under way.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use wrenchtime_connector::{Clock, Context, Error, ErrorKind, Result, Retry};

/// A token is refreshed this long before its end, unless a tenth of its life is longer.
const MARGIN: Duration = Duration::from_secs(30);

/// After an early refresh failed, how long the old token is used before the next try.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer lives are taken for this one, so that instants stay within the calendar.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A token, fresh from the source.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub secret: SecretString,
    /// How long it is accepted.
    pub expires_in: Duration,
}

/// Fetches tokens of an account.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// Fetches a new token.
    ///
    /// # Requires
    /// - The client used for it shares no rate budget with the client that the token is for.
    /// - Its call is marked as safe: the call that needs the token does not ask for it a second time.
    ///
    /// # Errors
    /// [`ErrorKind::ReauthorizationRequired`] where the source refuses the credentials, others as they come.
    async fn token(&self, cx: &Context) -> Result<Token>;
}

/// Keeps an account's token. Shared by all who use the account.
pub struct TokenCache {
    clock: Arc<dyn Clock>,
    source: Arc<dyn TokenSource>,
    kept: Mutex<Kept>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    current: Option<Current>,
    /// How many fetches have ended.
    rounds: u64,
    /// How the last fetch failed, if it did.
    failure: Option<Failure>,
}

struct Current {
    secret: SecretString,
    refresh_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

/// What those are told who waited for a fetch that failed: errors cannot be cloned.
#[derive(Clone)]
struct Failure {
    kind: ErrorKind,
    retry: Retry,
    message: String,
    place: Option<(String, String)>,
    context: Vec<(&'static str, String)>,
}

impl TokenCache {
    /// Makes an empty cache.
    pub fn new(clock: Arc<dyn Clock>, source: Arc<dyn TokenSource>) -> Self {
        Self {
            clock,
            source,
            kept: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Returns a token that is good for a while, and fetches one if need be.
    ///
    /// # Behavior
    /// - Callers who come while one is being fetched wait for it and share what comes of it, failures included: wrong
    ///   credentials are tried once, not once for each caller.
    /// - A token near its end is refreshed by the first caller who sees it; others go on with it meanwhile. If that
    ///   fails for a while only, so does the first.
    /// - A caller who gives up hands the fetching to the next.
    ///
    /// # Errors
    /// As [`TokenSource::token`].
    pub async fn get(&self, cx: &Context) -> Result<SecretString> {
        let rounds = {
            let kept = self.kept();
            if let Some(token) = kept.fresh(self.clock.now()) {
                return Ok(token);
            }
            kept.rounds
        };
        let old = self.kept().valid(self.clock.now());
        let _turn = match (old, self.turn.try_lock()) {
            (_, Ok(turn)) => turn,
            (Some(old), Err(_)) => return Ok(old),
            (None, Err(_)) => self.turn.lock().await,
        };
        {
            let kept = self.kept();
            if let Some(token) = kept.fresh(self.clock.now()) {
                return Ok(token);
            }
            if let Some(failure) = kept.failure.as_ref().filter(|_| kept.rounds > rounds) {
                return Err(failure.to_error());
            }
        }
        self.fetch(cx).await
    }

    /// Drops a token that the source no longer accepts. Does nothing if it was replaced already.
    pub fn invalidate(&self, token: &SecretString) {
        let mut kept = self.kept();
        if kept
            .current
            .as_ref()
            .is_some_and(|current| same(&current.secret, token))
        {
            kept.current = None;
        }
    }

    async fn fetch(&self, cx: &Context) -> Result<SecretString> {
        let asked_at = self.clock.now();
        let answer = self.source.token(cx).await;
        let now = self.clock.now();
        let mut kept = self.kept();
        match answer {
            Ok(token) => {
                let life = token.expires_in.min(LONGEST_LIFE);
                let margin = (life / 10).max(MARGIN).min(life / 2);
                kept.rounds += 1;
                kept.failure = None;
                kept.current = Some(Current {
                    secret: token.secret.clone(),
                    refresh_at: asked_at + delta(life - margin),
                    ends_at: asked_at + delta(life),
                });
                Ok(token.secret)
            }
            Err(error) => {
                if error.retry() != Retry::Never
                    && let Some(current) = kept
                        .current
                        .as_mut()
                        .filter(|current| now < current.ends_at)
                {
                    current.refresh_at = now + delta(PATIENCE);
                    return Ok(current.secret.clone());
                }
                // This caller's own end says nothing to the others.
                let gave_up =
                    cx.cancel.is_cancelled() || cx.deadline.is_some_and(|deadline| deadline <= now);
                if !gave_up {
                    kept.rounds += 1;
                    kept.failure = Some(Failure::of(&error));
                }
                Err(error)
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Kept {
    fn fresh(&self, now: DateTime<Utc>) -> Option<SecretString> {
        let current = self
            .current
            .as_ref()
            .filter(|current| now < current.refresh_at)?;
        Some(current.secret.clone())
    }

    fn valid(&self, now: DateTime<Utc>) -> Option<SecretString> {
        let current = self
            .current
            .as_ref()
            .filter(|current| now < current.ends_at)?;
        Some(current.secret.clone())
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            retry: error.retry(),
            message: error.message().to_owned(),
            place: error
                .system()
                .zip(error.operation())
                .map(|(system, operation)| (system.to_owned(), operation.to_owned())),
            context: error.context().to_vec(),
        }
    }

    fn to_error(&self) -> Error {
        let mut error = Error::new(self.kind, self.message.clone()).with_retry(self.retry);
        if let Some((system, operation)) = &self.place {
            error = error.at(system, operation);
        }
        self.context.iter().fold(error, |error, (name, value)| {
            error.with_context(name, value.clone())
        })
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
