//! Webhook endpoints and deliveries.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wrenchtime_model::{ConnectionId, EndpointId, EventType, Timestamp};
use wrenchtime_service::webhooks::{Delivery, DeliveryState, Endpoint, EndpointScope};

/// A webhook endpoint to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWebhookEndpoint")]
pub(crate) struct NewEndpointBody {
    /// Where events are posted. HTTPS, and no private address, unless the operator allows it.
    #[schemars(extend("format" = "uri"))]
    pub(crate) url: String,
    /// What people call it.
    pub(crate) description: Option<String>,
    /// The connection whose events it gets; those of all when absent.
    pub(crate) connection_id: Option<ConnectionId>,
    /// Which events it gets; all when empty or absent.
    #[serde(default)]
    pub(crate) events: BTreeSet<EventType>,
    /// Whether it also gets the record events of first syncs.
    #[serde(default)]
    pub(crate) include_initial: bool,
}

/// A webhook endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub(crate) struct EndpointBody {
    /// Its id.
    id: EndpointId,
    /// Where events are posted.
    url: String,
    /// What people call it.
    description: Option<String>,
    /// The connection whose events it gets; null for those of all.
    connection_id: Option<ConnectionId>,
    /// Which events it gets; all when empty.
    events: BTreeSet<EventType>,
    /// Whether it also gets the record events of first syncs.
    include_initial: bool,
    /// When it was made, by Wrenchtime's clock.
    created_at: Timestamp,
    /// Since when it gets nothing, by Wrenchtime's clock.
    disabled_since: Option<Timestamp>,
    /// Why it gets nothing.
    disabled_reason: Option<String>,
}

impl From<Endpoint> for EndpointBody {
    fn from(endpoint: Endpoint) -> Self {
        let (since, reason) = endpoint.disabled.unzip();
        Self {
            id: endpoint.id,
            url: endpoint.url.to_string(),
            description: endpoint.description,
            connection_id: match endpoint.scope {
                EndpointScope::All => None,
                EndpointScope::Connection(id) => Some(id),
            },
            events: endpoint.events,
            include_initial: endpoint.include_initial,
            created_at: endpoint.created_at.into(),
            disabled_since: since.map(Timestamp::from),
            disabled_reason: reason,
        }
    }
}

/// A webhook endpoint that was just made, with its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedWebhookEndpoint")]
pub(crate) struct CreatedEndpointBody {
    #[serde(flatten)]
    pub(crate) endpoint: EndpointBody,
    /// The secret (`whsec_...`) that its messages are signed with. Shown this once.
    pub(crate) secret: String,
}

/// A message to an endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
pub(crate) struct DeliveryBody {
    /// Its id, as receivers see it in `webhook-id`.
    id: String,
    /// The endpoint.
    endpoint_id: EndpointId,
    /// The connection.
    connection_id: ConnectionId,
    /// What it tells of.
    event: EventType,
    /// `pending`, `delivered` or `failed`.
    #[schemars(extend("enum" = ["pending", "delivered", "failed"]))]
    state: String,
    /// How many attempts were made.
    attempts: u32,
    /// When the message was made, by Wrenchtime's clock.
    created_at: Timestamp,
    /// When the next attempt is due.
    next_attempt_at: Option<Timestamp>,
    /// The last reply's status.
    last_status: Option<u16>,
    /// What went wrong last.
    last_error: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Pending;
        Self {
            id: delivery.id.to_string(),
            endpoint_id: delivery.endpoint_id,
            connection_id: delivery.connection_id,
            event: delivery.event,
            state: delivery.state.name().to_owned(),
            attempts: delivery.attempts,
            created_at: delivery.created_at.into(),
            next_attempt_at: delivery
                .next_attempt_at
                .filter(|_| waits)
                .map(Timestamp::from),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
        }
    }
}
