//! A realistic mapping and what it makes of realistic documents.

use serde_json::{Value, json};

use crate::support::try_map;

pub(crate) const MAPPING: &str = include_str!("plant.toml");

/// Shows all that a document becomes.
fn show(entity: &str, body: &str) -> Vec<Value> {
    let records = try_map(MAPPING, entity, body).unwrap();
    let shown = records.into_iter().map(|record| {
        let content: Value = serde_json::from_str(record.content.get()).unwrap();
        json!({
            "id": record.id.to_string(),
            "resource": record.resource,
            "remote_key": record.remote_key,
            "remote_created_at": record.remote_created_at,
            "remote_modified_at": record.remote_modified_at,
            "facets": format!("{:?}", record.facets),
            "content": content,
        })
    });
    shown.collect()
}

#[test]
fn a_work_order_with_everything() {
    insta::assert_json_snapshot!(show(
        "Job",
        r#"{
        "Id": 1042, "Number": "HQ10042", "Subject": "not shown", "StatusId": "InProgress",
        "CreatedUtc": "2031-04-30T12:00:00.1234567", "ChangedUtc": "2031-05-01T12:00:00Z",
        "Priority": {"Name": "Sometime"},
        "Place": {"Id": 7, "Type": "Equipment", "Name": " Chiller 2 ", "Zone": "Central"},
        "Lead": {"PersonId": 0}, "CompanyId": 31,
        "Crew": [{"PersonId": 5}, {"PersonId": 5}, {"PersonId": 6}],
        "OrderedLocal": "2031-04-30T07:00:00", "Due": "05/02/2031 17:00", "Done": "0001-01-01T00:00:00",
        "Hours": 1.25,
        "Cost": {"Value": 1204.50, "Currency": "USD"}, "Limit": 0,
        "Items": [
            {"Id": 1, "Task": {"Name": "Leaking valve"}, "Comment": "Drips \"a lot\"", "PlaceId": 7},
            {"Id": 2, "Task": {"Name": "Old"}, "IsRemoved": true},
            {"Id": 3, "Task": {"Name": "Filter"}, "Comment": "Replace"}
        ],
        "Labour": [{"PersonId": 5, "Minutes": 45, "Start": "2031-05-01T08:00:00", "Rate": 80.00}],
        "Parts": [{"ItemId": "V-12", "Used": 2.0, "Unit": "each"}],
        "Costs": [{"Kind": "L", "Amount": 60.00}, {"Kind": "M", "Amount": 1144.50}],
        "Shelf no.": {"row": 3, "bin": "B"}, "Reading": "0073.20", "Urgent": "Y"
    }"#
    ));
}

#[test]
fn a_work_order_in_which_much_is_wrong() {
    insta::assert_json_snapshot!(show(
        "Job",
        r#"{
        "Id": "x-1", "Number": {"no": 1}, "StatusId": "Exploded", "CreatedUtc": "yesterday",
        "Place": {"Id": [7], "Type": "Rocket", "Zone": "Mars"},
        "OrderedLocal": "2031-04-30T07:00:00", "Due": "2031-03-09 02:30", "Done": "never",
        "Hours": "two", "Cost": {"Value": "12,50", "Currency": "USD"}, "Limit": 9e99,
        "Items": [{"Id": 1, "PlaceId": {}}, 5, {"PlaceId": true}],
        "Costs": [{"Kind": "Q", "Amount": "?"}],
        "Reading": "high", "Urgent": "perhaps"
    }"#
    ));
}

#[test]
fn places_become_assets_or_locations() {
    insta::assert_json_snapshot!(show(
        "Place",
        r#"{
        "Type": "Equipment", "Name": "Chiller 2", "State": "On", "ParentId": 3, "Installed": "5/1/2019", "Price": 99.90
    }"#
    ));
    insta::assert_json_snapshot!(show(
        "Place",
        r#"{
        "Type": "Site", "Name": "Head office", "IsRemoved": "False", "Zone": "Central",
        "Address": {"Lines": ["1 Main St", "Dock 4"], "City": "Springfield", "Country": "US"}
    }"#
    ));
}

#[test]
fn vendors_and_purchase_orders() {
    insta::assert_json_snapshot!(show(
        "Person",
        r#"{
        "Company": "Cool Air", "Phone": "+1 (555) 010-22", "Trades": ["HVAC", "Electric"], "State": "Active"
    }"#
    ));
    insta::assert_json_snapshot!(show(
        "Order",
        r#"{
        "Number": 88, "Ordered": "2031-05-01", "Total": "12.10", "Currency": "$",
        "Lines": [{"Line": 1, "Count": 3, "Price": 4.0333}]
    }"#
    ));
}
