//! From keys to what the data holds.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::{super::value::Key, LogRow, Tenant};
use crate::plant::{
    Asset, Labour, Part, PartUsed, Person, Place, PurchaseOrder, PurchaseOrderLine, Site, Vendor,
    WorkOrder,
};

/// A row of the one table of places and machines.
#[derive(Debug, Clone, Copy)]
pub(in crate::corrigo) enum LocationRow<'a> {
    Place(&'a Place),
    Asset(&'a Asset),
}

/// A note of a work order.
#[derive(Debug, Clone, Copy)]
pub(in crate::corrigo) struct NoteRow<'a> {
    pub(in crate::corrigo) order: &'a WorkOrder,
    pub(in crate::corrigo) at: DateTime<Utc>,
    pub(in crate::corrigo) text: &'a str,
    pub(in crate::corrigo) author: Option<u32>,
    pub(in crate::corrigo) kind: &'static str,
    pub(in crate::corrigo) id: u32,
}

/// A line of the costs of a work order.
#[derive(Debug, Clone, Copy)]
pub(in crate::corrigo) enum CostLine<'a> {
    Labour(&'a Labour),
    Part(&'a PartUsed),
    Contractor(Decimal),
}

/// A postal address and whose it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::corrigo) struct AddressRow<'a> {
    pub(in crate::corrigo) id: u32,
    pub(in crate::corrigo) owner: u32,
    pub(in crate::corrigo) owner_type: &'static str,
    pub(in crate::corrigo) street: &'a str,
    pub(in crate::corrigo) city: &'a str,
    pub(in crate::corrigo) state: &'a str,
    pub(in crate::corrigo) zip: &'a str,
    pub(in crate::corrigo) country: &'a str,
}

/// A telephone number or mail address and whose it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::corrigo) struct ContactRow<'a> {
    pub(in crate::corrigo) id: u32,
    pub(in crate::corrigo) owner: u32,
    pub(in crate::corrigo) owner_type: &'static str,
    pub(in crate::corrigo) kind: &'static str,
    pub(in crate::corrigo) address: &'a str,
}

/// The `sub` of the key of the completion note of a work order.
pub(in crate::corrigo) const COMPLETION_NOTE: u32 = 6;
/// Whose address a key's `sub` means.
pub(in crate::corrigo) const OF_LOCATION: u32 = 0;
pub(in crate::corrigo) const OF_ACTOR: u32 = 1;
/// Which contact a key's `sub` means.
pub(in crate::corrigo) const EMAIL: u32 = 0;
pub(in crate::corrigo) const PHONE: u32 = 1;
pub(in crate::corrigo) const ORGANIZATION_EMAIL: u32 = 2;
pub(in crate::corrigo) const ORDER_CONTACT: u32 = 3;
const FIRST_ORDER_CONTACT: u32 = 1_000_000_000;

impl Tenant {
    pub(in crate::corrigo) fn work_order(&self, key: Key) -> Option<&WorkOrder> {
        self.plant.work_order(key.id)
    }

    pub(in crate::corrigo) fn site(&self, key: Key) -> Option<&Site> {
        self.plant.site(key.id)
    }

    pub(in crate::corrigo) fn part(&self, key: Key) -> Option<&Part> {
        self.plant.part(key.id)
    }

    pub(in crate::corrigo) fn vendor(&self, key: Key) -> Option<&Vendor> {
        self.plant.vendor(key.id)
    }

    pub(in crate::corrigo) fn log(&self, key: Key) -> Option<&LogRow> {
        self.log_row(key.id)
    }

    pub(in crate::corrigo) fn zone(&self, site: u32) -> Tz {
        self.plant.site(site).map_or(Tz::UTC, |site| site.time_zone)
    }

    pub(in crate::corrigo) fn currency(&self, site: u32) -> &'static str {
        self.plant.site(site).map_or("USD", |site| site.currency)
    }

    /// Returns the order, the number of the item from 0 and its asset.
    pub(in crate::corrigo) fn wo_item(&self, key: Key) -> Option<(&WorkOrder, u32, u32)> {
        let order = self.work_order(key)?;
        let asset = if key.sub == 0 {
            Some(order.asset)
        } else {
            order.second_asset
        };
        asset.map(|asset| (order, key.sub, asset))
    }

    /// Returns the order, the number of the assignment from 0 and the employee.
    pub(in crate::corrigo) fn wo_assignment(&self, key: Key) -> Option<(&WorkOrder, u32, u32)> {
        let order = self.work_order(key)?;
        let all = [order.assignee, order.helper];
        let employee = all.get(key.sub as usize).copied().flatten()?;
        Some((order, key.sub, employee))
    }

    pub(in crate::corrigo) fn wo_note(&self, key: Key) -> Option<NoteRow<'_>> {
        let order = self.work_order(key)?;
        let id = order.id * 8 + key.sub + 1;
        if key.sub == COMPLETION_NOTE {
            return Some(NoteRow {
                order,
                at: order.completed_at.unwrap_or(order.modified_at),
                text: order.completion_note.as_deref()?,
                author: order.assignee,
                kind: "Completion",
                id,
            });
        }
        let note = order.notes.get(key.sub as usize)?;
        Some(NoteRow {
            order,
            at: note.at,
            text: &note.text,
            author: note.author,
            kind: if note.public { "Public" } else { "Private" },
            id,
        })
    }

    pub(in crate::corrigo) fn note_keys(order: &WorkOrder) -> Vec<Key> {
        let count = u32::try_from(order.notes.len())
            .unwrap_or(COMPLETION_NOTE)
            .min(COMPLETION_NOTE);
        let mut keys: Vec<Key> = (0..count).map(|sub| Key::pair(order.id, sub)).collect();
        keys.extend(
            order
                .completion_note
                .as_ref()
                .map(|_| Key::pair(order.id, COMPLETION_NOTE)),
        );
        keys
    }

    pub(in crate::corrigo) fn cost_line(&self, key: Key) -> Option<(&WorkOrder, CostLine<'_>)> {
        let order = self.work_order(key)?;
        let mut index = key.sub as usize;
        if let Some(line) = order.labour.get(index) {
            return Some((order, CostLine::Labour(line)));
        }
        index -= order.labour.len();
        if let Some(line) = order.parts_used.get(index) {
            return Some((order, CostLine::Part(line)));
        }
        index -= order.parts_used.len();
        let amount = order.contractor_cost.filter(|_| index == 0)?;
        Some((order, CostLine::Contractor(amount)))
    }

    pub(in crate::corrigo) fn cost_line_count(order: &WorkOrder) -> usize {
        order.labour.len() + order.parts_used.len() + usize::from(order.contractor_cost.is_some())
    }

    pub(in crate::corrigo) fn location(&self, key: Key) -> Option<LocationRow<'_>> {
        let asset = self.plant.asset(key.id).map(LocationRow::Asset);
        asset.or_else(|| self.plant.place(key.id).map(LocationRow::Place))
    }

    pub(in crate::corrigo) fn person_or_vendor(
        &self,
        key: Key,
    ) -> Option<Result<&Person, &Vendor>> {
        let person = self.plant.person(key.id).map(Ok);
        person.or_else(|| self.plant.vendor(key.id).map(Err))
    }

    /// Returns ancestor, descendant and how far they are apart.
    pub(in crate::corrigo) fn tree_row(&self, key: Key) -> Option<(u32, u32, u32)> {
        self.location(Key::of(key.sub))?;
        let mut at = key.sub;
        for distance in 0..16 {
            if at == key.id {
                return Some((key.id, key.sub, distance));
            }
            at = self.above(at)?;
        }
        None
    }

    /// Returns the location directly above another as the tree shows it.
    pub(in crate::corrigo) fn above(&self, id: u32) -> Option<u32> {
        if self.switches.removed_locations_stay_in_tree
            && let Some(asset) = self.plant.asset(id)
        {
            return Some(asset.parent.unwrap_or(asset.place));
        }
        self.plant.parent_of(id)
    }

    pub(in crate::corrigo) fn address(&self, key: Key) -> Option<AddressRow<'_>> {
        let (owner, id) = (key.id, key.id * 2 + key.sub + 1);
        if key.sub == OF_ACTOR {
            let vendor = self.plant.vendor(owner);
            if let Some(row) = vendor {
                return Some(AddressRow {
                    id,
                    owner,
                    owner_type: "Provider",
                    street: &row.street,
                    city: &row.city,
                    state: &row.state,
                    zip: &row.postal_code,
                    country: "US",
                });
            }
            let site = self.plant.site(self.plant.person(owner)?.site)?;
            return Some(AddressRow {
                id,
                owner,
                owner_type: "Employee",
                ..of_site(site)
            });
        }
        let place = self.plant.place(owner)?;
        let site = self.plant.site(place.site)?;
        Some(AddressRow {
            id,
            owner,
            owner_type: "Asset",
            ..of_site(site)
        })
    }

    pub(in crate::corrigo) fn contact(&self, key: Key) -> Option<ContactRow<'_>> {
        let owner = key.id;
        if key.sub == ORDER_CONTACT {
            let order = self
                .plant
                .work_order(owner)
                .filter(|row| !row.requester_email.is_empty())?;
            return Some(ContactRow {
                id: FIRST_ORDER_CONTACT + owner,
                owner,
                owner_type: "WO",
                kind: "Contact",
                address: &order.requester_email,
            });
        }
        let (owner_type, email, phone) = match self.person_or_vendor(key)? {
            Ok(person) => ("Employee", &person.email, &person.phone),
            Err(vendor) if key.sub == ORGANIZATION_EMAIL => ("Org", &vendor.email, &vendor.phone),
            Err(vendor) => ("Provider", &vendor.email, &vendor.phone),
        };
        let phone_wanted = key.sub == PHONE;
        Some(ContactRow {
            id: owner * 3 + key.sub + 1,
            owner,
            owner_type,
            kind: if phone_wanted {
                "PrimPhone"
            } else {
                "PrimEmail"
            },
            address: if phone_wanted { phone } else { email },
        })
    }

    pub(in crate::corrigo) fn purchase_order(&self, key: Key) -> Option<&PurchaseOrder> {
        self.plant.purchase_order(key.id)
    }

    pub(in crate::corrigo) fn purchase_order_line(
        &self,
        key: Key,
    ) -> Option<(&PurchaseOrder, &PurchaseOrderLine, u32)> {
        let order = self.purchase_order(key)?;
        let line = order.lines.get(key.sub as usize)?;
        Some((order, line, order.id * 16 + key.sub + 1))
    }
}

fn of_site(site: &Site) -> AddressRow<'_> {
    AddressRow {
        id: 0,
        owner: 0,
        owner_type: "Unknown",
        street: &site.street,
        city: &site.city,
        state: &site.state,
        zip: &site.postal_code,
        country: site.country,
    }
}
