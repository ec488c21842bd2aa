//! What the dispatcher needs from a store. Each method is atomic.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, EndpointId, Event, EventType};

use crate::Endpoint;

/// The event logs, and how far each has been fanned out.
#[async_trait]
pub trait EventSource: fmt::Debug + Send + Sync + 'static {
    /// Returns logs that are longer than what was fanned out.
    async fn pending(&self, limit: u32) -> Result<Vec<PendingLog>, StoreError>;

    /// Returns a connection's events behind a sequence, in order, record events with the record as it is now.
    ///
    /// A stretch ends where an endpoint's events begin: what was logged before an endpoint was added shares no
    /// stretch, and so no message, with what was logged after.
    async fn events_after(
        &self,
        connection: ConnectionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, StoreError>;
}

/// A connection's event log that is longer than what was fanned out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingLog {
    /// The connection.
    pub connection: ConnectionId,
    /// Up to which event it was fanned out; 0 for none.
    pub from: u64,
    /// Its last event.
    pub to: u64,
}

/// Endpoints, messages and attempts.
#[async_trait]
pub trait DeliveryStore: fmt::Debug + Send + Sync + 'static {
    /// Adds an endpoint. It gets events from now on, not those logged before.
    async fn add_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError>;

    /// Returns all endpoints, oldest first.
    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError>;

    /// Returns one endpoint.
    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError>;

    /// Removes an endpoint with its deliveries. Tells whether there was one.
    async fn remove_endpoint(&self, id: EndpointId) -> Result<bool, StoreError>;

    /// Stops an endpoint; its pending deliveries wait.
    async fn disable_endpoint(
        &self,
        id: EndpointId,
        at: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), StoreError>;

    /// Writes messages and moves the connection's position, if it still stands at `fan_out.from`.
    ///
    /// Tells whether it did; when not, nothing was written: another dispatcher was faster, or an endpoint's events begin
    /// inside of the stretch, which ends there when it is read again.
    async fn fan_out(&self, fan_out: FanOut) -> Result<bool, StoreError>;

    /// Takes deliveries that are due, each until `lease_until`, after which they are due again. Oldest first, and no
    /// more than `per_endpoint` of one endpoint, counting those already leased.
    async fn take_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
        per_endpoint: u32,
    ) -> Result<Vec<DueDelivery>, StoreError>;

    /// Writes an attempt and what follows from it.
    async fn record_attempt(&self, attempt: Attempt) -> Result<(), StoreError>;

    /// Returns when the next delivery is due, so that nobody has to ask in between.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Counts what waits for enabled endpoints.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Lists deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;

    /// Makes a delivery due at once, with a full retry plan. Tells whether there is one.
    async fn retry(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<bool, StoreError>;
}

/// Why a store did not do it. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// Says what was attempted.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Returns the words of what caused it, for a log line.
    pub fn source_text(&self) -> Option<String> {
        self.source.as_ref().map(ToString::to_string)
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// An event with what its message will carry.
#[derive(Clone, Debug)]
pub struct PendingEvent {
    /// The event.
    pub event: Event,
    /// The record as the API shows it now; nothing for events that are no record's.
    pub record: Option<Box<RawValue>>,
}

/// One delivery's id. The message's own id, the same in every attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    /// Derives the id of the message that tells this endpoint of these events: the same again after a crash.
    pub fn derive(
        endpoint: EndpointId,
        connection: ConnectionId,
        event: EventType,
        sequence: u64,
    ) -> Self {
        let name = format!("{connection}:{event}:{sequence}");
        Self(Uuid::new_v5(endpoint.as_uuid(), name.as_bytes()))
    }

    /// Wraps a UUID that was read back from storage.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID itself, for storage.
    pub fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    /// Writes it as receivers see it in `webhook-id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.0.simple())
    }
}

impl FromStr for DeliveryId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text.strip_prefix("msg_").unwrap_or(text)).map(Self)
    }
}

/// Messages made of a stretch of a connection's log, with the position behind it.
#[derive(Clone, Debug)]
pub struct FanOut {
    /// The connection.
    pub connection: ConnectionId,
    /// The position that the stretch began behind.
    pub from: u64,
    /// The last sequence of the stretch.
    pub to: u64,
    /// What to send.
    pub messages: Vec<Message>,
}

/// A message to one endpoint.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: DeliveryId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it tells of.
    pub event: EventType,
    /// The last sequence that it tells of.
    pub sequence: u64,
    /// The body, frozen: every attempt sends these bytes.
    pub body: Vec<u8>,
    /// When it was made; its first attempt is due at once.
    pub created_at: DateTime<Utc>,
}

/// A delivery to attempt now.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub endpoint: Endpoint,
    /// What to send.
    pub body: Vec<u8>,
    /// When the message was made.
    pub created_at: DateTime<Utc>,
    /// How many attempts were made in the present plan.
    pub attempts: u32,
    /// When the present plan began.
    pub plan_started_at: DateTime<Utc>,
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// The reply's status, if one came.
    pub status: Option<u16>,
    /// What went wrong, in words without secrets.
    pub error: Option<String>,
    /// What follows.
    pub outcome: AttemptOutcome,
}

/// What follows from an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttemptOutcome {
    /// It arrived.
    Delivered,
    /// It is tried again.
    RetryAt(DateTime<Utc>),
    /// The plan is at its end; it is kept for retrying by hand.
    Failed,
    /// The receiver said that it is gone for good: the endpoint is disabled, the delivery waits.
    Gone,
}

/// What has not arrived yet and is still tried.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Backlog {
    /// How many deliveries wait for their first or next attempt.
    pub pending: u64,
    /// When the oldest of their messages was made.
    pub oldest: Option<DateTime<Utc>>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its first or next attempt.
    Pending,
    /// Arrived.
    Delivered,
    /// Given up; can be retried by hand.
    Failed,
}

impl DeliveryState {
    /// Returns the name used in storage and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A delivery as listed.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// Its id.
    #[serde(serialize_with = "as_text")]
    pub id: DeliveryId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// What it tells of.
    pub event: EventType,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were made in all.
    pub attempts: u32,
    /// When the message was made.
    pub created_at: DateTime<Utc>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The last reply's status.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

fn as_text<S: serde::Serializer>(id: &DeliveryId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Which deliveries to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this endpoint.
    pub endpoint: Option<EndpointId>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Older than this one of the list.
    pub before: Option<(DateTime<Utc>, DeliveryId)>,
    /// How many at most.
    pub limit: u32,
}
