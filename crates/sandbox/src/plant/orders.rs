//! Three years of work orders.

use chrono::{DateTime, Duration, NaiveTime, TimeZone, Utc};
use rust_decimal::Decimal;

use super::{
    Action, HistoryEntry, Labour, Note, PartUsed, Plant, Priority, Rng, Role, Status, Task,
    WorkOrder, WorkOrderKind,
    names::{FIRST, LAST},
};

const ORDER: u64 = 6;
const TIMES: u64 = 7;
const DAYS: u32 = 3 * 365;

/// Reasons for waiting.
pub(crate) const HOLD_REASONS: &[&str] = &[
    "Waiting for parts",
    "Waiting for estimate",
    "Needs customer approval",
    "Deferred",
];
/// Reasons for calling off.
pub(crate) const CANCEL_REASONS: &[&str] = &["Cancelled by customer", "Recalled", "Other"];

/// What a new order can choose from, by site.
struct Choices {
    assets: Vec<u32>,
    technicians: Vec<u32>,
    parts: Vec<u32>,
}

pub(super) fn generate(plant: &mut Plant, seed: u64, count: usize) {
    let choices: Vec<Choices> = plant
        .sites
        .iter()
        .map(|site| choices(plant, site.id))
        .collect();
    let contractors: Vec<u32> = plant
        .vendors
        .iter()
        .filter(|row| !row.supplier)
        .map(|row| row.id)
        .collect();
    let times = creation_times(plant.now, seed, count);
    plant.work_orders.reserve_exact(count);
    for (id, created) in (1_u32..).zip(times) {
        let mut rng = Rng::for_record(seed, ORDER, u64::from(id));
        let site = rng.below(u32::try_from(choices.len()).unwrap_or_default()) as usize;
        let asset = *rng.pick(&choices[site].assets);
        let mut order = plant.blank_order(id, asset, created, &mut rng);
        let worker = if rng.percent(22) {
            *rng.pick(&contractors)
        } else {
            *rng.pick(&choices[site].technicians)
        };
        Life {
            plant,
            choices: &choices[site],
            rng: &mut rng,
        }
        .live(&mut order, worker);
        plant.work_orders.push(order);
    }
}

fn choices(plant: &Plant, site: u32) -> Choices {
    Choices {
        assets: plant
            .assets
            .iter()
            .filter(|row| row.site == site)
            .map(|row| row.id)
            .collect(),
        technicians: plant
            .people
            .iter()
            .filter(|row| row.site == site && row.role == Role::Technician)
            .map(|row| row.id)
            .collect(),
        parts: plant
            .parts
            .iter()
            .filter(|row| row.site == site)
            .map(|row| row.id)
            .collect(),
    }
}

/// Returns sorted instants, mostly in working hours, some of them equal because planned work is written in batches.
fn creation_times(now: DateTime<Utc>, seed: u64, count: usize) -> Vec<DateTime<Utc>> {
    let mut rng = Rng::for_record(seed, TIMES, 0);
    let mut times: Vec<DateTime<Utc>> = (0..count)
        .map(|_| {
            let day = now - Duration::days(i64::from(rng.between(1, DAYS)));
            let midnight = Utc.from_utc_datetime(&day.date_naive().and_time(NaiveTime::MIN));
            if rng.percent(8) {
                return midnight + Duration::hours(10);
            }
            let hour = if rng.percent(85) {
                rng.between(12, 22)
            } else {
                rng.below(24)
            };
            midnight
                + Duration::hours(i64::from(hour))
                + Duration::milliseconds(i64::from(rng.below(3_600_000)))
        })
        .map(|at| at.min(now - Duration::minutes(2)))
        .collect();
    times.sort_unstable();
    times
}

impl Plant {
    /// Makes an order in status new for an asset. It takes the next number of the site.
    pub(super) fn blank_order(
        &mut self,
        id: u32,
        asset: u32,
        created: DateTime<Utc>,
        rng: &mut Rng,
    ) -> WorkOrder {
        let (site_id, category, place) = self
            .asset(asset)
            .map_or((1, &super::CATEGORIES[0], 0), |row| {
                (row.site, row.category, row.place)
            });
        let task = rng.pick(category.tasks);
        let (kind, priority) = urgency(task, rng);
        let room = self.place(place).map_or("", |row| row.name.as_str());
        let description = describe(task, room, rng);
        let requester = match kind {
            WorkOrderKind::Request => format!("{} {}", rng.pick(FIRST), rng.pick(LAST)),
            _ => String::new(),
        };
        let number = self.take_number(site_id);
        WorkOrder {
            id,
            number,
            site: site_id,
            asset,
            second_asset: None,
            kind,
            task,
            description,
            priority,
            status: Status::New,
            requester_email: if requester.is_empty() {
                String::new()
            } else {
                format!("request{id}@tenant.example")
            },
            requester,
            assignee: None,
            helper: None,
            po_number: String::new(),
            external_number: String::new(),
            created_at: created,
            scheduled_at: (kind == WorkOrderKind::Preventive).then(|| created + Duration::days(3)),
            due_at: Some(created + Duration::minutes(i64::from(priority.due_minutes()))),
            started_at: None,
            completed_at: None,
            status_changed_at: created,
            modified_at: created,
            completion_note: None,
            reason: None,
            downtime_minutes: None,
            notes: Vec::new(),
            labour: Vec::new(),
            parts_used: Vec::new(),
            contractor_cost: None,
            history: vec![HistoryEntry {
                at: created,
                action: Action::Created,
                actor: None,
                comment: None,
            }],
            removed: false,
            revision: 1,
        }
    }

    fn take_number(&mut self, site: u32) -> String {
        let Some(site) = self.site_mut(site) else {
            return String::new();
        };
        let number = format!("{}{:06}", site.code, site.next_number);
        site.next_number += 1;
        number
    }
}

/// Writes what somebody reports.
fn describe(task: &Task, room: &str, rng: &mut Rng) -> String {
    let symptom = *rng.pick(task.symptoms);
    match rng.below(3) {
        0 => format!("{symptom}. {room}."),
        1 => symptom.to_owned(),
        _ => format!("{room}: {symptom}"),
    }
}

/// Chooses why an order exists and how urgent it is.
fn urgency(task: &Task, rng: &mut Rng) -> (WorkOrderKind, Priority) {
    let kind = match task.preventive {
        true => WorkOrderKind::Preventive,
        false if rng.percent(65) => WorkOrderKind::Request,
        false => WorkOrderKind::Corrective,
    };
    let priority = match (kind, rng.below(100)) {
        (WorkOrderKind::Preventive, 0..=69) => Priority::Low,
        (WorkOrderKind::Preventive, _) => Priority::Normal,
        (_, 0..=6) => Priority::Emergency,
        (_, 7..=34) => Priority::High,
        (_, 35..=84) => Priority::Normal,
        _ => Priority::Low,
    };
    (kind, priority)
}

/// Lets an order live from its creation to now.
struct Life<'a> {
    plant: &'a Plant,
    choices: &'a Choices,
    rng: &'a mut Rng,
}

impl Life<'_> {
    fn live(&mut self, order: &mut WorkOrder, worker: u32) {
        self.decorate(order);
        let window = match order.priority {
            Priority::Emergency => self.rng.between(120, 1_500),
            Priority::High => self.rng.between(600, 5_800),
            Priority::Normal => self.rng.between(2_000, 20_000),
            Priority::Low => self.rng.between(7_000, 58_000),
        };
        let step = |share: u32| {
            order.created_at
                + Duration::seconds(i64::from(window) * i64::from(share) * 60 / 100)
                + Duration::milliseconds(i64::from(share) * 37)
        };
        let (assign, pick_up, start, hold, resume, end) =
            (step(8), step(20), step(45), step(60), step(80), step(100));
        let cancelled = self.rng.percent(5);
        let held = self.rng.percent(18);
        let stuck = self.rng.percent(1);
        self.enter(order, assign, Action::Assigned, worker);
        if order.modified_at == assign {
            order.assignee = Some(worker);
        }
        if !self.enter(order, pick_up, Action::PickedUp, worker) {
            return;
        }
        if cancelled {
            if self.enter(order, hold, Action::Cancelled, worker) {
                order.reason = Some(*self.rng.pick(CANCEL_REASONS));
            }
            return;
        }
        if !self.enter(order, start, Action::Started, worker) {
            return;
        }
        if held && self.enter(order, hold, Action::Held, worker) {
            order.reason = Some(*self.rng.pick(HOLD_REASONS));
            if stuck || !self.enter(order, resume, Action::Reopened, worker) {
                return;
            }
            order.reason = None;
            self.enter(
                order,
                resume + Duration::minutes(3),
                Action::PickedUp,
                worker,
            );
            self.enter(
                order,
                resume + Duration::minutes(9),
                Action::Started,
                worker,
            );
        } else if self.rng.percent(25) && self.enter(order, hold, Action::Paused, worker) {
            if stuck {
                return;
            }
            self.enter(order, resume, Action::Started, worker);
        }
        if order.status == Status::InProgress && self.enter(order, end, Action::Completed, worker) {
            self.finish(order, worker);
        }
    }

    fn decorate(&mut self, order: &mut WorkOrder) {
        if order.kind == WorkOrderKind::Preventive && self.rng.percent(12) {
            order.second_asset =
                Some(*self.rng.pick(&self.choices.assets)).filter(|id| *id != order.asset);
        }
        if self.rng.percent(6) {
            order.po_number = format!("45{:08}", self.rng.below(99_999_999));
        }
        if order.kind == WorkOrderKind::Request && self.rng.percent(10) {
            order.external_number = format!("TK-{}", self.rng.between(10_000, 99_999));
        }
        if self.rng.percent(9) {
            order.helper = Some(*self.rng.pick(&self.choices.technicians));
        }
    }

    /// Records what happened unless that is still to come.
    fn enter(
        &mut self,
        order: &mut WorkOrder,
        at: DateTime<Utc>,
        action: Action,
        actor: u32,
    ) -> bool {
        if at > self.plant.now - Duration::minutes(1) {
            return false;
        }
        let comment = match action {
            Action::Held => Some("waiting, see reason".into()),
            Action::Reopened => Some("can go on".into()),
            _ => None,
        };
        order.apply(HistoryEntry {
            at,
            action,
            actor: Some(actor),
            comment,
        });
        true
    }

    fn finish(&mut self, order: &mut WorkOrder, worker: u32) {
        order.completion_note = Some((*self.rng.pick(order.task.fixes)).to_owned());
        if self.rng.percent(14) {
            order.notes.push(Note {
                at: order.started_at.unwrap_or(order.created_at) + Duration::minutes(17),
                author: Some(worker),
                text: "Spoke to the shift lead, machine is free after 14:00.\r\nTook photos."
                    .to_owned(),
                public: self.rng.percent(50),
            });
        }
        if order.kind != WorkOrderKind::Preventive && self.rng.percent(40) {
            order.downtime_minutes = Some(self.rng.between(5, 600));
        }
        let helper = order.helper;
        if self.plant.vendor(worker).is_some() {
            order.contractor_cost =
                Some(Decimal::new(i64::from(self.rng.between(9_500, 240_000)), 2));
        } else {
            self.book_hours(order, worker);
        }
        if let Some(helper) = helper {
            self.book_hours(order, helper);
        }
        for _ in 0..self.rng.below(3) {
            let part = self.plant.part(*self.rng.pick(&self.choices.parts));
            if let Some(part) = part {
                order.parts_used.push(PartUsed {
                    part: part.id,
                    quantity: Decimal::from(self.rng.between(1, 4)),
                    unit_cost: part.unit_cost.unwrap_or(Decimal::TEN),
                });
            }
        }
    }

    fn book_hours(&mut self, order: &mut WorkOrder, person: u32) {
        let quarters = (order.task.minutes * self.rng.between(60, 160) / 100 / 15).max(1);
        order.labour.push(Labour {
            person,
            started_at: order.started_at.unwrap_or(order.created_at),
            hours: Decimal::new(i64::from(quarters) * 25, 2),
            rate: Decimal::new(i64::from(self.rng.between(2_800, 6_200)), 2),
        });
    }
}

impl WorkOrder {
    /// Lets something happen to the order: its history, status and times follow, its revision grows.
    pub(super) fn apply(&mut self, entry: HistoryEntry) {
        let status = match entry.action {
            Action::Created | Action::Reopened => Some(Status::New),
            Action::PickedUp => Some(Status::Open),
            Action::Started => Some(Status::InProgress),
            Action::Paused => Some(Status::Paused),
            Action::Held => Some(Status::OnHold),
            Action::Completed => Some(Status::Completed),
            Action::Cancelled => Some(Status::Cancelled),
            Action::Assigned
            | Action::Noted
            | Action::PriorityChanged
            | Action::DueChanged
            | Action::CostChanged => None,
        };
        if let Some(status) = status {
            self.status = status;
            self.status_changed_at = entry.at;
        }
        match entry.action {
            Action::Started => {
                self.started_at.get_or_insert(entry.at);
            }
            Action::Completed => self.completed_at = Some(entry.at),
            Action::Reopened => self.completed_at = None,
            _ => {}
        }
        self.modified_at = entry.at;
        self.revision += 1;
        self.history.push(entry);
    }
}
