//! What a tenant holds, and the indexes that keep large ones quick.

mod edit;
mod find;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::options::Switches;
use crate::plant::{Action, HistoryEntry, Plant, WorkOrder};

pub(super) use find::{
    CostLine, EMAIL, LocationRow, OF_ACTOR, OF_LOCATION, ORDER_CONTACT, ORGANIZATION_EMAIL, PHONE,
};

/// Orders instants and ids together.
type TimeIndex = BTreeSet<(i64, u32)>;

/// A row of the action log.
#[derive(Debug)]
pub(super) struct LogRow {
    pub(super) id: u32,
    pub(super) work_order: u32,
    pub(super) reason: Option<&'static str>,
    pub(super) entry: HistoryEntry,
}

/// The data of one simulated company. It is read and changed inside [`CorrigoSandbox::edit`](super::CorrigoSandbox::edit).
///
/// Changes behave as the vendor's: each moves the `ConcurrencyId` of its record; what happens to a work order adds a row to the
/// action log; `LastActionDateUtc` moves with the status only; removed records stay and are marked.
#[derive(Debug)]
pub struct Tenant {
    plant: Plant,
    switches: Switches,
    now: DateTime<Utc>,
    logs: Vec<LogRow>,
    logs_of: HashMap<u32, Vec<u32>>,
    by_last_action: TimeIndex,
    by_log_time: TimeIndex,
}

impl Tenant {
    pub(super) fn new(mut plant: Plant, switches: Switches) -> Self {
        let now = plant.now;
        let mut tenant = Self {
            logs: Vec::new(),
            logs_of: HashMap::with_capacity(plant.work_orders.len()),
            by_last_action: TimeIndex::new(),
            by_log_time: TimeIndex::new(),
            plant: {
                for order in &mut plant.work_orders {
                    round_times(order, &switches);
                }
                plant
            },
            switches,
            now,
        };
        tenant.index_everything();
        tenant
    }

    #[cfg(test)]
    pub(super) fn for_tests(work_orders: usize) -> Self {
        let options = crate::plant::PlantOptions::new(3, work_orders);
        Self::new(Plant::generate(&options), Switches::default())
    }

    /// Returns the data. The histories of its work orders are empty: they became rows of the action log.
    #[must_use]
    pub fn plant(&self) -> &Plant {
        &self.plant
    }

    /// Returns the instant that the next change will carry.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Sets the instant that the next changes will carry, until the edit ends; the past is allowed, as for a late commit.
    pub fn set_now(&mut self, at: DateTime<Utc>) {
        self.now = stored(at, &self.switches);
    }

    /// Gives access to the switches. `stored_decimals` holds for later changes only.
    pub fn switches_mut(&mut self) -> &mut Switches {
        &mut self.switches
    }

    pub(super) fn switches(&self) -> &Switches {
        &self.switches
    }

    pub(super) fn logs(&self) -> &[LogRow] {
        &self.logs
    }

    pub(super) fn by_last_action(&self) -> &TimeIndex {
        &self.by_last_action
    }

    pub(super) fn by_log_time(&self) -> &TimeIndex {
        &self.by_log_time
    }

    /// Returns the ids of the log rows of a work order, oldest first.
    pub(super) fn logs_of(&self, work_order: u32) -> &[u32] {
        self.logs_of.get(&work_order).map_or(&[], Vec::as_slice)
    }

    /// Returns the log row of the last action that moved the status of a work order.
    pub(super) fn last_action(&self, work_order: u32) -> Option<&LogRow> {
        let ids = self.logs_of(work_order).iter().rev();
        ids.filter_map(|id| self.log_row(*id))
            .find(|row| row.entry.action.moves_status())
    }

    fn log_row(&self, id: u32) -> Option<&LogRow> {
        self.logs.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// Turns all histories into log rows whose ids follow time.
    fn index_everything(&mut self) {
        let mut rows: Vec<(u32, Option<&'static str>, HistoryEntry)> = Vec::new();
        for order in &mut self.plant.work_orders {
            for entry in std::mem::take(&mut order.history) {
                rows.push((order.id, reason_of(entry.action, order.reason), entry));
            }
        }
        rows.sort_by_key(|(order, _, entry)| (entry.at, *order));
        for (id, (work_order, reason, entry)) in (1..).zip(rows) {
            self.logs_of.entry(work_order).or_default().push(id);
            self.logs.push(LogRow {
                id,
                work_order,
                reason,
                entry,
            });
        }
        self.by_last_action = self
            .plant
            .work_orders
            .iter()
            .map(|order| (micros(order.status_changed_at), order.id))
            .collect();
        self.by_log_time = self
            .logs
            .iter()
            .map(|row| (micros(row.entry.at), row.id))
            .collect();
    }

    fn push_log(&mut self, work_order: u32, reason: Option<&'static str>, entry: HistoryEntry) {
        let id = u32::try_from(self.logs.len()).map_or(u32::MAX, |count| count + 1);
        self.by_log_time.insert((micros(entry.at), id));
        self.logs_of.entry(work_order).or_default().push(id);
        self.logs.push(LogRow {
            id,
            work_order,
            reason,
            entry,
        });
    }

    /// Makes a change and brings log and index of the work order up to date.
    fn change_work_order<R>(
        &mut self,
        id: u32,
        change: impl FnOnce(&mut Plant, DateTime<Utc>) -> R,
    ) -> R {
        let before = self
            .plant
            .work_order(id)
            .map(|order| order.status_changed_at);
        let result = change(&mut self.plant, self.now);
        self.follow(id, before);
        result
    }

    fn follow(&mut self, id: u32, before: Option<DateTime<Utc>>) {
        let Some(order) = self.plant.work_order_for_log(id) else {
            return;
        };
        let (after, reason) = (order.status_changed_at, order.reason);
        let history = std::mem::take(&mut order.history);
        if let Some(before) = before {
            self.by_last_action.remove(&(micros(before), id));
        }
        self.by_last_action.insert((micros(after), id));
        for entry in history {
            self.push_log(id, reason_of(entry.action, reason), entry);
        }
    }
}

fn reason_of(action: Action, reason: Option<&'static str>) -> Option<&'static str> {
    reason.filter(|_| matches!(action, Action::Held | Action::Cancelled))
}

/// Returns an instant as indexes count it.
pub(super) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Rounds an instant to what the database keeps.
fn stored(at: DateTime<Utc>, switches: &Switches) -> DateTime<Utc> {
    let step = TimeDelta::milliseconds(10_i64.pow(3 - switches.stored_decimals.min(3)));
    at.duration_round(step).unwrap_or(at)
}

fn round_times(order: &mut WorkOrder, switches: &Switches) {
    let round = |at: &mut DateTime<Utc>| *at = stored(*at, switches);
    round(&mut order.created_at);
    round(&mut order.status_changed_at);
    round(&mut order.modified_at);
    for at in [
        &mut order.scheduled_at,
        &mut order.due_at,
        &mut order.started_at,
        &mut order.completed_at,
    ]
    .into_iter()
    .flatten()
    {
        round(at);
    }
    for entry in &mut order.history {
        round(&mut entry.at);
    }
}
