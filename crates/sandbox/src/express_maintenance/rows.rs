//! The rows of each file.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::ExportOptions;
use crate::plant::{Part, PlaceKind, Plant, PurchaseOrderState, Status, WorkOrder, WorkOrderKind};

pub(super) const UNITS: &[&str] = &[
    "RecordNumber",
    "Unit",
    "Description",
    "Parent",
    "Site",
    "Location",
    "Category",
    "Type",
    "Status",
    "Manufacturer",
    "Model",
    "SerialNumber",
    "InstalledOn",
    "WarrantyEnd",
];

pub(super) const WORK_ORDERS: &[&str] = &[
    "RecordNumber",
    "Number",
    "Unit",
    "Site",
    "Location",
    "Company",
    "ScheduledDate",
    "StartedDate",
    "CompletedDate",
    "Reference",
    "Category",
    "Group",
    "Class",
    "CreatedOn",
    "Priority",
    "Source",
    "Requester",
    "WorkGroup",
    "Employee",
    "Description",
    "Notes",
    "LabourHours",
    "Cost",
];

pub(super) const PARTS: &[&str] = &[
    "RecordNumber",
    "Numbered",
    "Description",
    "CategoryID",
    "Type",
    "Vendor",
    "VendorID",
    "VendorNumber",
    "Manufacturer",
    "ManufacturerNumber",
    "Units",
    "QuantityOnHand",
    "MinimumOnHand",
    "MaxOnHand",
    "CurrentCost",
    "BillingPrice",
    "Taxable",
    "NotesText",
    "Site",
    "Location",
    "Shelf",
];

pub(super) const VENDORS: &[&str] = &[
    "RecordNumber",
    "Name",
    "AddressLine1",
    "City",
    "State",
    "Phone",
    "Email",
];

pub(super) const PURCHASE_ORDERS: &[&str] = &[
    "Numbered",
    "DateOrdered",
    "Reference",
    "Vendor",
    "VendorReference",
    "DeliverBy",
    "State",
];

pub(super) const LINES: &[&str] = &[
    "Porder",
    "Line",
    "PartRecordNumber",
    "PartNumber",
    "Description",
    "Quantity",
    "UnitPrice",
    "Received",
];

pub(super) fn units(plant: &Plant) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for asset in plant.assets.iter().filter(|row| !row.removed) {
        let parent = asset.parent.and_then(|id| plant.asset(id));
        rows.push(vec![
            asset.id.to_string(),
            asset.name.clone(),
            asset.description.clone(),
            parent.map_or_else(String::new, |row| row.name.clone()),
            site(plant, asset.site),
            location(plant, asset.place),
            asset.category.name.to_owned(),
            if parent.is_some() {
                "Component"
            } else {
                "Machine"
            }
            .to_owned(),
            if asset.in_service { "Active" } else { "Down" }.to_owned(),
            asset.manufacturer.clone(),
            asset.model.clone(),
            asset.serial_number.clone(),
            asset.installed_on.map_or_else(String::new, day),
            asset.warranty_end.map_or_else(String::new, day),
        ]);
    }
    rows
}

pub(super) fn work_orders(plant: &Plant, options: &ExportOptions) -> Vec<Vec<String>> {
    let orders = plant.work_orders.iter().filter(|row| !row.removed);
    orders
        .map(|order| work_order(plant, order, options))
        .collect()
}

fn work_order(plant: &Plant, order: &WorkOrder, options: &ExportOptions) -> Vec<String> {
    let asset = plant.asset(order.asset);
    let time = |at: Option<DateTime<Utc>>| at.map_or_else(String::new, |at| minute(at, options));
    let worker = order.assignee;
    vec![
        order.id.to_string(),
        order.id.to_string(),
        asset.map_or_else(String::new, |row| row.name.clone()),
        site(plant, order.site),
        asset.map_or_else(String::new, |row| location(plant, row.place)),
        worker
            .and_then(|id| plant.vendor(id))
            .map_or_else(String::new, |row| row.name.clone()),
        time(order.scheduled_at.or(order.due_at)),
        time(order.started_at),
        time(order.completed_at),
        order.external_number.clone(),
        match order.kind {
            WorkOrderKind::Preventive => "Planned",
            WorkOrderKind::Corrective | WorkOrderKind::Request => "Demand",
        }
        .to_owned(),
        asset.map_or("", |row| row.category.system).to_owned(),
        class(order.status).to_owned(),
        minute(order.created_at, options),
        (order.priority as u8 + 1).to_string(),
        match order.kind {
            WorkOrderKind::Preventive => "PM",
            WorkOrderKind::Corrective => "Operator",
            WorkOrderKind::Request => "Request",
        }
        .to_owned(),
        order.requester.clone(),
        asset
            .map_or("", |row| crate::plant::TRADES[row.category.trade as usize])
            .to_owned(),
        worker
            .and_then(|id| plant.person(id))
            .map_or_else(String::new, crate::plant::Person::name),
        order.description.clone(),
        notes(order),
        amount(order.hours()),
        amount(order.total_cost()),
    ]
}

/// The class codes of this imaginary customer.
fn class(status: Status) -> &'static str {
    match status {
        Status::New => "Requested",
        Status::Open => "Assigned",
        Status::InProgress => "In Work",
        Status::Paused => "Interrupted",
        Status::OnHold => "Waiting",
        Status::Completed => "Done",
        Status::Cancelled => "Cancelled",
    }
}

fn notes(order: &WorkOrder) -> String {
    let mut texts: Vec<&str> = order.notes.iter().map(|note| note.text.as_str()).collect();
    texts.extend(order.completion_note.as_deref());
    texts.join("\r\n")
}

pub(super) fn parts(plant: &Plant, options: &ExportOptions) -> Vec<Vec<String>> {
    let parts = plant.parts.iter().filter(|row| !row.removed);
    parts.map(|row| part(plant, row, options)).collect()
}

fn part(plant: &Plant, part: &Part, options: &ExportOptions) -> Vec<String> {
    let vendor = part.vendor.and_then(|id| plant.vendor(id));
    let name = vendor.map_or_else(String::new, |row| row.name.clone());
    let money =
        |value: Option<Decimal>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let number = if options.dirt {
        format!("{:<50}", part.number)
    } else {
        part.number.clone()
    };
    vec![
        part.id.to_string(),
        number,
        part.name.chars().take(60).collect(),
        if options.dirt && part.category.is_empty() {
            "  ".to_owned()
        } else {
            part.category.clone()
        },
        part.kind.to_owned(),
        if options.dirt && part.id.is_multiple_of(7) {
            name.to_uppercase()
        } else {
            name
        },
        vendor.map_or_else(String::new, |row| row.id.to_string()),
        part.vendor_number.clone(),
        if options.dirt && part.id.is_multiple_of(11) {
            format!("{} ", part.manufacturer)
        } else {
            part.manufacturer.clone()
        },
        part.manufacturer_number.clone(),
        part.unit.to_owned(),
        amount(part.on_hand),
        amount(part.minimum),
        part.maximum.map_or_else(String::new, amount),
        money(part.unit_cost),
        money(part.price),
        if part.taxable { "Y" } else { "N" }.to_owned(),
        part.notes.clone(),
        site(plant, part.site),
        part.store.clone(),
        part.shelf.clone(),
    ]
}

pub(super) fn vendors(plant: &Plant) -> Vec<Vec<String>> {
    let vendors = plant.vendors.iter().filter(|row| !row.removed);
    vendors
        .map(|row| {
            vec![
                row.id.to_string(),
                row.name.clone(),
                row.street.clone(),
                row.city.clone(),
                row.state.clone(),
                row.phone.clone(),
                row.email.clone(),
            ]
        })
        .collect()
}

pub(super) fn purchase_orders(plant: &Plant) -> Vec<Vec<String>> {
    let orders = plant.purchase_orders.iter().filter(|row| !row.removed);
    orders
        .map(|row| {
            vec![
                row.number.clone(),
                day(row.ordered_on),
                row.reference.clone(),
                plant
                    .vendor(row.vendor)
                    .map_or_else(String::new, |vendor| vendor.name.clone()),
                row.vendor_reference.clone(),
                row.deliver_by.map_or_else(String::new, day),
                match row.state {
                    PurchaseOrderState::Received => "Closed",
                    PurchaseOrderState::Cancelled => "Cancelled",
                    PurchaseOrderState::Draft
                    | PurchaseOrderState::Ordered
                    | PurchaseOrderState::PartlyReceived => "Open",
                }
                .to_owned(),
            ]
        })
        .collect()
}

pub(super) fn purchase_order_lines(plant: &Plant) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for order in plant.purchase_orders.iter().filter(|row| !row.removed) {
        for (number, line) in (1_u32..).zip(&order.lines) {
            rows.push(vec![
                order.number.clone(),
                number.to_string(),
                line.part.to_string(),
                plant
                    .part(line.part)
                    .map_or_else(String::new, |part| part.number.clone()),
                line.description.clone(),
                amount(line.quantity),
                format!("{:.2}", line.unit_price),
                amount(line.received),
            ]);
        }
    }
    rows
}

fn site(plant: &Plant, id: u32) -> String {
    plant
        .site(id)
        .map_or_else(String::new, |row| row.name.clone())
}

/// Writes a place as the path below its site.
fn location(plant: &Plant, id: u32) -> String {
    let mut names = Vec::new();
    let mut at = plant.place(id);
    while let Some(place) = at.filter(|place| place.kind != PlaceKind::Site) {
        names.push(place.name.as_str());
        at = place.parent.and_then(|parent| plant.place(parent));
    }
    names.reverse();
    names.join(" / ")
}

fn amount(value: Decimal) -> String {
    value.normalize().to_string()
}

fn day(date: NaiveDate) -> String {
    date.format("%m/%d/%Y").to_string()
}

fn minute(at: DateTime<Utc>, options: &ExportOptions) -> String {
    at.with_timezone(&options.zone)
        .format("%m/%d/%Y %H:%M")
        .to_string()
}
