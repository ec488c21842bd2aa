//! What the webhook dispatcher keeps: endpoints, deliveries, and how far the logs were fanned out.

mod deliveries;
mod endpoints;
mod events;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use wrenchtime_model::{ConnectionId, EndpointId};
use wrenchtime_webhooks::{
    Attempt, Backlog, Delivery, DeliveryFilter, DeliveryId, DeliveryStore, DueDelivery, Endpoint,
    EventSource, FanOut, PendingEvent, PendingLog, StoreError,
};

use super::SqliteStore;
use crate::error::Fault;

#[async_trait]
impl EventSource for SqliteStore {
    async fn pending(&self, limit: u32) -> Result<Vec<PendingLog>, StoreError> {
        Ok(events::pending(self, limit).await?)
    }

    async fn events_after(
        &self,
        connection: ConnectionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        Ok(events::after(self, connection, after, limit).await?)
    }
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn add_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        Ok(endpoints::add(self, endpoint).await?)
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        Ok(endpoints::all(self).await?)
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(endpoints::one(self, id).await?)
    }

    async fn remove_endpoint(&self, id: EndpointId) -> Result<bool, StoreError> {
        Ok(endpoints::remove(self, id).await?)
    }

    async fn disable_endpoint(
        &self,
        id: EndpointId,
        at: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        endpoints::disable(&mut tx, id, at, reason).await?;
        tx.commit().await.map_err(Fault::from)?;
        Ok(())
    }

    async fn fan_out(&self, fan_out: FanOut) -> Result<bool, StoreError> {
        Ok(deliveries::fan_out(self, &fan_out).await?)
    }

    async fn take_due(
        &self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
        per_endpoint: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let take = deliveries::Take {
            now,
            lease_until,
            limit,
            per_endpoint,
        };
        Ok(take.run(self).await?)
    }

    async fn record_attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        Ok(deliveries::record_attempt(self, &attempt).await?)
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(deliveries::next_due(self).await?)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(deliveries::backlog(self).await?)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        Ok(deliveries::list(self, filter).await?)
    }

    async fn retry(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(deliveries::retry(self, id, now).await?)
    }
}
