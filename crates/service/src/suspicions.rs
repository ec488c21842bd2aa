//! What stands against listings that lack too many rows, and what an operator says of it.

use serde_json::json;
use wrenchtime_connector::{EntityName, SystemName};
use wrenchtime_model::{ConnectionId, Resource, SuspicionId};
use wrenchtime_sync::{Decision, Suspicion};

use crate::runner::SyncOrder;
use crate::storage::{SuspicionDecision, SuspicionShown};
use crate::{Actor, Result, Service};

/// How many of the missing rows are named.
const SAMPLE: u32 = 20;

impl Service {
    /// Returns what stands against listings of a connection, each with up to 20 keys of the rows that are missing.
    /// Answers in every state.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn suspicions(&self, id: ConnectionId) -> Result<Vec<SuspicionShown>> {
        Ok(self.core.records.suspicions(id, SAMPLE).await?)
    }

    /// Decides what stands against a listing. Returns it as it stands then, or stood last; nothing when there is no such
    /// one, perhaps because a later pass misses other rows.
    ///
    /// A confirmed one is acted upon by a run that begins as soon as there is room, or once the connection is read again.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection); [`Error::State`](crate::Error::State) when it is
    /// disconnected; or when the store fails.
    pub async fn decide(
        &self,
        id: ConnectionId,
        (suspicion, decision): (SuspicionId, Decision),
        actor: &Actor,
    ) -> Result<Option<Suspicion>> {
        let core = &self.core;
        core.connection(id).await?.refuse_disconnected("deciding")?;
        let action = match decision {
            Decision::Confirm => "suspicion.confirmed",
            Decision::Reject => "suspicion.rejected",
        };
        let detail = json!({ "suspicion": suspicion });
        let decision = SuspicionDecision {
            connection: id,
            suspicion,
            decision,
            at: core.clock.now(),
            audit: core.audit(actor, action, Some(id), detail),
        };
        let service = self.clone();
        self.runner
            .finish(async move { service.write_decision(decision).await })
            .await
    }

    async fn write_decision(&self, decision: SuspicionDecision) -> Result<Option<Suspicion>> {
        let (id, is_confirmed) = (decision.connection, decision.decision == Decision::Confirm);
        let decided = self.core.connections.decide_suspicion(decision).await?;
        if is_confirmed && decided.is_some() {
            self.runner.attach(id, Some(SyncOrder::decided()));
        }
        Ok(decided)
    }

    /// Returns the resources that an entity of a system makes; none when the system is not here any more.
    pub fn resources_of(&self, system: &SystemName, entity: &EntityName) -> Vec<Resource> {
        let factory = self.core.systems.get(system);
        let entity = factory.and_then(|factory| factory.info().entity(entity));
        entity.map_or_else(Vec::new, |entity| entity.resources.clone())
    }
}
