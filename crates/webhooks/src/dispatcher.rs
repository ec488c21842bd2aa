//! Moves events from the logs to the endpoints: first into messages, durably, then over the wire.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use rand::RngExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use wrenchtime_clock::Clock;
use wrenchtime_egress::Policy;
use wrenchtime_model::ConnectionId;

use crate::attempt::{Post, Poster};
use crate::fan_out::messages;
use crate::plan::{Answer, Standing, decide};
use crate::signature::SigningKey;
use crate::storage::{Attempt, AttemptOutcome, DeliveryStore, DueDelivery, EventSource, FanOut};
use crate::{EndpointSecrets, StoreError};

/// Events of one stretch, at most.
const STRETCH: u32 = 500;
/// Deliveries taken at once, at most.
const TAKEN: u32 = 32;
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
    /// Looks for events when woken, and every `interval` in case that a wake was lost. A store that fails is tried
    /// again at the next look; nothing is lost, for positions move only with what was written.
    pub async fn run(&self, interval: Duration, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            match self.turn().await {
                // More may be waiting behind what was taken.
                Ok(turn) if turn != Turn::default() => continue,
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, source = error.source_text(), "webhooks wait for the store")
                }
            }
            let gap = self.gap(interval).await;
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.wake.notified() => {}
                () = self.parts.clock.sleep(gap) => {}
            }
        }
    }

    /// Fans out what was logged, and attempts what is due, once.
    ///
    /// # Errors
    /// When the store fails; what was written stays written.
    pub async fn turn(&self) -> Result<Turn, StoreError> {
        let mut turn = Turn {
            messages: self.fan_out().await?,
            ..Turn::default()
        };
        let now = self.parts.clock.now();
        let due = self
            .parts
            .deliveries
            .take_due(now, now + LEASE, TAKEN, PER_ENDPOINT)
            .await?;
        turn.attempts = due.len();
        let outcomes: Vec<_> = futures_util::stream::iter(due)
            .map(|delivery| self.attempt(delivery))
            .buffer_unordered(TAKEN as usize)
            .collect()
            .await;
        for outcome in outcomes {
            turn.delivered += usize::from(outcome? == AttemptOutcome::Delivered);
        }
        Ok(turn)
    }

    async fn gap(&self, interval: Duration) -> Duration {
        let Ok(Some(due)) = self.parts.deliveries.next_due().await else {
            return interval;
        };
        let until = (due - self.parts.clock.now())
            .to_std()
            .unwrap_or(Duration::from_millis(50));
        until.min(interval)
    }

    async fn fan_out(&self) -> Result<usize, StoreError> {
        let mut made = 0;
        for (connection, position) in self.parts.events.pending(STRETCH).await? {
            made += self.fan_out_stretch(connection, position).await?;
        }
        Ok(made)
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
        let moved = self.parts.deliveries.fan_out(fan_out).await?;
        debug!(%connection, from, to, messages = count, moved, "events fanned out");
        Ok(if moved { count } else { 0 })
    }

    async fn attempt(&self, due: DueDelivery) -> Result<AttemptOutcome, StoreError> {
        let secret = self
            .parts
            .secrets
            .open(due.endpoint.id, &due.endpoint.sealed_secret)?;
        let key = SigningKey::from_text(&secret).map_err(|error| {
            StoreError::new("read an endpoint's signing secret").with_source(error)
        })?;
        let at = self.parts.clock.now();
        let post = Post {
            url: &due.endpoint.url,
            key: &key,
            id: due.id.to_string(),
            body: due.body,
            now: at,
        };
        let posted = self.poster.post(post).await;
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
        Ok(outcome)
    }
}
