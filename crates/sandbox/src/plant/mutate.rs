//! A round of changes to a plant, chosen by a seed.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{PlaceKind, Plant, PurchaseOrderState, Rng, Status};

/// Ids of the records of one kind that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New records.
    pub added: Vec<u32>,
    /// Changed records that were there before and still are.
    pub changed: Vec<u32>,
    /// Removed records.
    pub removed: Vec<u32>,
}

impl Changes {
    /// Returns how many records changed in any way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }
}

/// What one call of [`Plant::mutate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mutations {
    /// Machines and components.
    pub assets: Changes,
    /// Own staff.
    pub people: Changes,
    /// Contractors and suppliers.
    pub vendors: Changes,
    /// Spare parts.
    pub parts: Changes,
    /// Purchase orders.
    pub purchase_orders: Changes,
    /// Work orders. Where they can't be deleted, `removed` is empty and one was cancelled instead.
    pub work_orders: Changes,
}

impl Mutations {
    /// Returns how many records changed in any way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.assets.count()
            + self.people.count()
            + self.vendors.count()
            + self.parts.count()
            + self.purchase_orders.count()
            + self.work_orders.count()
    }
}

/// Whether orders may vanish or can only be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    Allowed,
    CancelOnly,
}

/// Choices of one round of changes: a record is touched once at most.
struct Draw<'a> {
    plant: &'a mut Plant,
    rng: Rng,
    at: DateTime<Utc>,
}

impl Plant {
    /// Adds, changes and removes a handful of records of each kind, chosen by the seed.
    ///
    /// No record appears twice in the result, and every record named as changed does differ from before.
    pub fn mutate(&mut self, seed: u64, at: DateTime<Utc>) -> Mutations {
        self.mutate_by(seed, at, Deletion::Allowed)
    }

    pub(crate) fn mutate_by(&mut self, seed: u64, at: DateTime<Utc>, rule: Deletion) -> Mutations {
        let mut draw = Draw {
            plant: self,
            rng: Rng::for_record(seed, 8, 0),
            at,
        };
        Mutations {
            assets: draw.assets(),
            people: draw.people(),
            vendors: draw.vendors(),
            parts: draw.parts(),
            purchase_orders: draw.purchase_orders(rule),
            work_orders: draw.work_orders(rule),
        }
    }
}

impl Draw<'_> {
    /// Takes up to `count` different ids out of those offered.
    fn take(&mut self, mut offered: Vec<u32>, count: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        while taken.len() < count && !offered.is_empty() {
            let at = self
                .rng
                .below(u32::try_from(offered.len()).unwrap_or(u32::MAX))
                as usize;
            taken.push(offered.swap_remove(at));
        }
        taken
    }

    fn assets(&mut self) -> Changes {
        let plain = |row: &&super::Asset| !row.removed && row.parent.is_none();
        let offered = self
            .plant
            .assets
            .iter()
            .filter(plain)
            .map(|row| row.id)
            .collect();
        let mut taken = self.take(offered, 4);
        let gone: Vec<u32> = taken.pop().into_iter().collect();
        let mut changes = Changes::default();
        for id in taken {
            let name = self
                .plant
                .asset(id)
                .map_or_else(String::new, |row| format!("{} R", row.name));
            self.plant.rename_asset(id, &name);
            changes.changed.push(id);
        }
        for id in gone {
            changes.removed.extend(
                self.plant
                    .components(id)
                    .into_iter()
                    .filter(|part| self.plant.asset(*part).is_some_and(|row| !row.removed)),
            );
            self.plant.remove_asset(id);
            changes.removed.push(id);
        }
        let rooms: Vec<u32> = self
            .plant
            .places
            .iter()
            .filter(|row| row.kind == PlaceKind::Room)
            .map(|row| row.id)
            .collect();
        if !rooms.is_empty() {
            let first = self.plant.next_location_id();
            let room = *self.rng.pick(&rooms);
            self.plant.add_asset(room, &format!("NEW-{first}"));
            changes.added.extend(first..self.plant.next_location_id());
        }
        changes
    }

    fn people(&mut self) -> Changes {
        let offered = self
            .plant
            .people
            .iter()
            .filter(|row| !row.removed)
            .map(|row| row.id)
            .collect();
        let mut changes = Changes {
            changed: self.take(offered, 3),
            ..Changes::default()
        };
        changes.removed.extend(changes.changed.pop());
        for id in &changes.changed {
            let name = self
                .plant
                .person(*id)
                .map_or_else(String::new, |row| format!("{}-Hale", row.last_name));
            self.plant.rename_person(*id, &name);
        }
        for id in &changes.removed {
            self.plant.remove_person(*id);
        }
        changes
            .added
            .push(self.plant.add_person(1, "Nora", "Newcomb"));
        changes
    }

    fn vendors(&mut self) -> Changes {
        let offered = self
            .plant
            .vendors
            .iter()
            .filter(|row| !row.removed)
            .map(|row| row.id)
            .collect();
        let mut changes = Changes {
            changed: self.take(offered, 3),
            ..Changes::default()
        };
        changes.removed.extend(changes.changed.pop());
        for id in &changes.changed {
            let name = self
                .plant
                .vendor(*id)
                .map_or_else(String::new, |row| format!("{} Group", row.name));
            self.plant.rename_vendor(*id, &name);
        }
        for id in &changes.removed {
            self.plant.remove_vendor(*id);
        }
        let name = format!("Newline Services {}", self.plant.next_actor_id());
        changes.added.push(self.plant.add_vendor(&name));
        changes
    }

    fn parts(&mut self) -> Changes {
        let offered = self
            .plant
            .parts
            .iter()
            .filter(|row| !row.removed)
            .map(|row| row.id)
            .collect();
        let mut changes = Changes {
            changed: self.take(offered, 5),
            ..Changes::default()
        };
        changes.removed.extend(changes.changed.pop());
        for (index, id) in changes.changed.iter().enumerate() {
            let (cost, stock) = self
                .plant
                .part(*id)
                .map_or_else(Default::default, |row| (row.unit_cost, row.on_hand));
            if index % 2 == 0 {
                self.plant
                    .change_part_cost(*id, Some(cost.unwrap_or_default() + Decimal::new(125, 2)));
            } else {
                self.plant.set_part_stock(*id, stock + Decimal::from(7));
            }
        }
        for id in &changes.removed {
            self.plant.remove_part(*id);
        }
        changes
            .added
            .push(self.plant.add_part(1, "Coupling insert, polyurethane"));
        changes
    }

    fn purchase_orders(&mut self, rule: Deletion) -> Changes {
        let open = |row: &&super::PurchaseOrder| {
            !row.removed
                && !matches!(
                    row.state,
                    PurchaseOrderState::Received | PurchaseOrderState::Cancelled
                )
        };
        let offered = self
            .plant
            .purchase_orders
            .iter()
            .filter(open)
            .map(|row| row.id)
            .collect();
        let mut changes = Changes {
            changed: self.take(offered, 3),
            ..Changes::default()
        };
        let gone = if changes.changed.len() > 1 {
            changes.changed.pop()
        } else {
            None
        };
        for id in &changes.changed {
            self.plant.receive_purchase_order(*id);
        }
        if let Some(id) = gone {
            if rule == Deletion::Allowed {
                self.plant.remove_purchase_order(id);
                changes.removed.push(id);
            } else {
                self.plant.cancel_purchase_order(id);
                changes.changed.push(id);
            }
        }
        changes
            .added
            .extend(self.plant.add_purchase_order(self.at.date_naive()));
        changes
    }

    fn work_orders(&mut self, rule: Deletion) -> Changes {
        let live = |row: &&super::WorkOrder| {
            !row.removed && !matches!(row.status, Status::Completed | Status::Cancelled)
        };
        let recent: Vec<u32> = self
            .plant
            .work_orders
            .iter()
            .rev()
            .filter(live)
            .take(400)
            .map(|row| row.id)
            .collect();
        let mut changes = Changes {
            changed: self.take(recent, 6),
            ..Changes::default()
        };
        let gone = if changes.changed.len() > 1 {
            changes.changed.pop()
        } else {
            None
        };
        let at = self.at;
        for (index, id) in changes.changed.iter().enumerate() {
            self.change_work_order(index, *id);
        }
        if let Some(id) = gone {
            if rule == Deletion::Allowed {
                self.plant.remove_work_order(id);
                changes.removed.push(id);
            } else {
                self.plant
                    .change_work_order_status(id, Status::Cancelled, at);
                changes.changed.push(id);
            }
        }
        let machines: Vec<u32> = self
            .plant
            .assets
            .iter()
            .filter(|row| !row.removed)
            .map(|row| row.id)
            .collect();
        for _ in 0..if machines.is_empty() { 0 } else { 3 } {
            let asset = *self.rng.pick(&machines);
            changes.added.extend(self.plant.add_work_order(
                asset,
                "Reported by phone: strange smell near the machine",
                at,
            ));
        }
        changes
    }

    /// Changes an order in one of several ways.
    fn change_work_order(&mut self, way: usize, id: u32) {
        let at = self.at;
        let order = self.plant.work_order(id);
        let text = order.map_or_else(String::new, |order| {
            format!("{} (second bearing from the left)", order.description)
        });
        let held = order.is_some_and(|order| order.status == Status::OnHold);
        match way {
            0 => self
                .plant
                .change_work_order_status(id, Status::Completed, at),
            1 => self
                .plant
                .note_work_order(id, "Part has arrived, will fit it tomorrow.", at),
            2 => self
                .plant
                .charge_work_order(id, Decimal::new(14_250, 2), at),
            3 => self.plant.edit_work_order_text(id, &text, at),
            _ if held => self
                .plant
                .change_work_order_status(id, Status::InProgress, at),
            _ => self.plant.change_work_order_status(id, Status::OnHold, at),
        };
    }
}
