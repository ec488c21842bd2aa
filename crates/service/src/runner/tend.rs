//! The task of one connection.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tracing::{error, warn};
use wrenchtime_connector::{Connector, EntityName};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{Mode, Turn};

use super::Runner;
use super::plan::{Past, Plan};
use super::slot::{Begun, Slot, SyncOrder};
use crate::engine::{Job, RunEnd};
use crate::error::chain;
use crate::storage::{SealedSettings, StoredConnection};
use crate::{Error, Result, State, Trigger};

/// Half of how long another process that took a connection over may do nothing, where its schedule is shorter.
const SHORTEST_STAND_BY: Duration = Duration::from_secs(5 * 60);

/// What the task remembers between runs.
#[derive(Default)]
struct Memory {
    past: Past,
    /// What the run under way is to read.
    reading: Vec<EntityName>,
    /// Runs in a row that found the source silent.
    silent: u32,
    /// A run has ended well: from then on changes are asked for, whatever else happens, and the store need not be asked.
    has_copy: bool,
    /// The connector, as long as the settings stay.
    connector: Option<(SealedSettings, Arc<dyn Connector>)>,
}

impl Runner {
    pub(super) async fn tend(&self, id: ConnectionId, slot: &Slot) {
        let mut memory = Memory::default();
        match self.last_run(id).await {
            Ok((last_start, unfinished)) => {
                memory.past.last_start = last_start;
                let is_new = last_start.is_none() && self.awaits_its_first_run(id).await;
                if unfinished || is_new {
                    slot.request(SyncOrder::scheduled());
                }
            }
            Err(error) => {
                warn!(connection = %id, error = %chain(&error), "the last run is not known")
            }
        }
        while self.next_run(id, slot, &mut memory).await {
            let turn = tokio::select! {
                biased;
                () = slot.stop.cancelled() => return,
                turn = self.turns.take(slot.urgency()) => turn,
            };
            let end = self.run_once(id, slot, &mut memory, turn).await;
            if end == RunEnd::Lost {
                warn!(connection = %id, "another process runs this connection now: this one stands by");
                if !self.stand_by(id, slot, &mut memory).await {
                    return;
                }
                continue;
            }
            self.settle(id, &mut memory, &end).await;
            self.tell_of_events();
        }
    }

    /// Returns when the last run began, and whether it was left unfinished.
    pub(super) async fn last_run(&self, id: ConnectionId) -> Result<(Option<DateTime<Utc>>, bool)> {
        let runs = self.core.connections.runs(id, None, 1).await?;
        Ok(runs.first().map_or((None, false), |run| {
            (Some(run.started_at), run.finished.is_none())
        }))
    }

    /// Tells whether a connection that has a schedule and never had a run was made before the service started: the process
    /// that was to begin its first run ended before it did.
    async fn awaits_its_first_run(&self, id: ConnectionId) -> bool {
        let (Some(started), Ok(connection)) = (self.started.get(), self.core.connection(id).await)
        else {
            return false;
        };
        connection.schedule.is_some() && connection.created_at.as_datetime() < *started
    }

    /// Leaves a connection to the process that took it over, until a run is asked for here, or that one does nothing for
    /// longer than it should. False when the task is to end.
    async fn stand_by(&self, id: ConnectionId, slot: &Slot, memory: &mut Memory) -> bool {
        let mut seen = None;
        let mut since = self.core.clock.now();
        loop {
            let patience = match self.core.connection(id).await {
                Ok(connection) if connection.state == State::Disconnected => return false,
                Ok(connection) => {
                    connection
                        .schedule
                        .unwrap_or_default()
                        .max(SHORTEST_STAND_BY)
                        * 2
                }
                Err(Error::NoConnection(_)) => return false,
                Err(_) => SHORTEST_STAND_BY,
            };
            let left = since + patience - self.core.clock.now();
            tokio::select! {
                biased;
                () = slot.stop.cancelled() => return false,
                () = slot.wake.notified() => {}
                () = self.core.clock.sleep(left.to_std().unwrap_or_default()) => {}
            }
            if slot.is_wanted() {
                return true;
            }
            // A store that does not answer says nothing of the other process.
            let Ok(runs) = self.core.connections.runs(id, None, 1).await else {
                continue;
            };
            let newest = runs.into_iter().next();
            let now = self.core.clock.now();
            if newest != seen {
                (seen, since) = (newest, now);
            } else if now >= since + patience {
                warn!(connection = %id, "the other process does nothing any more: the connection is run here again");
                memory.past = Past::default();
                memory.past.last_start = newest.as_ref().map(|run| run.started_at);
                if newest.is_some_and(|run| run.finished.is_none()) {
                    slot.request(SyncOrder::scheduled());
                }
                return true;
            }
        }
    }

    /// Waits until a run is wanted, which stays in the slot; false when the task is to end.
    async fn next_run(&self, id: ConnectionId, slot: &Slot, memory: &mut Memory) -> bool {
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
                    self.know_the_past(&connection, memory).await;
                    self.plan(&connection, memory).due()
                }
                // It may have ended while it was reauthorized.
                Ok(connection) if connection.state == State::Disconnected => return false,
                Ok(connection) => {
                    slot.forget_wanted(asked, connection.state == State::Paused);
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
                slot.want_what_is_due();
                return true;
            }
        }
    }

    fn plan<'a>(&'a self, connection: &'a StoredConnection, memory: &'a Memory) -> Plan<'a> {
        Plan {
            options: &self.core.options,
            connection,
            info: self.core.info(&connection.system),
            past: &memory.past,
        }
    }

    /// Looks up what schedules of single resources count from, where there are any.
    async fn know_the_past(&self, connection: &StoredConnection, memory: &mut Memory) {
        if connection.resource_schedules.is_empty() || !memory.past.is_unknown() {
            return;
        }
        let Some(info) = self.core.info(&connection.system) else {
            return;
        };
        match self.core.records.sync_snapshot(connection.id).await {
            Ok(snapshot) => memory.past.know(info, &snapshot, connection),
            // Until it can be read, they count from the last run.
            Err(error) => {
                warn!(connection = %connection.id, error = %chain(&error), "when resources were read is not known");
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
    async fn run_once(
        &self,
        id: ConnectionId,
        slot: &Slot,
        memory: &mut Memory,
        turn: Turn,
    ) -> RunEnd {
        memory.past.last_start = Some(self.core.clock.now());
        memory.reading.clear();
        let Some(begun) = slot.begin(turn) else {
            return RunEnd::Cancelled;
        };
        let run = AssertUnwindSafe(self.run_begun(id, slot, memory, &begun)).catch_unwind();
        let end = run.await.unwrap_or_else(|_panic| {
            // Nobody knows in what state it left what it works with.
            memory.connector = None;
            error!(connection = %id, "a run ended in a panic: this is a fault of the program");
            RunEnd::Failed("a fault of the program ended the run".to_owned())
        });
        if matches!(end, RunEnd::Store(_)) {
            slot.leave_over(&begun);
        }
        slot.end();
        end
    }

    async fn run_begun(
        &self,
        id: ConnectionId,
        slot: &Slot,
        memory: &mut Memory,
        begun: &Begun,
    ) -> RunEnd {
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
            () = begun.leave.cancelled() => RunEnd::Cancelled,
            end = self.syncs.run(job) => end,
        }
    }

    /// Puts a run together; nothing where the connection is not to be read now.
    async fn job(
        &self,
        id: ConnectionId,
        slot: &Slot,
        memory: &mut Memory,
        begun: &Begun,
    ) -> Result<Option<Job>> {
        let connection = self.core.connection(id).await?;
        if !connection.state.runs() {
            if connection.state == State::Paused {
                slot.keep(begun.order);
            }
            return Ok(None);
        }
        let connector = self.connector(&connection, memory)?;
        let mapper = self.core.mapper(&connection.system)?;
        let mode = match begun.order.mode {
            Some(mode) => mode,
            None if memory.has_copy => Mode::Incremental,
            None => self.needed_mode(id).await?,
        };
        let entities = self.part(&connection, memory, (begun.order, mode)).await?;
        slot.set_read(mode, entities.is_some());
        if begun.cancel.is_cancelled() {
            return Ok(None);
        }
        let all = || self.plan(&connection, memory).all_entities();
        memory.reading = entities.clone().unwrap_or_else(all);
        Ok(Some(Job {
            connection: id,
            entities,
            connector,
            mapper,
            mode,
            asked_at: begun.order.asked_at,
            since: connection.records_since,
            cancel: begun.cancel.clone(),
            ending: begun.ending.clone(),
            progress: begun.progress.clone(),
            turn: begun.turn.clone(),
        }))
    }

    /// Returns which entities a run reads; nothing for everything.
    ///
    /// What an unfinished run was to read nobody knows: who goes on with it reads everything.
    async fn part(
        &self,
        connection: &StoredConnection,
        memory: &Memory,
        (order, mode): (SyncOrder, Mode),
    ) -> Result<Option<Vec<EntityName>>> {
        if !order.due_only || mode == Mode::Full {
            return Ok(None);
        }
        let due = self
            .plan(connection, memory)
            .due_entities(self.core.clock.now());
        if due.is_some() && self.last_run(connection.id).await?.1 {
            return Ok(None);
        }
        Ok(due)
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
            (memory.past.failures, memory.silent) = (0, 0);
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
        let now = self.core.clock.now();
        memory.past.ended_at = Some(now);
        let reading = std::mem::take(&mut memory.reading);
        match end {
            // What was due still is.
            RunEnd::Unreachable(_) | RunEnd::Store(_) | RunEnd::Lost => {}
            _ if reading.is_empty() => memory.past.skip(now),
            _ => memory
                .past
                .reads(&reading, memory.past.last_start.unwrap_or(now)),
        }
        memory.has_copy |= matches!(end, RunEnd::Succeeded);
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
        memory.past.failures = if soon {
            memory.past.failures.saturating_add(1)
        } else {
            0
        };
        memory.past.store_failed = matches!(end, RunEnd::Store(_));
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
