//! How the connections stand, for an operator's monitoring.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use metrics::gauge;
use wrenchtime_connector::SystemName;

use crate::storage::Standing;
use crate::{Result, Service, State};

impl Service {
    /// Tells the process's recorder how connections and deliveries stand now. Asked for before what was measured is
    /// read: nothing is counted while nobody looks.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn measure(&self) -> Result<()> {
        let now = self.core.clock.now();
        let standings = self.core.connections.standings().await?;
        let names = self.core.systems.iter();
        let mut systems: BTreeMap<SystemName, Vec<Standing>> = names
            .map(|factory| (factory.info().system.clone(), Vec::new()))
            .collect();
        for standing in standings {
            let of_system = systems.entry(standing.system.clone()).or_default();
            of_system.push(standing);
        }
        for (system, standings) in &systems {
            measure_system(system, standings, now);
        }
        let backlog = self.core.deliveries.backlog().await?;
        gauge!("wrenchtime_webhook_backlog").set(number(backlog.pending));
        gauge!("wrenchtime_webhook_backlog_age_seconds").set(age(backlog.oldest, now));
        Ok(())
    }
}

/// Sets every state, also one that no connection is in any more.
fn measure_system(system: &SystemName, standings: &[Standing], now: DateTime<Utc>) {
    for state in State::ALL {
        let connections: u64 = standings
            .iter()
            .filter(|standing| standing.state == state)
            .map(|standing| standing.connections)
            .sum();
        gauge!("wrenchtime_connections", "system" => system.to_string(), "state" => state.name())
            .set(number(connections));
    }
    let read = || standings.iter().filter(|standing| standing.state.runs());
    let oldest = read().filter_map(|standing| standing.waiting_since).min();
    gauge!("wrenchtime_sync_lag_seconds", "system" => system.to_string()).set(age(oldest, now));
    let quarantined: u64 = standings
        .iter()
        .filter(|standing| standing.state != State::Disconnected)
        .map(|standing| standing.quarantined)
        .sum();
    gauge!("wrenchtime_quarantined_rows", "system" => system.to_string()).set(number(quarantined));
}

fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
    let age = since.map(|since| (now - since).to_std().unwrap_or_default());
    age.unwrap_or_default().as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point numbers, and nobody counts so many things exactly"
)]
fn number(count: u64) -> f64 {
    count as f64
}
