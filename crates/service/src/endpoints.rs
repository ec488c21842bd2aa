//! Webhook endpoints and their deliveries.

use secrecy::SecretString;
use serde_json::json;
use wrenchtime_model::EndpointId;
use wrenchtime_webhooks::{
    Delivery, DeliveryFilter, DeliveryId, Endpoint, EndpointScope, EndpointSecrets, NewEndpoint,
    SigningKey,
};

use crate::storage::AuditEntry;
use crate::{Actor, Error, Result, Service};

/// An endpoint that was just made.
#[derive(Debug)]
pub struct IssuedEndpoint {
    /// The endpoint as stored.
    pub endpoint: Endpoint,
    /// Its signing secret, shown this once.
    pub secret: SecretString,
}

impl Service {
    /// Adds a webhook endpoint. It gets events from now on.
    ///
    /// # Errors
    /// When the address is no `http` or `https` one or carries a user or a password, when its connection does not
    /// exist, or when the store fails. Whether the address may be reached is decided when it is posted to.
    pub async fn create_endpoint(&self, new: NewEndpoint, actor: &Actor) -> Result<IssuedEndpoint> {
        check_address(&new)?;
        if let EndpointScope::Connection(connection) = new.scope {
            self.core.connection(connection).await?;
        }
        let id = EndpointId::new();
        let secret = SigningKey::generate().text().clone();
        let sealed = self.core.vault.seal(id, &secret)?;
        let endpoint = Endpoint::new(id, new, sealed, self.core.clock.now());
        let audit = self.endpoint_audit("endpoint.created", id, actor);
        let service = self.clone();
        let written = async move {
            service.core.deliveries.add_endpoint(&endpoint).await?;
            service.core.connections.audit(audit).await?;
            Ok(IssuedEndpoint { endpoint, secret })
        };
        self.runner.finish(written).await
    }

    /// Returns all endpoints, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>> {
        Ok(self.core.deliveries.endpoints().await?)
    }

    /// Returns one endpoint.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>> {
        Ok(self.core.deliveries.endpoint(id).await?)
    }

    /// Removes an endpoint with its deliveries. Tells whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_endpoint(&self, id: EndpointId, actor: &Actor) -> Result<bool> {
        let audit = self.endpoint_audit("endpoint.removed", id, actor);
        let service = self.clone();
        let written = async move {
            let removed = service.core.deliveries.remove_endpoint(id).await?;
            if removed {
                service.core.connections.audit(audit).await?;
            }
            Ok(removed)
        };
        self.runner.finish(written).await
    }

    /// Lists deliveries, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>> {
        Ok(self.core.deliveries.deliveries(filter).await?)
    }

    /// Makes a delivery due at once, with a full retry plan. Tells whether there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry_delivery(&self, id: DeliveryId) -> Result<bool> {
        let now = self.core.clock.now();
        let found = self.core.deliveries.retry(id, now).await?;
        self.runner.tell_of_events();
        Ok(found)
    }

    fn endpoint_audit(&self, action: &str, id: EndpointId, actor: &Actor) -> AuditEntry {
        let detail = json!({ "endpoint": id });
        self.core.audit(actor, action, None, detail)
    }
}

fn check_address(new: &NewEndpoint) -> Result<()> {
    let url = &new.url;
    let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let message = if !fits {
        "must be an https address"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not carry a user name or password"
    } else {
        return Ok(());
    };
    Err(Error::Invalid {
        field: "url",
        message: message.to_owned(),
    })
}
