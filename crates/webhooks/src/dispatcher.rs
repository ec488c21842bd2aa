//! Moves events from the logs to the endpoints: first into messages, durably, then over the wire.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use rand::RngExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use wrenchtime_clock::Clock;
use wrenchtime_egress::Policy;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::ConnectionId;

use crate::attempt::{Post, Posted, Poster};
use crate::fan_out::messages;
use crate::plan::{Answer, Standing, decide};
use crate::signature::SigningKey;
use crate::storage::{
    Attempt, AttemptOutcome, DeliveryId, DeliveryStore, DueDelivery, EventSource, FanOut,
    PendingLog,
};
use crate::{Endpoint, EndpointSecrets, StoreError};

/// Events of one stretch, at most.
const STRETCH: u32 = 500;
/// Deliveries taken at once, at most.
const TAKEN: u32 = 32;
/// Deliveries under way at once, at most: room for 32 endpoints that do not answer before they delay another.
const UNDER_WAY: usize = 128;
/// Deliveries of one endpoint under way at once, at most: a slow receiver leaves room for the others.
const PER_ENDPOINT: u32 = 4;
/// How long a taken delivery is nobody else's: more than an attempt can take.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// What a dispatcher works with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DispatcherParts {
    /// The event logs.
    pub events: Arc<dyn EventSource>,
    /// Endpoints, messages and attempts.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Opens signing secrets.
    pub secrets: Arc<dyn EndpointSecrets>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which addresses may be reached.
    pub egress: Policy,
    /// How it introduces itself to receivers.
    pub user_agent: String,
}

impl DispatcherParts {
    /// Puts parts together; nothing but public HTTPS addresses may be reached.
    pub fn new(
        events: Arc<dyn EventSource>,
        deliveries: Arc<dyn DeliveryStore>,
        secrets: Arc<dyn EndpointSecrets>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let user_agent = concat!("wrenchtime/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            events,
            deliveries,
            secrets,
            clock,
            egress: Policy::strict(),
            user_agent,
        }
    }

    /// Sets which addresses may be reached.
    #[must_use]
    pub fn with_egress(mut self, egress: Policy) -> Self {
        self.egress = egress;
        self
    }
}

/// Fans events out and delivers them, until it is told to stop.
#[derive(Debug)]
pub struct Dispatcher {
    parts: DispatcherParts,
    poster: Poster,
    wake: Arc<Notify>,
}

/// What a turn of the dispatcher did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Turn {
    /// Messages made.
    pub messages: usize,
    /// Attempts made.
    pub attempts: usize,
    /// Attempts that arrived.
    pub delivered: usize,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for webhooks cannot be built")]
pub struct BuildError(#[source] reqwest::Error);

impl Dispatcher {
    /// Makes a dispatcher.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn try_new(parts: DispatcherParts) -> Result<Self, BuildError> {
        let poster =
            Poster::try_new(parts.egress.clone(), &parts.user_agent).map_err(BuildError)?;
        Ok(Self {
            parts,
            poster,
            wake: Arc::default(),
        })
    }

    /// Returns what wakes it when events were written, so that nobody waits for the next look.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Works until cancelled. Attempts under way come to their end.
    ///
    /// Looks for events and for what is due when woken, whenever an attempt ends, and every `interval` in case that a
    /// wake was lost; it waits for no attempt before it looks again. A store that fails is tried again at the next
    /// look; nothing is lost, for positions move only with what was written.
    pub async fn run(&self, interval: Duration, cancel: CancellationToken) {
        let mut attempts = UnderWay::default();
        while !cancel.is_cancelled() {
            let at = self.parts.clock.now();
            let room = UNDER_WAY.saturating_sub(attempts.ids.len());
            let (looked, ended) = attempts.beside(self.look(room)).await;
            let found = looked.unwrap_or_else(|error| {
                warn!(%error, source = error.source_text(), "webhooks wait for the store");
                Look::default()
            });
            let mut is_more = found.messages > 0 || ended;
            for delivery in found.due {
                // One whose lease ended before its outcome could be written is under way still.
                if attempts.ids.insert(delivery.id) {
                    is_more = true;
                    attempts.futures.push(self.numbered(delivery).boxed());
                }
            }
            // More may be waiting behind what was taken, or for the room that an attempt has left.
            if is_more {
                continue;
            }
            let rest = async {
                let gap = self.gap(at, interval).await;
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = self.wake.notified() => {}
                    () = self.parts.clock.sleep(gap) => {}
                }
            };
            attempts.until_one_ends_or(rest).await;
        }
        while let Some((id, ended)) = attempts.futures.next().await {
            attempts.end(id, ended);
        }
    }

    /// Fans out what was logged, and attempts what is due, once.
    ///
    /// # Errors
    /// When the store fails; what was written stays written.
    pub async fn turn(&self) -> Result<Turn, StoreError> {
        let look = self.look(UNDER_WAY).await?;
        let mut turn = Turn {
            messages: look.messages,
            attempts: look.due.len(),
            delivered: 0,
        };
        let outcomes: Vec<_> = futures_util::stream::iter(look.due)
            .map(|delivery| self.attempt(delivery))
            .buffer_unordered(TAKEN as usize)
            .collect()
            .await;
        for outcome in outcomes {
            turn.delivered += usize::from(outcome? == AttemptOutcome::Delivered);
        }
        Ok(turn)
    }

    /// Fans out what was logged, and takes what is due, no more than there is room for.
    async fn look(&self, room: usize) -> Result<Look, StoreError> {
        let messages = self.fan_out().await?;
        let limit = TAKEN.min(u32::try_from(room).unwrap_or(TAKEN));
        if limit == 0 {
            let due = Vec::new();
            return Ok(Look { messages, due });
        }
        let now = self.parts.clock.now();
        let due = self
            .parts
            .deliveries
            .take_due(now, now + LEASE, limit, PER_ENDPOINT)
            .await?;
        Ok(Look { messages, due })
    }

    /// Returns how long to rest after a look at this instant that found nothing.
    async fn gap(&self, looked: DateTime<Utc>, interval: Duration) -> Duration {
        let Ok(Some(due)) = self.parts.deliveries.next_due().await else {
            return interval;
        };
        // What was due then and not taken waits for room, not for an instant.
        if due <= looked {
            return interval;
        }
        let until = (due - self.parts.clock.now())
            .to_std()
            .unwrap_or(Duration::from_millis(50));
        until.min(interval)
    }

    async fn fan_out(&self) -> Result<usize, StoreError> {
        let pending = self.parts.events.pending(STRETCH).await?;
        if pending.is_empty() {
            return Ok(0);
        }
        // Asked behind the logs: who is added later gets events behind those that are here.
        let endpoints = self.parts.deliveries.endpoints().await?;
        let mut made = 0;
        for log in pending {
            if endpoints
                .iter()
                .any(|endpoint| endpoint.hears(log.connection))
            {
                made += self.fan_out_stretch(log.connection, log.from).await?;
            } else {
                self.pass_over(log).await?;
            }
        }
        Ok(made)
    }

    /// Passes over events that nobody hears, without reading them.
    async fn pass_over(&self, log: PendingLog) -> Result<(), StoreError> {
        let fan_out = FanOut {
            connection: log.connection,
            from: log.from,
            to: log.to,
            messages: Vec::new(),
        };
        self.parts.deliveries.fan_out(fan_out).await?;
        Ok(())
    }

    async fn fan_out_stretch(
        &self,
        connection: ConnectionId,
        from: u64,
    ) -> Result<usize, StoreError> {
        let events = self
            .parts
            .events
            .events_after(connection, from, STRETCH)
            .await?;
        let Some(last) = events.last() else {
            return Ok(0);
        };
        let to = last.event.sequence;
        let now = self.parts.clock.now();
        let mut all = Vec::new();
        for endpoint in self.parts.deliveries.endpoints().await? {
            all.extend(messages(&endpoint, &events, now)?);
        }
        let count = all.len();
        let fan_out = FanOut {
            connection,
            from,
            to,
            messages: all,
        };
        failpoint::pass(Point::FanOutBefore);
        let moved = self.parts.deliveries.fan_out(fan_out).await?;
        failpoint::pass(Point::FanOutAfter);
        debug!(%connection, from, to, messages = count, moved, "events fanned out");
        Ok(if moved { count } else { 0 })
    }

    async fn numbered(&self, due: DueDelivery) -> Ended {
        (due.id, self.attempt(due).await)
    }

    async fn attempt(&self, due: DueDelivery) -> Result<AttemptOutcome, StoreError> {
        let at = self.parts.clock.now();
        failpoint::pass(Point::DeliveryBefore);
        let posted = match self.key(&due.endpoint) {
            Ok(key) => {
                let post = Post {
                    url: &due.endpoint.url,
                    key: &key,
                    id: due.id.to_string(),
                    body: due.body,
                    now: at,
                };
                self.poster.post(post).await
            }
            // Nothing can be sent without a signature. What opens it again may come, so the plan is followed.
            Err(error) => {
                warn!(endpoint = %due.endpoint.id, %error, source = error.source_text(), "no key to sign a webhook with");
                Posted {
                    answer: Answer::None,
                    error: Some("the endpoint's signing secret does not open".to_owned()),
                }
            }
        };
        failpoint::pass(Point::DeliveryAnswered);
        let now = self.parts.clock.now();
        let standing = Standing {
            started_at: due.plan_started_at,
            attempts: due.attempts,
            now,
            chance: rand::rng().random(),
        };
        let outcome = decide(&posted.answer, standing);
        if outcome != AttemptOutcome::Delivered {
            warn!(delivery = %due.id, endpoint = %due.endpoint.id, attempt = due.attempts + 1,
                error = posted.error, ?outcome, "a webhook did not arrive");
        }
        measure(&outcome, now - at);
        let attempt = Attempt {
            delivery: due.id,
            at,
            duration: (now - at).to_std().unwrap_or_default(),
            status: match posted.answer {
                Answer::Status { status, .. } => Some(status),
                Answer::None => None,
            },
            error: posted.error,
            outcome: outcome.clone(),
        };
        self.parts.deliveries.record_attempt(attempt).await?;
        failpoint::pass(Point::DeliveryWritten);
        Ok(outcome)
    }

    fn key(&self, endpoint: &Endpoint) -> Result<SigningKey, StoreError> {
        let secret = self
            .parts
            .secrets
            .open(endpoint.id, &endpoint.sealed_secret)?;
        SigningKey::from_text(&secret).map_err(|error| {
            StoreError::new("read an endpoint's signing secret").with_source(error)
        })
    }
}

/// Counts an attempt by what follows from it.
fn measure(outcome: &AttemptOutcome, took: TimeDelta) {
    let outcome = match outcome {
        AttemptOutcome::Delivered => "delivered",
        AttemptOutcome::RetryAt(_) => "retried",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::Gone => "gone",
    };
    metrics::counter!("wrenchtime_webhook_attempts_total", "outcome" => outcome).increment(1);
    metrics::histogram!("wrenchtime_webhook_attempt_seconds")
        .record(took.to_std().unwrap_or_default().as_secs_f64());
}

/// What a look found.
#[derive(Debug, Default)]
struct Look {
    /// Messages made.
    messages: usize,
    /// Deliveries taken.
    due: Vec<DueDelivery>,
}

/// An attempt at its end.
type Ended = (DeliveryId, Result<AttemptOutcome, StoreError>);

/// Attempts that were begun and have not ended. They go on while anything is awaited beside them.
#[derive(Default)]
struct UnderWay<'d> {
    futures: FuturesUnordered<BoxFuture<'d, Ended>>,
    ids: BTreeSet<DeliveryId>,
}

impl UnderWay<'_> {
    /// Awaits something, and tells whether attempts ended meanwhile.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> (T, bool) {
        let mut work = pin!(work);
        let mut is_ended = false;
        loop {
            tokio::select! {
                result = &mut work => return (result, is_ended),
                Some((id, ended)) = self.futures.next() => {
                    self.end(id, ended);
                    is_ended = true;
                }
            }
        }
    }

    /// Awaits something, but no longer than until attempts end.
    async fn until_one_ends_or(&mut self, rest: impl Future<Output = ()>) {
        tokio::select! {
            () = rest => {}
            Some((id, ended)) = self.futures.next() => self.end(id, ended),
        }
        // Those that ended together are followed by one look.
        while let Some(Some((id, ended))) = self.futures.next().now_or_never() {
            self.end(id, ended);
        }
    }

    fn end(&mut self, id: DeliveryId, ended: Result<AttemptOutcome, StoreError>) {
        self.ids.remove(&id);
        if let Err(error) = ended {
            // Its lease ends, and it is attempted again.
            warn!(delivery = %id, %error, source = error.source_text(), "an attempt could not be written");
        }
    }
}
