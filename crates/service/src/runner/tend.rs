//! The task of one connection.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use tracing::{error, info, warn};
use wrenchtime_connector::Connector;
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::Mode;

use super::Runner;
use super::slot::{Begun, Slot, SyncOrder};
use crate::engine::{Job, RunEnd};
use crate::error::chain;
use crate::storage::{SealedSettings, StoredConnection};
use crate::{Error, Options, Result, State, Trigger};

/// What the task remembers between runs.
#[derive(Default)]
struct Memory {
    /// When the last run began, also one before the start of the service.
    last_start: Option<DateTime<Utc>>,
    /// When the last run ended; nothing before the first one since the start of the service.
    ended_at: Option<DateTime<Utc>>,
    /// Failed runs in a row that are worth trying again soon.
    failures: u32,
    /// Runs in a row that found the source silent.
    silent: u32,
    /// The connector, as long as the settings stay.
    connector: Option<(SealedSettings, Arc<dyn Connector>)>,
}

impl Runner {
    pub(super) async fn tend(&self, id: ConnectionId, slot: &Slot) {
        let mut memory = Memory::default();
        match self.last_run(id).await {
            Ok((last_start, unfinished)) => {
                memory.last_start = last_start;
                if unfinished {
                    slot.request(SyncOrder::scheduled());
                }
            }
            Err(error) => {
                warn!(connection = %id, error = %chain(&error), "the last run is not known")
            }
        }
        while self.next_run(id, slot, &memory).await {
            let permit = tokio::select! {
                biased;
                () = slot.stop.cancelled() => return,
                permit = self.permits.acquire() => permit,
            };
            let end = self.run_once(id, slot, &mut memory).await;
            drop(permit);
            if end == RunEnd::Lost {
                info!(connection = %id, "the connection is not run here any more");
                return;
            }
            self.settle(id, &mut memory, &end).await;
            self.tell_of_events();
        }
    }

    /// Returns when the last run began, and whether it was left unfinished.
    async fn last_run(&self, id: ConnectionId) -> Result<(Option<DateTime<Utc>>, bool)> {
        let runs = self.core.connections.runs(id, None, 1).await?;
        Ok(runs.first().map_or((None, false), |run| {
            (Some(run.started_at), run.finished.is_none())
        }))
    }

    /// Waits until a run is wanted, which stays in the slot; false when the task is to end.
    async fn next_run(&self, id: ConnectionId, slot: &Slot, memory: &Memory) -> bool {
        loop {
            if slot.stop.is_cancelled() {
                return false;
            }
            let asked = slot.asked();
            let due = match self.core.connection(id).await {
                Ok(connection) if connection.state.runs() => {
                    if slot.is_wanted() {
                        return true;
                    }
                    due(&self.core.options, &connection, memory)
                }
                Ok(_) => {
                    slot.forget_wanted(asked);
                    None
                }
                Err(Error::NoConnection(_)) => return false,
                Err(error) => {
                    warn!(connection = %id, error = %chain(&error), "when the next run is due is not known");
                    Some(self.core.clock.now() + self.core.options.first_gap)
                }
            };
            slot.set_next_at(due);
            let wait = due.map(|due| (due - self.core.clock.now()).to_std().unwrap_or_default());
            tokio::select! {
                biased;
                () = slot.stop.cancelled() => return false,
                () = slot.wake.notified() => {}
                () = self.wait(wait) => {}
            }
            let now = self.core.clock.now();
            if due.is_some_and(|due| due <= now) {
                slot.want_some();
                return true;
            }
        }
    }

    async fn wait(&self, wait: Option<Duration>) {
        match wait {
            Some(Duration::ZERO) => {}
            Some(wait) => self.core.clock.sleep(wait).await,
            None => std::future::pending().await,
        }
    }

    /// Makes the run that is wanted, unless it was cancelled while it waited for room. Whatever happens in it, a panic
    /// of a connector too, it has an end, and the slot is free again.
    async fn run_once(&self, id: ConnectionId, slot: &Slot, memory: &mut Memory) -> RunEnd {
        memory.last_start = Some(self.core.clock.now());
        let Some(begun) = slot.begin() else {
            return RunEnd::Cancelled;
        };
        let run = AssertUnwindSafe(self.run_begun(id, slot, memory, begun)).catch_unwind();
        let end = run.await.unwrap_or_else(|_panic| {
            // Nobody knows in what state it left what it works with.
            memory.connector = None;
            error!(connection = %id, "a run ended in a panic: this is a fault of the program");
            RunEnd::Failed("a fault of the program ended the run".to_owned())
        });
        slot.end();
        end
    }

    async fn run_begun(
        &self,
        id: ConnectionId,
        slot: &Slot,
        memory: &mut Memory,
        begun: Begun,
    ) -> RunEnd {
        let leave = begun.leave.clone();
        let job = match self.job(id, slot, memory, begun).await {
            Ok(Some(job)) => job,
            Ok(None) => return RunEnd::Cancelled,
            Err(Error::NoConnection(_)) => return RunEnd::Lost,
            Err(Error::Storage(error)) => return RunEnd::Store(chain(&error)),
            Err(error) => return RunEnd::Failed(error.to_string()),
        };
        // At the end of the service, and for other settings, a run is left where it is, unfinished: the next goes on
        // with the page after the last one written. A cancelled one would have to read its listings from the beginning.
        tokio::select! {
            biased;
            () = slot.stop.cancelled() => RunEnd::Cancelled,
            () = leave.cancelled() => RunEnd::Cancelled,
            end = self.syncs.run(job) => end,
        }
    }

    /// Puts a run together; nothing where the connection is not to be read now.
    async fn job(
        &self,
        id: ConnectionId,
        slot: &Slot,
        memory: &mut Memory,
        begun: Begun,
    ) -> Result<Option<Job>> {
        let connection = self.core.connection(id).await?;
        if !connection.state.runs() {
            return Ok(None);
        }
        let connector = self.connector(&connection, memory)?;
        let mapper = self.core.mapper(&connection.system)?;
        let mode = match begun.order.mode {
            Some(mode) => mode,
            None => self.needed_mode(id).await?,
        };
        slot.set_mode(mode);
        if begun.cancel.is_cancelled() {
            return Ok(None);
        }
        Ok(Some(Job {
            connection: id,
            connector,
            mapper,
            mode,
            include_listings: begun.order.on_demand,
            accept_deletes: begun.order.accept_deletes,
            cancel: begun.cancel,
            progress: begun.progress,
        }))
    }

    /// Everything as long as there is no complete copy, what changed from then on.
    async fn needed_mode(&self, id: ConnectionId) -> Result<Mode> {
        let snapshot = self.core.records.sync_snapshot(id).await?;
        Ok(if snapshot.last_success_at.is_none() {
            Mode::Full
        } else {
            Mode::Incremental
        })
    }

    fn connector(
        &self,
        connection: &StoredConnection,
        memory: &mut Memory,
    ) -> Result<Arc<dyn Connector>> {
        if let Some((sealed, connector)) = &memory.connector {
            if *sealed == connection.sealed {
                return Ok(Arc::clone(connector));
            }
            // What the settings before met with says nothing about these.
            (memory.failures, memory.silent) = (0, 0);
        }
        let settings = self
            .core
            .vault
            .open_settings(connection.id, &connection.sealed)?;
        let connector = self.core.factory(&connection.system)?.connect(&settings)?;
        memory.connector = Some((connection.sealed.clone(), Arc::clone(&connector)));
        Ok(connector)
    }

    /// Draws the consequences of a run's end.
    async fn settle(&self, id: ConnectionId, memory: &mut Memory, end: &RunEnd) {
        memory.ended_at = Some(self.core.clock.now());
        let (trigger, reason) = match end {
            RunEnd::Succeeded => (Some(Trigger::Succeeded), None),
            RunEnd::Refused(reason) => (Some(Trigger::Refused), Some(reason)),
            RunEnd::Unreachable(reason) => {
                memory.silent = memory.silent.saturating_add(1);
                let offline = memory.silent >= self.core.options.offline_after;
                (offline.then_some(Trigger::Unreachable), Some(reason))
            }
            RunEnd::Failed(reason) | RunEnd::Store(reason) => (None, Some(reason)),
            RunEnd::Cancelled | RunEnd::Lost => return,
        };
        let soon = match end {
            RunEnd::Unreachable(_) | RunEnd::Store(_) => true,
            // Only a run that reads something brings an offline connection back, whatever stood in the way of this one.
            RunEnd::Failed(_) => self.is_offline(id).await,
            _ => false,
        };
        memory.failures = if soon {
            memory.failures.saturating_add(1)
        } else {
            0
        };
        if !matches!(end, RunEnd::Unreachable(_) | RunEnd::Store(_)) {
            memory.silent = 0;
        }
        if let Some(reason) = reason {
            warn!(connection = %id, reason = %reason, "the run failed");
        }
        let made_with = memory.connector.as_ref().map(|(sealed, _)| sealed.clone());
        if let Some((trigger, made_with)) = trigger.zip(made_with)
            && let Err(error) = self
                .core
                .apply(id, trigger, reason.map(String::as_str), made_with)
                .await
        {
            warn!(connection = %id, error = %chain(&error), "the connection's state could not be written");
        }
    }

    /// An unknown state counts as offline: a gap too many does less harm than one too few.
    async fn is_offline(&self, id: ConnectionId) -> bool {
        let connection = self.core.connection(id).await;
        connection.map_or(true, |connection| connection.state == State::Offline)
    }
}

/// Returns when a connection's next run is due by itself.
fn due(options: &Options, connection: &StoredConnection, memory: &Memory) -> Option<DateTime<Utc>> {
    let (from, wait) = match (memory.ended_at, connection.schedule) {
        (Some(ended_at), _) if memory.failures > 0 => (ended_at, gap(options, memory.failures)),
        (_, Some(every)) => (
            memory
                .last_start
                .unwrap_or_else(|| connection.created_at.as_datetime()),
            every,
        ),
        (Some(ended_at), None) if connection.state == State::Offline => (ended_at, gap(options, 1)),
        // After a restart nobody remembers the failures; the source is asked at once.
        (None, None) if connection.state == State::Offline => {
            (connection.state_since, Duration::ZERO)
        }
        (_, None) => return None,
    };
    let spread = options.jitter.clamp(0.0, 1.0) * (rand::random::<f64>() * 2.0 - 1.0);
    let wait = TimeDelta::from_std(wait.mul_f64(1.0 + spread)).ok()?;
    from.checked_add_signed(wait)
}

/// Returns the wait after so many failures in a row.
fn gap(options: &Options, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    options
        .first_gap
        .saturating_mul(1 << doublings)
        .min(options.longest_gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_up_to_the_longest() {
        let options = Options::default();
        let seconds: Vec<u64> = (1..=9)
            .map(|failures| gap(&options, failures).as_secs())
            .collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(gap(&options, u32::MAX).as_secs(), 3600);
    }
}
