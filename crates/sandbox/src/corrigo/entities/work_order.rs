//! Work orders, their items, notes and log.

use chrono::{DateTime, Duration, Utc};

use super::super::{
    enums,
    schema::{
        Entity,
        Kind::{Bool, Child, Date, Enum, Int, Many, Money, Ref, Text},
        Schema, fields,
    },
    tenant::{OF_LOCATION, ORDER_CONTACT, Tenant},
    value::{Key, Value, children, flag, int, link, local, owned, row, text, utc, zone_index},
};
use crate::{
    corrigo::entities::{cost, lookups},
    plant::{Action, Priority, Status, WorkOrder, WorkOrderKind},
};

pub(in crate::corrigo) const WORK_ORDER: Schema = Schema {
    name: "WorkOrder",
    rows: all,
    unstable: "StatusId",
    fields: fields! { work_order;
        "Number" Text => |_, w| text(&w.number);
        "TypeCategory" Enum(enums::WO_TYPE) => |_, w| text(category(w));
        "WorkOrderCost" Ref(Entity::WorkOrderCost) => |_, w| link(w.id);
        "Priority" Ref(Entity::WoPriority) => |_, w| link(lookups::priority_id(w.priority));
        "StatusId" Enum(enums::WORK_ORDER_STATUS) => |_, w| text(status(w.status));
        "RequestorContact" Ref(Entity::Contact) => |_, _| Value::Missing;
        "Access" Enum(enums::PTE_TYPE) => |_, w| text(if w.kind == WorkOrderKind::Request { "CallFirst" } else { "NotApplicable" });
        "MainAsset" Ref(Entity::Location) => |_, w| link(w.asset);
        "ShortLocation" Text => |t, w| asset_name(t, w.asset);
        "TaskRefinement" Text => |t, w| refinement(t, w);
        "WorkZone" Ref(Entity::WorkZone) => |_, w| link(w.site);
        "Employee" Ref(Entity::Employee) => |_, w| row(w.assignee.map(Key::of));
        "Duration" Int => |_, w| int(w.task.minutes);
        "VendorNte" Money => |t, w| nte(t, w);
        "Specialty" Ref(Entity::Specialty) => |t, w| specialty(t, w);
        "PoNumber" Text => |_, w| text(&w.po_number);
        "SubType" Ref(Entity::WorkOrderType) => |_, w| link(lookups::subtype_id(w.kind));
        "RepairCode" Ref(Entity::RepairCode) => |_, _| Value::Missing;
        "Customer" Ref(Entity::Customer) => |_, w| row(customer(w));
        "ContactName" Text => |_, w| text(&w.requester);
        "WonId" Int => |_, _| Value::NullInt;
        "IsWarranty" Bool => |_, _| flag(false);
        "Flag" Ref(Entity::WoActionReasonLookup) => |_, _| Value::Missing;
        "FlagId" Int => |_, _| Value::NullInt;
        "TimeZone" Int => |t, w| int(zone_index(t.zone(w.site)));
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, w| text(t.currency(w.site));
        "LastActionDate" Date => |t, w| local(w.status_changed_at, t.zone(w.site));
        "DtCreated" Date => |t, w| local(w.created_at, t.zone(w.site));
        "DtScheduledStart" Date => |t, w| local_date(t, w, w.scheduled_at);
        "DtDue" Date => |t, w| local_date(t, w, w.due_at);
        "DtAcknowledgeBy" Date => |t, w| local_date(t, w, Some(acknowledge_by(w)));
        "AcknowledgeByUtc" Date => |_, w| utc(acknowledge_by(w));
        "LastActionDateUtc" Date => |_, w| utc(w.status_changed_at);
        "CreatedDateUtc" Date => |_, w| utc(w.created_at);
        "ScheduledStartUtc" Date => |_, w| utc_date(w.scheduled_at);
        "DueDateUtc" Date => |_, w| utc_date(w.due_at);
        "DtOnSiteBy" Date => |t, w| local_date(t, w, on_site_by(w));
        "DtUtcOnSiteBy" Date => |_, w| utc_date(on_site_by(w));
        "LastAction" Ref(Entity::WoLastAction) => |_, w| link(w.id);
        "Address" Child(Entity::Address2) => |t, w| row(t.plant().site(w.site).map(|site| Key::pair(site.root, OF_LOCATION)));
        "Items" Many(Entity::WoItem) => |_, w| children(w.id, 1 + usize::from(w.second_asset.is_some()));
        "EquipmentWorkedOn" Many(Entity::WoEquipment) => |_, _| Value::Rows(Vec::new());
        "Notes" Many(Entity::WoNote) => |_, w| Value::Rows(Tenant::note_keys(w));
        "CompletionNote" Child(Entity::WoNote) => |_, w| row(Tenant::note_keys(w).pop().filter(|_| w.completion_note.is_some()));
        "ContactAddress" Child(Entity::ContactInfo) => |_, w| row((!w.requester_email.is_empty()).then(|| Key::pair(w.id, ORDER_CONTACT)));
        "Assignments" Many(Entity::WoAssignment) => |_, w| Value::Rows(assignments(w));
        "Documents" Many(Entity::Document) => |_, _| Value::Rows(Vec::new());
        "CustomFields" Many(Entity::CustomField2) => |_, w| Value::Rows(lookups::custom_fields(w));
        "Verifications" Many(Entity::WoVerification) => |_, _| Value::Rows(Vec::new());
        "Quote" Child(Entity::WoQuote) => |_, _| Value::Missing;
        "CheckInOuts" Many(Entity::WoOnSite) => |_, _| Value::Rows(Vec::new());
        "ActionLogRecords" Many(Entity::WoActionLog) => |t, w| Value::Rows(t.logs_of(w.id).iter().map(|id| Key::of(*id)).collect());
        "Estimate" Child(Entity::WoEstimate) => |_, _| Value::Missing;
        "Owner" Ref(Entity::Employee) => |_, _| Value::Missing;
        "InductionAndSafetyStatusID" Enum(enums::ISM_STATUS) => |_, _| text("NotApplicable");
        "Flags" Many(Entity::WoFlag) => |_, _| Value::Rows(Vec::new());
        "ConcurrencyId" Int => |_, w| int(w.revision);
        "Id" Int => |_, w| int(w.id);
    },
};

fn all(tenant: &Tenant) -> Vec<Key> {
    tenant
        .plant()
        .work_orders
        .iter()
        .map(|row| Key::of(row.id))
        .collect()
}

fn category(order: &WorkOrder) -> &'static str {
    match order.kind {
        WorkOrderKind::Preventive => "PMRM",
        WorkOrderKind::Corrective => "Basic",
        WorkOrderKind::Request => "Request",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::New => "New",
        Status::Open => "Open",
        Status::InProgress => "InProgress",
        Status::Paused => "Paused",
        Status::OnHold => "OnHold",
        Status::Completed => "Completed",
        Status::Cancelled => "Cancelled",
    }
}

fn asset_name(tenant: &Tenant, id: u32) -> Value<'_> {
    tenant
        .plant()
        .asset(id)
        .map_or(text(""), |asset| text(&asset.name))
}

fn refinement<'a>(tenant: &'a Tenant, order: &WorkOrder) -> Value<'a> {
    let plant = tenant.plant();
    let asset = plant.asset(order.asset);
    let place = asset.and_then(|asset| plant.place(asset.place));
    owned(format!(
        "{}: {}: {}",
        place.map_or("", |place| place.name.as_str()),
        asset.map_or("", |asset| asset.name.as_str()),
        order.task.name,
    ))
}

fn specialty<'a>(tenant: &'a Tenant, order: &WorkOrder) -> Value<'a> {
    let asset = tenant.plant().asset(order.asset);
    row(asset.map(|asset| Key::of(asset.category.trade + 1)))
}

fn nte<'a>(tenant: &'a Tenant, order: &WorkOrder) -> Value<'a> {
    let whole = match order.priority {
        Priority::Emergency => 2500,
        Priority::High => 1000,
        Priority::Normal | Priority::Low => 500,
    };
    Value::Money(whole.into(), tenant.currency(order.site))
}

fn customer(order: &WorkOrder) -> Option<Key> {
    (order.kind == WorkOrderKind::Request).then(|| Key::of(order.site))
}

fn local_date<'a>(tenant: &'a Tenant, order: &WorkOrder, at: Option<DateTime<Utc>>) -> Value<'a> {
    at.map_or(Value::Missing, |at| local(at, tenant.zone(order.site)))
}

fn utc_date<'a>(at: Option<DateTime<Utc>>) -> Value<'a> {
    at.map_or(Value::Missing, utc)
}

fn acknowledge_by(order: &WorkOrder) -> DateTime<Utc> {
    order.created_at + Duration::minutes(i64::from(order.priority.due_minutes() / 8))
}

fn on_site_by(order: &WorkOrder) -> Option<DateTime<Utc>> {
    let minutes = i64::from(order.priority.due_minutes() / 2);
    (order.kind == WorkOrderKind::Request).then(|| order.created_at + Duration::minutes(minutes))
}

fn assignments(order: &WorkOrder) -> Vec<Key> {
    let all = [order.assignee, order.helper];
    let numbered = (0_u32..).zip(all);
    numbered
        .filter(|(_, who)| who.is_some())
        .map(|(sub, _)| Key::pair(order.id, sub))
        .collect()
}

pub(in crate::corrigo) const WO_ITEM: Schema = Schema {
    name: "WoItem",
    rows: |t| {
        let items = |w: &WorkOrder| {
            (0..=u32::from(w.second_asset.is_some()))
                .map(|sub| Key::pair(w.id, sub))
                .collect::<Vec<_>>()
        };
        t.plant().work_orders.iter().flat_map(items).collect()
    },
    unstable: "",
    fields: fields! { wo_item;
        "WorkOrderId" Int => |_, (w, _, _)| int(w.id);
        "SortOrderIdx" Int => |_, (_, sub, _)| int(sub + 1);
        "Disposition" Ref(Entity::Disposition) => |_, _| Value::Missing;
        "AssetLocation" Text => |t, (_, _, asset)| asset_name(t, asset);
        "Asset" Ref(Entity::Location) => |_, (_, _, asset)| link(asset);
        "Task" Ref(Entity::Task) => |_, (w, _, _)| link(w.task.id);
        "Comment" Text => |_, (w, sub, _)| if sub == 0 { text(&w.description) } else { text("Same visit") };
        "ConcurrencyId" Int => |_, (w, _, _)| int(w.revision);
        "Id" Int => |_, (w, sub, _)| int(w.id * 4 + sub + 1);
    },
};

pub(in crate::corrigo) const WO_ASSIGNMENT: Schema = Schema {
    name: "WoAssignment",
    rows: |t| t.plant().work_orders.iter().flat_map(assignments).collect(),
    unstable: "",
    fields: fields! { wo_assignment;
        "WorkOrderId" Int => |_, (w, _, _)| int(w.id);
        "IsPrimary" Bool => |_, (_, sub, _)| flag(sub == 0);
        "EmployeeId" Int => |_, (_, _, employee)| int(employee);
        "Id" Int => |_, (w, sub, _)| int(w.id * 4 + sub + 1);
    },
};

pub(in crate::corrigo) const WO_NOTE: Schema = Schema {
    name: "WoNote",
    rows: |t| {
        t.plant()
            .work_orders
            .iter()
            .flat_map(Tenant::note_keys)
            .collect()
    },
    unstable: "NoteTypeId",
    fields: fields! { wo_note;
        "CreatedDate" Date => |t, n| local(n.at, t.zone(n.order.site));
        "Body" Text => |_, n| text(n.text);
        "WorkOrderId" Int => |_, n| int(n.order.id);
        "NoteTypeId" Enum(enums::NOTE_TYPE) => |_, n| text(n.kind);
        "CreatedBy" Ref(Entity::Actor) => |_, n| row(n.author.map(Key::of));
        "Id" Int => |_, n| int(n.id);
    },
};

pub(in crate::corrigo) const WO_LAST_ACTION: Schema = Schema {
    name: "WoLastAction",
    rows: all,
    unstable: "",
    fields: fields! { work_order;
        "WorkOrderId" Int => |_, w| int(w.id);
        "LastAction" Ref(Entity::WoActionLog) => |t, w| row(t.last_action(w.id).map(|log| Key::of(log.id)));
        "EmergencyReason" Ref(Entity::WoActionReasonLookup) => |_, _| Value::Missing;
        "Reason" Ref(Entity::WoActionReasonLookup) => |_, w| row(w.reason.and_then(lookups::reason_id).map(Key::of));
        "BillStatus" Enum(enums::BILL_STATUS) => |_, _| text("NotBilled");
        "BilledTotal" Money => |t, w| Value::Money(0.into(), t.currency(w.site));
        "XNumber" Text => |_, w| text(&w.external_number);
        "Id" Int => |_, w| int(w.id);
    },
};

pub(in crate::corrigo) const WO_ACTION_LOG: Schema = Schema {
    name: "WoActionLog",
    rows: |t| t.logs().iter().map(|row| Key::of(row.id)).collect(),
    unstable: "TypeId",
    fields: fields! { log;
        "WorkOrderId" Int => |_, l| int(l.work_order);
        "TypeId" Enum(enums::WO_ACTION_TYPE) => |_, l| text(action(l.entry.action));
        "Actor" Ref(Entity::Actor) => |_, l| row(l.entry.actor.map(Key::of));
        "ActionDate" Date => |t, l| local(l.entry.at, log_zone(t, l.work_order));
        "Comment" Text => |_, l| text(l.entry.comment.as_deref().unwrap_or_default());
        "ActionReasonId" Int => |_, l| l.reason.and_then(lookups::reason_id).map_or(Value::NullInt, int);
        "IsBackDate" Bool => |_, _| flag(false);
        "UiTypeId" Enum(enums::UI_TYPE) => |_, l| text(if l.entry.actor.is_some() { "Wireless" } else { "System" });
        "TimeZone" Int => |t, l| int(zone_index(log_zone(t, l.work_order)));
        "SystemDateUtc" Date => |_, l| utc(l.entry.at);
        "ObjectId" Int => |_, _| Value::NullInt;
        "Id" Int => |_, l| int(l.id);
    },
};

fn log_zone(tenant: &Tenant, order: u32) -> chrono_tz::Tz {
    tenant
        .plant()
        .work_order(order)
        .map_or(chrono_tz::Tz::UTC, |order| tenant.zone(order.site))
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Created => "Create",
        Action::Assigned => "Assign",
        Action::PickedUp => "PickUp",
        Action::Started => "Start",
        Action::Paused => "Stop",
        Action::Held => "OnHold",
        Action::Completed => "Complete",
        Action::Cancelled => "Cancel",
        Action::Reopened => "Reopen",
        Action::Noted => "Note",
        Action::PriorityChanged => "PriorityChanged",
        Action::DueChanged => "DueDateChanged",
        Action::CostChanged => cost::ACTION,
    }
}
