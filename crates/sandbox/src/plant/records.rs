//! The records of a plant.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::catalog::{Category, Task};

/// A property with its own address, time zone and numbering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Identifier.
    pub id: u32,
    /// Short code; begins the numbers of its work orders and may consist of digits.
    pub code: String,
    /// Name.
    pub name: String,
    /// Street and house number.
    pub street: String,
    /// City.
    pub city: String,
    /// State or county.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Two-letter country code.
    pub country: &'static str,
    /// Telephone number of the reception.
    pub phone: String,
    /// Time zone in which people there think.
    pub time_zone: Tz,
    /// ISO 4217 currency in which it keeps its books.
    pub currency: &'static str,
    /// Name of the occupant on whose behalf requests are made.
    pub occupant: String,
    /// The place at the top of its tree.
    pub root: u32,
    /// Counter behind the number of its next work order.
    pub next_number: u32,
    /// How often it was written, from 1.
    pub revision: u32,
}

/// Kind of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// Top of a site's tree.
    Site,
    /// Building.
    Building,
    /// Floor of a building.
    Floor,
    /// Room or area of a floor.
    Room,
}

/// A node of the tree of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Identifier, unique among places and assets.
    pub id: u32,
    /// Site it belongs to.
    pub site: u32,
    /// Place directly above; `None` at the top.
    pub parent: Option<u32>,
    /// Kind.
    pub kind: PlaceKind,
    /// Name.
    pub name: String,
    /// Part of a template from which sites are built, not a real place.
    pub template: bool,
}

/// A machine or a component of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Identifier, unique among places and assets.
    pub id: u32,
    /// Site it stands on.
    pub site: u32,
    /// Place it stands in.
    pub place: u32,
    /// Machine that it is a component of.
    pub parent: Option<u32>,
    /// Name.
    pub name: String,
    /// Longer description.
    pub description: String,
    /// What kind of machine it is.
    pub category: &'static Category,
    /// Maker.
    pub manufacturer: String,
    /// Maker's model.
    pub model: String,
    /// Serial number; empty when nobody wrote it down.
    pub serial_number: String,
    /// Text of the tag on the machine.
    pub tag: String,
    /// Day of installation.
    pub installed_on: Option<NaiveDate>,
    /// Last day of warranty.
    pub warranty_end: Option<NaiveDate>,
    /// False while it is out of use.
    pub in_service: bool,
    /// Taken away for good.
    pub removed: bool,
    /// How often it was written, from 1.
    pub revision: u32,
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Repairs things.
    Technician,
    /// Leads technicians.
    Supervisor,
    /// Plans work and parts.
    Planner,
    /// Looks after a site.
    Manager,
    /// Runs the system.
    Administrator,
}

impl Role {
    /// Returns the role's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Technician => "Technician",
            Self::Supervisor => "Supervisor",
            Self::Planner => "Planner",
            Self::Manager => "Facility Manager",
            Self::Administrator => "Administrator",
        }
    }
}

/// A member of the own staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Identifier, unique among people and vendors.
    pub id: u32,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// What they do.
    pub role: Role,
    /// Title on the badge.
    pub job_title: String,
    /// Mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
    /// Name to sign in with.
    pub username: String,
    /// Personnel number; may begin with zeros.
    pub number: String,
    /// Site they work at.
    pub site: u32,
    /// Index into [`TRADES`](super::TRADES).
    pub trade: u32,
    /// Left the company.
    pub removed: bool,
    /// How often the record was written, from 1.
    pub revision: u32,
}

impl Person {
    /// Returns first and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// A contractor or supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// Identifier, unique among people and vendors.
    pub id: u32,
    /// Company name.
    pub name: String,
    /// Street and house number.
    pub street: String,
    /// City.
    pub city: String,
    /// State.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Telephone number.
    pub phone: String,
    /// Mail address.
    pub email: String,
    /// Tax number.
    pub tax_id: String,
    /// Number in the accounting system.
    pub external_id: String,
    /// Index into [`TRADES`](super::TRADES).
    pub trade: u32,
    /// Sells parts rather than work.
    pub supplier: bool,
    /// No longer used.
    pub removed: bool,
    /// How often the record was written, from 1.
    pub revision: u32,
}

/// A spare part, with its stock at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Identifier.
    pub id: u32,
    /// Own number.
    pub number: String,
    /// Short description.
    pub name: String,
    /// Group of parts; empty when nobody chose one.
    pub category: String,
    /// Kind: spare, consumable or tool.
    pub kind: &'static str,
    /// Maker.
    pub manufacturer: String,
    /// Maker's number.
    pub manufacturer_number: String,
    /// Bar code.
    pub barcode: String,
    /// Preferred vendor.
    pub vendor: Option<u32>,
    /// That vendor's number.
    pub vendor_number: String,
    /// Unit of issue: `each`, `box`, `m`, `l`, `kg`, `set`.
    pub unit: &'static str,
    /// Present cost of one unit.
    pub unit_cost: Option<Decimal>,
    /// Price billed for one unit.
    pub price: Option<Decimal>,
    /// Stock.
    pub on_hand: Decimal,
    /// Stock at which to order.
    pub minimum: Decimal,
    /// Stock not to exceed.
    pub maximum: Option<Decimal>,
    /// Whether tax is charged on it.
    pub taxable: bool,
    /// Remarks, possibly of several lines.
    pub notes: String,
    /// Site that stocks it.
    pub site: u32,
    /// Store room.
    pub store: String,
    /// Shelf and bin.
    pub shelf: String,
    /// No longer stocked.
    pub removed: bool,
    /// How often the record was written, from 1.
    pub revision: u32,
}

/// Where a purchase order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseOrderState {
    /// Being written.
    Draft,
    /// Sent to the vendor.
    Ordered,
    /// Some of it has come.
    PartlyReceived,
    /// All of it has come.
    Received,
    /// Called off.
    Cancelled,
}

/// An order for parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOrder {
    /// Identifier.
    pub id: u32,
    /// Own number.
    pub number: String,
    /// Vendor.
    pub vendor: u32,
    /// Site that the goods go to.
    pub site: u32,
    /// Day of ordering.
    pub ordered_on: NaiveDate,
    /// Day by which the goods are wanted.
    pub deliver_by: Option<NaiveDate>,
    /// Own reference.
    pub reference: String,
    /// Vendor's reference.
    pub vendor_reference: String,
    /// State.
    pub state: PurchaseOrderState,
    /// Lines.
    pub lines: Vec<PurchaseOrderLine>,
    /// Deleted.
    pub removed: bool,
    /// How often it was written, from 1.
    pub revision: u32,
}

/// A line of a purchase order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOrderLine {
    /// Part.
    pub part: u32,
    /// Text on the order.
    pub description: String,
    /// Quantity ordered.
    pub quantity: Decimal,
    /// Price of one unit.
    pub unit_price: Decimal,
    /// Quantity received.
    pub received: Decimal,
}

/// Why a work order exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkOrderKind {
    /// Planned upkeep.
    Preventive,
    /// Repair found by the own staff.
    Corrective,
    /// Asked for by the occupant.
    Request,
}

/// How urgent a work order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// At once.
    Emergency,
    /// Today or tomorrow.
    High,
    /// Within two weeks.
    Normal,
    /// When there is time.
    Low,
}

impl Priority {
    /// All, most urgent first.
    pub const ALL: [Self; 4] = [Self::Emergency, Self::High, Self::Normal, Self::Low];

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::High => "High",
            Self::Normal => "Normal",
            Self::Low => "Low",
        }
    }

    /// Returns the minutes from creation to due.
    #[must_use]
    pub fn due_minutes(self) -> u32 {
        match self {
            Self::Emergency => 4 * 60,
            Self::High => 24 * 60,
            Self::Normal => 7 * 24 * 60,
            Self::Low => 30 * 24 * 60,
        }
    }
}

/// Where a work order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has taken it up.
    New,
    /// Accepted.
    Open,
    /// Being worked on.
    InProgress,
    /// Work interrupted.
    Paused,
    /// Waiting for something.
    OnHold,
    /// Done.
    Completed,
    /// Called off.
    Cancelled,
}

/// What happened to a work order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was written.
    Created,
    /// Somebody got it.
    Assigned,
    /// The assignee accepted it.
    PickedUp,
    /// Work began.
    Started,
    /// Work was interrupted.
    Paused,
    /// It was put on hold.
    Held,
    /// It was done.
    Completed,
    /// It was called off.
    Cancelled,
    /// It went back to the start.
    Reopened,
    /// Somebody wrote a note.
    Noted,
    /// Its priority changed.
    PriorityChanged,
    /// Its due date changed.
    DueChanged,
    /// Its costs changed.
    CostChanged,
}

impl Action {
    /// Tells whether it moves the status.
    #[must_use]
    pub fn moves_status(self) -> bool {
        matches!(
            self,
            Self::Created
                | Self::PickedUp
                | Self::Started
                | Self::Paused
                | Self::Held
                | Self::Completed
                | Self::Cancelled
                | Self::Reopened
        )
    }
}

/// One thing that happened to a work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: Action,
    /// Person or vendor who did it; `None` for the system itself.
    pub actor: Option<u32>,
    /// What they wrote.
    pub comment: Option<Box<str>>,
}

/// A remark on a work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: DateTime<Utc>,
    /// Person or vendor who wrote it.
    pub author: Option<u32>,
    /// Text.
    pub text: String,
    /// Whether the requester may read it.
    pub public: bool,
}

/// Hours worked on a work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labour {
    /// Who.
    pub person: u32,
    /// Day and time at which it began.
    pub started_at: DateTime<Utc>,
    /// Hours.
    pub hours: Decimal,
    /// Cost of an hour.
    pub rate: Decimal,
}

/// Parts put on a work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartUsed {
    /// Part.
    pub part: u32,
    /// Quantity.
    pub quantity: Decimal,
    /// Cost of one unit then.
    pub unit_cost: Decimal,
}

/// A work order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkOrder {
    /// Identifier.
    pub id: u32,
    /// Number that people use.
    pub number: String,
    /// Site.
    pub site: u32,
    /// Machine.
    pub asset: u32,
    /// A second machine that is looked after on the same visit.
    pub second_asset: Option<u32>,
    /// Why it exists.
    pub kind: WorkOrderKind,
    /// What is to be done.
    pub task: &'static Task,
    /// What was reported.
    pub description: String,
    /// Urgency.
    pub priority: Priority,
    /// State.
    pub status: Status,
    /// Name of who asked; empty for planned work.
    pub requester: String,
    /// Mail address of who asked.
    pub requester_email: String,
    /// Person or vendor who is to do it.
    pub assignee: Option<u32>,
    /// Person who helps.
    pub helper: Option<u32>,
    /// Purchase order number of the customer; mostly empty.
    pub po_number: String,
    /// Number in the system that the request came from; mostly empty.
    pub external_number: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When work should begin.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it should be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When work first began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done.
    pub completed_at: Option<DateTime<Utc>>,
    /// When the status last moved.
    pub status_changed_at: DateTime<Utc>,
    /// When anything last changed.
    pub modified_at: DateTime<Utc>,
    /// What was done, in the words of who did it.
    pub completion_note: Option<String>,
    /// Why it is on hold or was called off.
    pub reason: Option<&'static str>,
    /// Minutes for which the machine stood still.
    pub downtime_minutes: Option<u32>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// Hours worked.
    pub labour: Vec<Labour>,
    /// Parts used.
    pub parts_used: Vec<PartUsed>,
    /// What the contractor charged.
    pub contractor_cost: Option<Decimal>,
    /// What happened, oldest first.
    pub history: Vec<HistoryEntry>,
    /// Deleted (never used by systems in which a work order can't be).
    pub removed: bool,
    /// How often it was written, from 1.
    pub revision: u32,
}

impl WorkOrder {
    /// Returns the sum of labour, parts and contractor.
    #[must_use]
    pub fn total_cost(&self) -> Decimal {
        let labour: Decimal = self
            .labour
            .iter()
            .map(|line| (line.hours * line.rate).round_dp(2))
            .sum();
        let parts: Decimal = self
            .parts_used
            .iter()
            .map(|line| (line.quantity * line.unit_cost).round_dp(2))
            .sum();
        labour + parts + self.contractor_cost.unwrap_or_default()
    }

    /// Returns the hours worked.
    #[must_use]
    pub fn hours(&self) -> Decimal {
        self.labour.iter().map(|line| line.hours).sum()
    }
}
