//! Single changes to a plant.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    Action, CATEGORIES, HistoryEntry, Note, Place, PlaceKind, Plant, Priority, PurchaseOrderState,
    Rng, Role, Status,
    orders::{CANCEL_REASONS, HOLD_REASONS},
};

/// Changes of one record. Those that return `bool` say whether the record exists and wasn't removed before.
impl Plant {
    /// Adds a work order for an asset and returns its id; `None` when there is no such asset.
    pub fn add_work_order(
        &mut self,
        asset: u32,
        description: &str,
        at: DateTime<Utc>,
    ) -> Option<u32> {
        self.asset(asset)?;
        let id = self.work_orders.last().map_or(1, |row| row.id + 1);
        let mut order = self.blank_order(id, asset, at, &mut Rng::for_record(0, 0, u64::from(id)));
        description.clone_into(&mut order.description);
        self.work_orders.push(order);
        Some(id)
    }

    /// Moves the status of a work order, whatever it was before.
    pub fn change_work_order_status(&mut self, id: u32, to: Status, at: DateTime<Utc>) -> bool {
        let (action, reason) = match to {
            Status::New => (Action::Reopened, None),
            Status::Open => (Action::PickedUp, None),
            Status::InProgress => (Action::Started, None),
            Status::Paused => (Action::Paused, None),
            Status::OnHold => (Action::Held, HOLD_REASONS.first().copied()),
            Status::Completed => (Action::Completed, None),
            Status::Cancelled => (Action::Cancelled, CANCEL_REASONS.first().copied()),
        };
        self.happen(id, at, (action, None), |order| order.reason = reason)
    }

    /// Gives a work order to a person or vendor, or to nobody.
    pub fn assign_work_order(&mut self, id: u32, to: Option<u32>, at: DateTime<Utc>) -> bool {
        self.happen(id, at, (Action::Assigned, None), |order| {
            order.assignee = to
        })
    }

    /// Writes a public note on a work order.
    pub fn note_work_order(&mut self, id: u32, text: &str, at: DateTime<Utc>) -> bool {
        self.happen(id, at, (Action::Noted, Some(text)), |order| {
            order.notes.push(Note {
                at,
                author: order.assignee,
                text: text.to_owned(),
                public: true,
            });
        })
    }

    /// Changes the priority of a work order.
    pub fn set_work_order_priority(&mut self, id: u32, to: Priority, at: DateTime<Utc>) -> bool {
        self.happen(id, at, (Action::PriorityChanged, None), |order| {
            order.priority = to
        })
    }

    /// Changes when a work order is due.
    pub fn set_work_order_due(&mut self, id: u32, due: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        self.happen(id, at, (Action::DueChanged, None), |order| {
            order.due_at = Some(due)
        })
    }

    /// Adds what a contractor charged to a work order.
    pub fn charge_work_order(&mut self, id: u32, amount: Decimal, at: DateTime<Utc>) -> bool {
        self.happen(id, at, (Action::CostChanged, None), |order| {
            order.contractor_cost = Some(order.contractor_cost.unwrap_or_default() + amount);
        })
    }

    /// Changes the description of a work order without a trace in its history.
    pub fn edit_work_order_text(&mut self, id: u32, text: &str, at: DateTime<Utc>) -> bool {
        self.work_order_mut(id)
            .filter(|order| !order.removed)
            .is_some_and(|order| {
                text.clone_into(&mut order.description);
                order.modified_at = at;
                order.revision += 1;
                true
            })
    }

    /// Deletes a work order.
    pub fn remove_work_order(&mut self, id: u32) -> bool {
        self.work_order_mut(id)
            .filter(|order| !order.removed)
            .is_some_and(|order| {
                order.removed = true;
                order.revision += 1;
                true
            })
    }

    fn happen(
        &mut self,
        id: u32,
        at: DateTime<Utc>,
        what: (Action, Option<&str>),
        change: impl FnOnce(&mut super::WorkOrder),
    ) -> bool {
        let Some(order) = self.work_order_mut(id).filter(|order| !order.removed) else {
            return false;
        };
        change(order);
        let (action, comment) = what;
        let entry = HistoryEntry {
            at,
            action,
            actor: order.assignee,
            comment: comment.map(Into::into),
        };
        order.apply(entry);
        true
    }

    /// Adds a machine with its components to a room and returns its id; `None` when there is no such place.
    pub fn add_asset(&mut self, place: u32, name: &str) -> Option<u32> {
        let site = self.place(place)?.site;
        let mut rng = Rng::for_record(0, 1, u64::from(self.next_location_id()));
        let category = rng.pick(CATEGORIES);
        let id = self.build_asset(site, place, category, &mut rng);
        self.rename_asset(id, name);
        Some(id)
    }

    /// Renames an asset.
    pub fn rename_asset(&mut self, id: u32, name: &str) -> bool {
        self.edit_asset(id, |asset| name.clone_into(&mut asset.name))
    }

    /// Puts an asset out of use or back.
    pub fn set_asset_in_service(&mut self, id: u32, in_service: bool) -> bool {
        self.edit_asset(id, |asset| asset.in_service = in_service)
    }

    /// Moves an asset with its components to another place.
    pub fn move_asset(&mut self, id: u32, place: u32) -> bool {
        let Some(site) = self.place(place).map(|row| row.site) else {
            return false;
        };
        for component in self.components(id) {
            self.edit_asset(component, |asset| (asset.place, asset.site) = (place, site));
        }
        self.edit_asset(id, |asset| {
            asset.parent = None;
            (asset.place, asset.site) = (place, site);
        })
    }

    /// Removes an asset with its components.
    pub fn remove_asset(&mut self, id: u32) -> bool {
        for component in self.components(id) {
            self.edit_asset(component, |asset| asset.removed = true);
        }
        self.edit_asset(id, |asset| asset.removed = true)
    }

    pub(super) fn components(&self, id: u32) -> Vec<u32> {
        self.assets
            .iter()
            .filter(|row| row.parent == Some(id))
            .map(|row| row.id)
            .collect()
    }

    fn edit_asset(&mut self, id: u32, change: impl FnOnce(&mut super::Asset)) -> bool {
        self.asset_mut(id)
            .filter(|row| !row.removed)
            .is_some_and(|row| {
                change(row);
                row.revision += 1;
                true
            })
    }

    /// Adds a room to a floor and returns its id; `None` when there is no such place.
    pub fn add_room(&mut self, floor: u32, name: &str) -> Option<u32> {
        let site = self.place(floor)?.site;
        let id = self.next_location_id();
        self.places.push(Place {
            id,
            site,
            parent: Some(floor),
            kind: PlaceKind::Room,
            name: name.to_owned(),
            template: false,
        });
        Some(id)
    }

    /// Renames a place.
    pub fn rename_place(&mut self, id: u32, name: &str) -> bool {
        self.place_mut(id)
            .map(|row| name.clone_into(&mut row.name))
            .is_some()
    }

    /// Renames a site, but not the place at its top.
    pub fn rename_site(&mut self, id: u32, name: &str) -> bool {
        self.site_mut(id).is_some_and(|row| {
            name.clone_into(&mut row.name);
            row.revision += 1;
            true
        })
    }

    /// Adds a technician to a site and returns the id.
    pub fn add_person(&mut self, site: u32, first_name: &str, last_name: &str) -> u32 {
        let mut rng = Rng::for_record(0, 2, u64::from(self.next_actor_id()));
        let id = self.build_person(site, Role::Technician, &mut rng);
        if let Some(row) = self.person_mut(id) {
            first_name.clone_into(&mut row.first_name);
            last_name.clone_into(&mut row.last_name);
            row.revision = 1;
        }
        id
    }

    /// Changes a person's last name.
    pub fn rename_person(&mut self, id: u32, last_name: &str) -> bool {
        self.edit_person(id, |row| last_name.clone_into(&mut row.last_name))
    }

    /// Changes a person's mail address; the revision of the person stays, for the address is a record of its own.
    pub fn change_person_email(&mut self, id: u32, email: &str) -> bool {
        self.person_mut(id)
            .filter(|row| !row.removed)
            .map(|row| email.clone_into(&mut row.email))
            .is_some()
    }

    /// Removes a person.
    pub fn remove_person(&mut self, id: u32) -> bool {
        self.edit_person(id, |row| row.removed = true)
    }

    /// Brings a removed person back.
    pub fn restore_person(&mut self, id: u32) -> bool {
        self.person_mut(id)
            .filter(|row| row.removed)
            .is_some_and(|row| {
                row.removed = false;
                row.revision += 1;
                true
            })
    }

    fn edit_person(&mut self, id: u32, change: impl FnOnce(&mut super::Person)) -> bool {
        self.person_mut(id)
            .filter(|row| !row.removed)
            .is_some_and(|row| {
                change(row);
                row.revision += 1;
                true
            })
    }

    /// Adds a contractor and returns the id.
    pub fn add_vendor(&mut self, name: &str) -> u32 {
        let mut rng = Rng::for_record(0, 3, u64::from(self.next_actor_id()));
        self.build_vendor(name, false, &mut rng)
    }

    /// Renames a vendor.
    pub fn rename_vendor(&mut self, id: u32, name: &str) -> bool {
        self.edit_vendor(id, |row| name.clone_into(&mut row.name))
    }

    /// Removes a vendor.
    pub fn remove_vendor(&mut self, id: u32) -> bool {
        self.edit_vendor(id, |row| row.removed = true)
    }

    /// Brings a removed vendor back.
    pub fn restore_vendor(&mut self, id: u32) -> bool {
        self.vendor_mut(id)
            .filter(|row| row.removed)
            .is_some_and(|row| {
                row.removed = false;
                row.revision += 1;
                true
            })
    }

    fn edit_vendor(&mut self, id: u32, change: impl FnOnce(&mut super::Vendor)) -> bool {
        self.vendor_mut(id)
            .filter(|row| !row.removed)
            .is_some_and(|row| {
                change(row);
                row.revision += 1;
                true
            })
    }

    /// Adds a part to a site's stock and returns the id.
    pub fn add_part(&mut self, site: u32, name: &str) -> u32 {
        let next = self.parts.last().map_or(0, |row| row.id);
        let mut rng = Rng::for_record(0, 4, u64::from(next));
        let id = self.build_part(site, next as usize, &mut rng);
        if let Some(row) = self.part_mut(id) {
            name.clone_into(&mut row.name);
            row.revision = 1;
        }
        id
    }

    /// Renames a part.
    pub fn rename_part(&mut self, id: u32, name: &str) -> bool {
        self.edit_part(id, |row| name.clone_into(&mut row.name))
    }

    /// Changes what a part costs.
    pub fn change_part_cost(&mut self, id: u32, cost: Option<Decimal>) -> bool {
        self.edit_part(id, |row| row.unit_cost = cost)
    }

    /// Changes the stock of a part.
    pub fn set_part_stock(&mut self, id: u32, on_hand: Decimal) -> bool {
        self.edit_part(id, |row| row.on_hand = on_hand)
    }

    /// Removes a part.
    pub fn remove_part(&mut self, id: u32) -> bool {
        self.edit_part(id, |row| row.removed = true)
    }

    fn edit_part(&mut self, id: u32, change: impl FnOnce(&mut super::Part)) -> bool {
        self.part_mut(id)
            .filter(|row| !row.removed)
            .is_some_and(|row| {
                change(row);
                row.revision += 1;
                true
            })
    }

    /// Adds a purchase order of that day and returns its id; `None` when no supplier or part is left.
    pub fn add_purchase_order(&mut self, day: NaiveDate) -> Option<u32> {
        let next = self.purchase_orders.last().map_or(0, |row| row.id);
        let mut rng = Rng::for_record(0, 5, u64::from(next));
        let id = self.build_purchase_order(day, PurchaseOrderState::Ordered, &mut rng)?;
        self.purchase_order_mut(id)?.revision = 1;
        Some(id)
    }

    /// Marks every line of a purchase order as received.
    pub fn receive_purchase_order(&mut self, id: u32) -> bool {
        self.edit_purchase_order(id, |row| {
            row.state = PurchaseOrderState::Received;
            for line in &mut row.lines {
                line.received = line.quantity;
            }
        })
    }

    /// Calls a purchase order off.
    pub fn cancel_purchase_order(&mut self, id: u32) -> bool {
        self.edit_purchase_order(id, |row| row.state = PurchaseOrderState::Cancelled)
    }

    /// Deletes a purchase order.
    pub fn remove_purchase_order(&mut self, id: u32) -> bool {
        self.edit_purchase_order(id, |row| row.removed = true)
    }

    fn edit_purchase_order(
        &mut self,
        id: u32,
        change: impl FnOnce(&mut super::PurchaseOrder),
    ) -> bool {
        self.purchase_order_mut(id)
            .filter(|row| !row.removed)
            .is_some_and(|row| {
                change(row);
                row.revision += 1;
                true
            })
    }
}
