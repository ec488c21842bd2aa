//! A store in memory, and what the tests build from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use wiremock::MockServer;
use wrenchtime_clock::{Clock, ManualClock, SystemClock};
use wrenchtime_egress::Policy;
use wrenchtime_model::{ConnectionId, EndpointId, Event, EventBody, EventType, Timestamp};
use wrenchtime_webhooks::{
    Attempt, AttemptOutcome, Backlog, Delivery, DeliveryFilter, DeliveryId, DeliveryStore,
    Dispatcher, DispatcherParts, DueDelivery, Endpoint, EndpointScope, EndpointSecrets,
    EventSource, FanOut, Message, NewEndpoint, PendingEvent, PendingLog, SigningKey, StoreError,
};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) events: Vec<PendingEvent>,
    pub(crate) positions: BTreeMap<ConnectionId, u64>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) messages: BTreeMap<DeliveryId, (Message, u32, Option<DateTime<Utc>>)>,
    pub(crate) leases: BTreeMap<DeliveryId, DateTime<Utc>>,
    pub(crate) attempts: Vec<Attempt>,
    /// How often events were read.
    pub(crate) reads: usize,
}

impl State {
    /// Deliveries of an endpoint that somebody holds.
    fn held(&self, endpoint: EndpointId, now: DateTime<Utc>) -> usize {
        let held = self.leases.iter().filter(|(_, until)| **until > now);
        held.filter(|(id, _)| self.messages[id].0.endpoint == endpoint)
            .count()
    }
}

/// Keeps everything under one lock: each method is atomic.
#[derive(Debug, Default)]
pub(crate) struct MemoryDeliveries(Mutex<State>);

impl MemoryDeliveries {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl EventSource for MemoryDeliveries {
    async fn pending(&self, _: u32) -> Result<Vec<PendingLog>, StoreError> {
        Ok(self.with(|state| {
            let mut pending = BTreeMap::new();
            for event in &state.events {
                let (connection, to) = (event.event.connection_id, event.event.sequence);
                let from = state.positions.get(&connection).copied().unwrap_or(0);
                if to > from {
                    let log = PendingLog {
                        connection,
                        from,
                        to,
                    };
                    pending.insert(connection, log);
                }
            }
            pending.into_values().collect()
        }))
    }

    async fn events_after(
        &self,
        connection: ConnectionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        Ok(self.with(|state| {
            state.reads += 1;
            let of_connection = state.events.iter().filter(|event| {
                event.event.connection_id == connection && event.event.sequence > after
            });
            of_connection.take(limit as usize).cloned().collect()
        }))
    }
}

#[async_trait]
impl DeliveryStore for MemoryDeliveries {
    async fn add_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        self.with(|state| state.endpoints.push(endpoint.clone()));
        Ok(())
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.with(|state| state.endpoints.clone()))
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.with(|state| {
            state
                .endpoints
                .iter()
                .find(|endpoint| endpoint.id == id)
                .cloned()
        }))
    }

    async fn remove_endpoint(&self, id: EndpointId) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let before = state.endpoints.len();
            state.endpoints.retain(|endpoint| endpoint.id != id);
            state.endpoints.len() < before
        }))
    }

    async fn disable_endpoint(
        &self,
        id: EndpointId,
        at: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.with(|state| {
            for endpoint in state
                .endpoints
                .iter_mut()
                .filter(|endpoint| endpoint.id == id)
            {
                endpoint.disabled = Some((at, reason.to_owned()));
            }
        });
        Ok(())
    }

    async fn fan_out(&self, fan_out: FanOut) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let position = state.positions.entry(fan_out.connection).or_default();
            if *position != fan_out.from {
                return false;
            }
            *position = fan_out.to;
            for message in fan_out.messages {
                let due = Some(message.created_at);
                state.messages.insert(message.id, (message, 0, due));
            }
            true
        }))
    }

    async fn take_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
        per_endpoint: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        Ok(self.with(|state| {
            let mut due: Vec<_> = state
                .messages
                .values()
                .filter_map(|(message, _, due)| Some(((*due)?, message.sequence, message.id)))
                .filter(|(due, _, _)| *due <= now)
                .collect();
            due.sort_unstable();
            let mut taken = Vec::new();
            for (_, _, id) in due {
                let endpoint = state.messages[&id].0.endpoint;
                let Some(endpoint) = state.endpoints.iter().find(|one| one.id == endpoint) else {
                    continue;
                };
                let is_full = state.held(endpoint.id, now) >= per_endpoint as usize;
                if endpoint.disabled.is_some() || is_full || taken.len() >= limit as usize {
                    continue;
                }
                let endpoint = endpoint.clone();
                state.leases.insert(id, lease_until);
                let (message, attempts, due) = state.messages.get_mut(&id).unwrap();
                *due = Some(lease_until);
                taken.push(DueDelivery {
                    id,
                    endpoint,
                    body: message.body.clone(),
                    created_at: message.created_at,
                    attempts: *attempts,
                    plan_started_at: message.created_at,
                });
            }
            taken
        }))
    }

    async fn record_attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.with(|state| {
            state.leases.remove(&attempt.delivery);
            let (message, attempts, due) = state.messages.get_mut(&attempt.delivery).unwrap();
            *attempts += 1;
            *due = match &attempt.outcome {
                AttemptOutcome::RetryAt(at) => Some(*at),
                AttemptOutcome::Delivered | AttemptOutcome::Failed => None,
                AttemptOutcome::Gone => {
                    for endpoint in state
                        .endpoints
                        .iter_mut()
                        .filter(|one| one.id == message.endpoint)
                    {
                        endpoint.disabled = Some((attempt.at, "gone".to_owned()));
                    }
                    *due
                }
            };
            state.attempts.push(attempt);
        });
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.with(|state| state.messages.values().filter_map(|(_, _, due)| *due).min()))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Err(StoreError::new("counting is the store's own business"))
    }

    async fn deliveries(&self, _: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        Err(StoreError::new("listing is the store's own business"))
    }

    async fn retry(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(self.with(|state| match state.messages.get_mut(&id) {
            Some((_, attempts, due)) => {
                (*attempts, *due) = (0, Some(now));
                true
            }
            None => false,
        }))
    }
}

/// Keeps secrets as they are, and opens none that was put down as [`SEALED_ELSEWHERE`].
#[derive(Debug)]
pub(crate) struct Plain;

/// A secret that does not open.
pub(crate) const SEALED_ELSEWHERE: &[u8] = b"sealed under a canary key";

impl EndpointSecrets for Plain {
    fn seal(&self, _: EndpointId, secret: &SecretString) -> Result<Vec<u8>, StoreError> {
        Ok(secret.expose_secret().as_bytes().to_vec())
    }

    fn open(&self, _: EndpointId, sealed: &[u8]) -> Result<SecretString, StoreError> {
        if sealed == SEALED_ELSEWHERE {
            return Err(StoreError::new("open a signing secret"));
        }
        Ok(SecretString::from(
            String::from_utf8(sealed.to_vec()).unwrap(),
        ))
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<MemoryDeliveries>,
    pub(crate) clock: ManualClock,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) receiver: MockServer,
    pub(crate) key: SigningKey,
    pub(crate) connection: ConnectionId,
}

impl World {
    /// A receiver on loopback with one endpoint for it, and a dispatcher with this policy.
    pub(crate) async fn new(egress: Policy) -> Self {
        let clock = ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap());
        let told = Arc::new(clock.clone());
        Self::build(egress, clock, told).await
    }

    /// The same by the machine's clock, for what goes on while an attempt is under way.
    pub(crate) async fn in_real_time(egress: Policy) -> Self {
        let clock = ManualClock::new(SystemClock.now());
        Self::build(egress, clock, Arc::new(SystemClock)).await
    }

    async fn build(egress: Policy, clock: ManualClock, told: Arc<dyn Clock>) -> Self {
        let store = Arc::new(MemoryDeliveries::default());
        let receiver = MockServer::start().await;
        let key = SigningKey::generate();
        let events: Arc<dyn EventSource> = Arc::<MemoryDeliveries>::clone(&store);
        let deliveries: Arc<dyn DeliveryStore> = Arc::<MemoryDeliveries>::clone(&store);
        let parts =
            DispatcherParts::new(events, deliveries, Arc::new(Plain), told).with_egress(egress);
        let dispatcher = Dispatcher::try_new(parts).unwrap();
        let world = Self {
            store,
            clock,
            dispatcher,
            receiver,
            key,
            connection: ConnectionId::new(),
        };
        let url = format!("{}/hook?token=canary", world.receiver.uri());
        world.add_endpoint(&url).await;
        world
    }

    pub(crate) async fn add_endpoint(&self, url: &str) -> EndpointId {
        let id = EndpointId::new();
        let new = NewEndpoint {
            url: url.parse().unwrap(),
            description: None,
            scope: EndpointScope::All,
            events: [].into(),
            include_initial: false,
        };
        let sealed = Plain.seal(id, self.key.text()).unwrap();
        let endpoint = Endpoint::new(id, new, sealed, DateTime::UNIX_EPOCH);
        self.store.add_endpoint(&endpoint).await.unwrap();
        id
    }

    /// Logs an event.
    pub(crate) fn log(&self) {
        self.store.with(|state| {
            let event = Event {
                sequence: state.events.len() as u64 + 1,
                connection_id: self.connection,
                time: Timestamp::from(DateTime::UNIX_EPOCH),
                body: EventBody::Lifecycle {
                    event: EventType::SyncCompleted,
                    data: json!({"outcome": "complete"}),
                },
            };
            state.events.push(PendingEvent {
                event,
                record: None,
            });
        });
    }
}
