//! Where events are sent.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;
use wrenchtime_model::{ConnectionId, EndpointId, EventType};

/// A webhook endpoint as stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Where events are posted.
    pub url: Url,
    /// What people call it.
    pub description: Option<String>,
    /// Whose events it gets.
    pub scope: EndpointScope,
    /// Which events it gets; all when empty.
    pub events: BTreeSet<EventType>,
    /// It also gets the record events of first syncs.
    pub include_initial: bool,
    /// The signing secret, sealed by [`EndpointSecrets`].
    pub sealed_secret: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it gets nothing, and why.
    pub disabled: Option<(DateTime<Utc>, String)>,
}

impl Endpoint {
    /// Makes an endpoint out of what is stored or was asked for.
    pub fn new(
        id: EndpointId,
        new: NewEndpoint,
        sealed_secret: Vec<u8>,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            url: new.url,
            description: new.description,
            scope: new.scope,
            events: new.events,
            include_initial: new.include_initial,
            sealed_secret,
            created_at,
            disabled: None,
        }
    }

    /// Tells whether the endpoint gets events from this connection.
    pub fn hears(&self, connection: ConnectionId) -> bool {
        let in_scope = match self.scope {
            EndpointScope::All => true,
            EndpointScope::Connection(only) => only == connection,
        };
        self.disabled.is_none() && in_scope
    }

    /// Tells whether the endpoint gets events of this type from this connection.
    pub fn wants(&self, connection: ConnectionId, event: EventType, initial: bool) -> bool {
        self.hears(connection)
            && (!initial || self.include_initial)
            && (self.events.is_empty() || self.events.contains(&event))
    }
}

/// An endpoint to make.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewEndpoint {
    /// Where events are posted.
    pub url: Url,
    /// What people call it.
    pub description: Option<String>,
    /// Whose events it gets.
    pub scope: EndpointScope,
    /// Which events it gets; all when empty.
    pub events: BTreeSet<EventType>,
    /// It also gets the record events of first syncs.
    pub include_initial: bool,
}

/// Whose events an endpoint gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointScope {
    /// Those of every connection.
    All,
    /// Those of one.
    Connection(ConnectionId),
}

/// Seals signing secrets for storage. The service's vault is one.
pub trait EndpointSecrets: fmt::Debug + Send + Sync + 'static {
    /// Seals a secret, bound to its endpoint.
    ///
    /// # Errors
    /// When it cannot be sealed.
    fn seal(
        &self,
        endpoint: EndpointId,
        secret: &SecretString,
    ) -> Result<Vec<u8>, crate::StoreError>;

    /// Opens a sealed secret.
    ///
    /// # Errors
    /// When it was sealed for another endpoint or under another key.
    fn open(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<SecretString, crate::StoreError>;
}
