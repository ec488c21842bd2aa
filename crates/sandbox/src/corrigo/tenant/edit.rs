//! Changes that people make in the vendor's user interface.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::Tenant;
use crate::plant::{Deletion, Mutations, Priority, Status};

/// Work orders. Those that return `bool` say whether the record exists.
impl Tenant {
    /// Adds a work order for an asset and returns its id; `None` when there is no such asset.
    pub fn add_work_order(&mut self, asset: u32, description: &str) -> Option<u32> {
        let at = self.now;
        let id = self.plant.add_work_order(asset, description, at)?;
        self.follow(id, None);
        Some(id)
    }

    /// Moves the status of a work order: log row, `LastActionDateUtc` and `ConcurrencyId` follow.
    pub fn change_work_order_status(&mut self, id: u32, to: Status) -> bool {
        self.change_work_order(id, |plant, at| plant.change_work_order_status(id, to, at))
    }

    /// Gives a work order to an employee or provider: a log row, but `LastActionDateUtc` stays.
    pub fn assign_work_order(&mut self, id: u32, to: Option<u32>) -> bool {
        self.change_work_order(id, |plant, at| plant.assign_work_order(id, to, at))
    }

    /// Writes a public note: a log row, but `LastActionDateUtc` stays.
    pub fn note_work_order(&mut self, id: u32, text: &str) -> bool {
        self.change_work_order(id, |plant, at| plant.note_work_order(id, text, at))
    }

    /// Changes the priority: a log row, but `LastActionDateUtc` stays.
    pub fn set_work_order_priority(&mut self, id: u32, to: Priority) -> bool {
        self.change_work_order(id, |plant, at| plant.set_work_order_priority(id, to, at))
    }

    /// Changes the due date: a log row, but `LastActionDateUtc` stays.
    pub fn set_work_order_due(&mut self, id: u32, due: DateTime<Utc>) -> bool {
        self.change_work_order(id, |plant, at| plant.set_work_order_due(id, due, at))
    }

    /// Adds what a contractor charged: a log row, but `LastActionDateUtc` stays.
    pub fn charge_work_order(&mut self, id: u32, amount: Decimal) -> bool {
        self.change_work_order(id, |plant, at| plant.charge_work_order(id, amount, at))
    }

    /// Changes the comment of the first item: neither a log row nor `LastActionDateUtc` tell of it.
    pub fn edit_work_order_text(&mut self, id: u32, text: &str) -> bool {
        self.change_work_order(id, |plant, at| plant.edit_work_order_text(id, text, at))
    }
}

/// Locations and sites.
impl Tenant {
    /// Adds a machine with its components to a room and returns its id; `None` when there is no such place.
    pub fn add_asset(&mut self, place: u32, name: &str) -> Option<u32> {
        self.plant.add_asset(place, name)
    }

    /// Renames an asset.
    pub fn rename_asset(&mut self, id: u32, name: &str) -> bool {
        self.plant.rename_asset(id, name)
    }

    /// Puts an asset out of use (`IsOffline`) or back.
    pub fn set_asset_in_service(&mut self, id: u32, in_service: bool) -> bool {
        self.plant.set_asset_in_service(id, in_service)
    }

    /// Moves an asset with its components to another place; only `AssetTree` shows it.
    pub fn move_asset(&mut self, id: u32, place: u32) -> bool {
        self.plant.move_asset(id, place)
    }

    /// Removes an asset with its components: they become orphans.
    pub fn remove_asset(&mut self, id: u32) -> bool {
        self.plant.remove_asset(id)
    }

    /// Adds a room to a floor and returns its id; `None` when there is no such place.
    pub fn add_room(&mut self, floor: u32, name: &str) -> Option<u32> {
        self.plant.add_room(floor, name)
    }

    /// Renames a place.
    pub fn rename_place(&mut self, id: u32, name: &str) -> bool {
        self.plant.rename_place(id, name)
    }

    /// Renames a work zone.
    pub fn rename_site(&mut self, id: u32, name: &str) -> bool {
        self.plant.rename_site(id, name)
    }
}

/// Employees: people and providers.
impl Tenant {
    /// Adds a technician to a site and returns the id.
    pub fn add_person(&mut self, site: u32, first_name: &str, last_name: &str) -> u32 {
        self.plant.add_person(site, first_name, last_name)
    }

    /// Changes a person's last name.
    pub fn rename_person(&mut self, id: u32, last_name: &str) -> bool {
        self.plant.rename_person(id, last_name)
    }

    /// Changes a person's mail address, which is a child record: see the switch `child_change_bumps_parent`.
    pub fn change_person_email(&mut self, id: u32, email: &str) -> bool {
        let changed = self.plant.change_person_email(id, email);
        if changed && self.switches.child_change_bumps_parent {
            let name = self.plant.person(id).map(|row| row.last_name.clone());
            self.plant.rename_person(id, &name.unwrap_or_default());
        }
        changed
    }

    /// Removes a person: `IsRemoved`, and " (deleted)" behind the name.
    pub fn remove_person(&mut self, id: u32) -> bool {
        self.plant.remove_person(id)
    }

    /// Brings a removed person back.
    pub fn restore_person(&mut self, id: u32) -> bool {
        self.plant.restore_person(id)
    }

    /// Adds a provider and returns the id.
    pub fn add_vendor(&mut self, name: &str) -> u32 {
        self.plant.add_vendor(name)
    }

    /// Renames a provider.
    pub fn rename_vendor(&mut self, id: u32, name: &str) -> bool {
        self.plant.rename_vendor(id, name)
    }

    /// Removes a provider: `IsRemoved`, and " (deleted)" behind the name.
    pub fn remove_vendor(&mut self, id: u32) -> bool {
        self.plant.remove_vendor(id)
    }

    /// Brings a removed provider back.
    pub fn restore_vendor(&mut self, id: u32) -> bool {
        self.plant.restore_vendor(id)
    }
}

/// Materials.
impl Tenant {
    /// Adds a product to the stock of a site and returns the id.
    pub fn add_part(&mut self, site: u32, name: &str) -> u32 {
        self.plant.add_part(site, name)
    }

    /// Renames a product.
    pub fn rename_part(&mut self, id: u32, name: &str) -> bool {
        self.plant.rename_part(id, name)
    }

    /// Changes the price of a product.
    pub fn change_part_cost(&mut self, id: u32, cost: Option<Decimal>) -> bool {
        self.plant.change_part_cost(id, cost)
    }

    /// Changes the stock of a product.
    pub fn set_part_stock(&mut self, id: u32, on_hand: Decimal) -> bool {
        self.plant.set_part_stock(id, on_hand)
    }

    /// Removes a product.
    pub fn remove_part(&mut self, id: u32) -> bool {
        self.plant.remove_part(id)
    }

    /// Adds a replenishment order of that day and returns its id; `None` when no supplier or product is left.
    pub fn add_purchase_order(&mut self, day: NaiveDate) -> Option<u32> {
        self.plant.add_purchase_order(day)
    }

    /// Marks every line of a replenishment order as received.
    pub fn receive_purchase_order(&mut self, id: u32) -> bool {
        self.plant.receive_purchase_order(id)
    }

    /// Calls a replenishment order off.
    pub fn cancel_purchase_order(&mut self, id: u32) -> bool {
        self.plant.cancel_purchase_order(id)
    }
}

impl Tenant {
    /// Adds, changes and removes a handful of records of each kind, chosen by the seed; orders are cancelled, not removed.
    pub fn mutate(&mut self, seed: u64) -> Mutations {
        let before: Vec<(u32, DateTime<Utc>)> = self
            .plant
            .work_orders
            .iter()
            .map(|order| (order.id, order.status_changed_at))
            .collect();
        let mutations = self.plant.mutate_by(seed, self.now, Deletion::CancelOnly);
        for id in &mutations.work_orders.added {
            self.follow(*id, None);
        }
        for id in &mutations.work_orders.changed {
            let old = before.binary_search_by_key(id, |(id, _)| *id).ok();
            self.follow(*id, old.and_then(|at| before.get(at)).map(|(_, at)| *at));
        }
        mutations
    }
}
