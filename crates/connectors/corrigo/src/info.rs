//! What is declared: entities, their streams, and what each request asks for.

use std::time::Duration;

use wrenchtime_connector::{
    ConnectorInfo, Deletes, EntityInfo, EntityName, KeyOrder, Precision, ResourceInfo, StreamInfo,
    StreamName, Yields,
};
use wrenchtime_model::{IdentityClass, Resource};

use crate::session::SYSTEM;
use crate::settings;
use crate::tree::CEILING;

/// Rows with everything that hangs on them. The vendor advises 500 to 1000.
const DOCUMENTS: u32 = 500;
/// Commits become visible late, and dates lose precision in storage. The vendor's advice is 5 to 10 minutes.
const LAG: Duration = Duration::from_secs(10 * 60);

pub(crate) const WORK_ORDER: EntityName = EntityName::from_static("WorkOrder");
pub(crate) const LOCATION: EntityName = EntityName::from_static("Location");
pub(crate) const WORK_ZONE: EntityName = EntityName::from_static("WorkZone");
pub(crate) const EMPLOYEE: EntityName = EntityName::from_static("Employee");

pub(crate) const LAST_ACTION_STREAM: StreamName = StreamName::from_static("work-order-last-action");
pub(crate) const ACTION_LOG_STREAM: StreamName = StreamName::from_static("work-order-action-log");

/// One of the vendor's entities, as it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Table {
    WorkOrder,
    Location,
    WorkZone,
    Employee,
}

impl Table {
    pub(crate) fn of(entity: &EntityName) -> Option<Self> {
        [
            Self::WorkOrder,
            Self::Location,
            Self::WorkZone,
            Self::Employee,
        ]
        .into_iter()
        .find(|table| table.name() == *entity)
    }

    pub(crate) fn name(self) -> EntityName {
        match self {
            Self::WorkOrder => WORK_ORDER,
            Self::Location => LOCATION,
            Self::WorkZone => WORK_ZONE,
            Self::Employee => EMPLOYEE,
        }
    }

    /// Returns what is asked for when whole rows are wanted.
    pub(crate) fn properties(self) -> &'static [&'static str] {
        match self {
            Self::WorkOrder => &[
                "*",
                "WorkZone.DisplayAs",
                "Items.*",
                "Items.Task.DisplayAs",
                "Priority.*",
                "SubType.DisplayAs",
                "Employee.ActorTypeId",
                "Employee.DisplayAs",
                "ContactAddress.Address",
                "Assignments.*",
                "LastAction.XNumber",
                "LastAction.Reason.DisplayAs",
                "CompletionNote.Body",
                "WorkOrderCost.CostsTotal",
                "WorkOrderCost.Items.*",
                "WorkOrderCost.Items.Product.DisplayAs",
                "WorkOrderCost.Items.Employee.DisplayAs",
                "CustomFields.*",
                "CustomFields.Descriptor.Name",
            ],
            Self::Location => &[
                "*",
                "Info.*",
                "Info.AssetSystem.DisplayAs",
                "Address.*",
                "Attributes.*",
                "Attributes.Descriptor.Name",
            ],
            Self::WorkZone => &[
                "*",
                "Asset.Address.*",
                "ContactAddresses.*",
                "CustomFields.*",
                "CustomFields.Descriptor.Name",
            ],
            Self::Employee => &[
                "*",
                "Role.DisplayAs",
                "Organization.DisplayAs",
                "Organization.ConcurrencyId",
                "Address.*",
                "ContactAddresses.*",
                "Specialties.*",
                "Teams.*",
                "CustomFields.*",
                "CustomFields.Descriptor.Name",
            ],
        }
    }

    /// Returns what a version is made of, beside `Id`, `ConcurrencyId` and `IsRemoved`: child rows whose changes do
    /// not always touch their parent. Numbers and mail addresses stand for themselves: whether their own version moves is
    /// not documented.
    pub(crate) fn version_properties(self) -> &'static [&'static str] {
        match self {
            Self::WorkOrder | Self::Location => &[],
            Self::WorkZone => &[
                "Id",
                "ConcurrencyId",
                "IsRemoved",
                "Asset.Address.ConcurrencyId",
                "ContactAddresses.ConcurrencyId",
                "ContactAddresses.Address",
            ],
            Self::Employee => &[
                "Id",
                "ConcurrencyId",
                "IsRemoved",
                "Address.ConcurrencyId",
                "ContactAddresses.ConcurrencyId",
                "ContactAddresses.Address",
                "Organization.ConcurrencyId",
                "Specialties.SpecialtyId",
                "Teams.Id",
            ],
        }
    }
}

pub(crate) fn info() -> ConnectorInfo {
    let mut info = ConnectorInfo::new(SYSTEM, "Corrigo Enterprise");
    info.settings = settings::fields();
    info.entities = vec![work_orders(), locations(), work_zones(), employees()];
    info.resources = [
        Resource::WorkOrder,
        Resource::Asset,
        Resource::Location,
        Resource::User,
        Resource::Vendor,
    ]
    .into_iter()
    .map(ResourceInfo::read_only)
    .collect();
    info
}

fn entity(table: Table, resources: Vec<Resource>, class: &str) -> EntityInfo {
    let mut entity = EntityInfo::new(table.name(), resources, IdentityClass::new(class));
    entity.key_order = KeyOrder::Numeric;
    entity.fetch_limit = Some(DOCUMENTS);
    entity
}

fn work_orders() -> EntityInfo {
    let mut last_action =
        StreamInfo::changes(LAST_ACTION_STREAM, DOCUMENTS, Precision::Millisecond, LAG);
    last_action.unseen = vec![
        "edits that change no status: notes, flags, assignments, dates, costs (most are in the action log)",
        "moves of the asset in the tree of places",
    ];
    let mut action_log =
        StreamInfo::changes(ACTION_LOG_STREAM, CEILING, Precision::Millisecond, LAG);
    action_log.yields = Yields::Stubs;
    action_log.unseen = vec![
        "edits that log no action",
        "moves of the asset in the tree of places",
    ];
    let mut all = StreamInfo::listing(StreamName::from_static("work-order-all"), DOCUMENTS);
    all.dated = true;
    all.deletes = Deletes::Never;
    let mut entity = entity(Table::WorkOrder, vec![Resource::WorkOrder], "work_order");
    entity.streams = vec![last_action, action_log, all];
    entity
}

fn locations() -> EntityInfo {
    let mut all = StreamInfo::listing(StreamName::from_static("location-all"), DOCUMENTS);
    all.deletes = Deletes::FlaggedOrAbsent;
    let mut entity = entity(
        Table::Location,
        vec![Resource::Asset, Resource::Location],
        "Location",
    );
    entity.streams = vec![all];
    entity
}

fn work_zones() -> EntityInfo {
    let mut entity = entity(Table::WorkZone, vec![Resource::Location], "WorkZone");
    entity.streams = vec![sweep("work-zone-sweep", vec!["custom fields"])];
    entity
}

fn employees() -> EntityInfo {
    let mut entity = entity(
        Table::Employee,
        vec![Resource::User, Resource::Vendor],
        "Employee",
    );
    let unseen = vec!["custom fields", "names of roles and specialties"];
    entity.streams = vec![sweep("employee-sweep", unseen)];
    entity
}

fn sweep(name: &'static str, unseen: Vec<&'static str>) -> StreamInfo {
    let mut sweep = StreamInfo::listing(StreamName::from_static(name), CEILING);
    sweep.yields = Yields::Stubs;
    sweep.unseen = unseen;
    sweep.deletes = Deletes::FlaggedOrAbsent;
    sweep
}
