//! A plausible plant as plain data, the same for the same seed, and the changes that happen to it.

mod catalog;
mod changes;
mod generate;
mod mutate;
mod names;
mod orders;
mod records;
mod rng;

use chrono::{DateTime, TimeZone, Utc};

pub use catalog::{CATEGORIES, Category, TRADES, Task};
pub(crate) use mutate::Deletion;
pub use mutate::{Changes, Mutations};
pub(crate) use orders::{CANCEL_REASONS, HOLD_REASONS};
pub use records::{
    Action, Asset, HistoryEntry, Labour, Note, Part, PartUsed, Person, Place, PlaceKind, Priority,
    PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Role, Site, Status, Vendor, WorkOrder,
    WorkOrderKind,
};
pub(crate) use rng::Rng;

/// What to generate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlantOptions {
    /// Seed; the same options give the same plant on every machine.
    pub seed: u64,
    /// Number of work orders, spread over the three years before `now`.
    pub work_orders: usize,
    /// The instant at which the plant is looked at. Defaults to 2026-06-01T08:00:00Z.
    pub now: DateTime<Utc>,
}

impl PlantOptions {
    /// Returns options with the default instant.
    #[must_use]
    pub fn new(seed: u64, work_orders: usize) -> Self {
        let now = Utc
            .with_ymd_and_hms(2026, 6, 1, 8, 0, 0)
            .single()
            .unwrap_or(DateTime::UNIX_EPOCH);
        Self {
            seed,
            work_orders,
            now,
        }
    }
}

/// A company with its sites, machines, people, suppliers, stock and work.
///
/// Every list is sorted by `id`. Ids are unique among places and assets together and among people and vendors together, so that
/// a system that keeps them in one table can use them as they are. Removed records stay, marked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plant {
    /// The instant for which it was generated.
    pub now: DateTime<Utc>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Sites' roots, buildings, floors and rooms.
    pub places: Vec<Place>,
    /// Machines and their components.
    pub assets: Vec<Asset>,
    /// Own staff.
    pub people: Vec<Person>,
    /// Contractors and suppliers.
    pub vendors: Vec<Vendor>,
    /// Spare parts.
    pub parts: Vec<Part>,
    /// Purchase orders for parts.
    pub purchase_orders: Vec<PurchaseOrder>,
    /// Work orders.
    pub work_orders: Vec<WorkOrder>,
}

/// A record that can be found by its id in a sorted list.
trait Row {
    fn id(&self) -> u32;
}

macro_rules! rows {
    ($($row:ty: $list:ident, $find:ident, $find_mut:ident, $what:literal;)*) => {
        $(impl Row for $row {
            fn id(&self) -> u32 {
                self.id
            }
        })*
        impl Plant {
            $(
                #[doc = concat!("Returns the ", $what, " with this id.")]
                #[must_use]
                pub fn $find(&self, id: u32) -> Option<&$row> {
                    position(&self.$list, id).and_then(|at| self.$list.get(at))
                }

                fn $find_mut(&mut self, id: u32) -> Option<&mut $row> {
                    position(&self.$list, id).and_then(|at| self.$list.get_mut(at))
                }
            )*
        }
    };
}

rows! {
    Site: sites, site, site_mut, "site";
    Place: places, place, place_mut, "place";
    Asset: assets, asset, asset_mut, "asset";
    Person: people, person, person_mut, "person";
    Vendor: vendors, vendor, vendor_mut, "vendor";
    Part: parts, part, part_mut, "part";
    PurchaseOrder: purchase_orders, purchase_order, purchase_order_mut, "purchase order";
    WorkOrder: work_orders, work_order, work_order_mut, "work order";
}

/// Finds a row by id: at once where ids have no gaps, else by halving.
fn position<R: Row>(rows: &[R], id: u32) -> Option<usize> {
    let first = rows.first()?.id();
    let guess = id.checked_sub(first)? as usize;
    match rows.get(guess) {
        Some(row) if row.id() == id => Some(guess),
        _ => rows.binary_search_by_key(&id, Row::id).ok(),
    }
}

impl Plant {
    /// Gives access to an order whose history is moved into a log elsewhere.
    pub(crate) fn work_order_for_log(&mut self, id: u32) -> Option<&mut WorkOrder> {
        self.work_order_mut(id)
    }

    /// Returns the id of the place or asset directly above this place or asset; `None` for roots and removed assets.
    #[must_use]
    pub fn parent_of(&self, id: u32) -> Option<u32> {
        if let Some(asset) = self.asset(id) {
            return (!asset.removed).then_some(asset.parent.unwrap_or(asset.place));
        }
        self.place(id).and_then(|place| place.parent)
    }

    /// Returns the display name of a person or vendor.
    #[must_use]
    pub fn actor_name(&self, id: u32) -> Option<String> {
        self.person(id)
            .map(Person::name)
            .or_else(|| self.vendor(id).map(|vendor| vendor.name.clone()))
    }
}
