//! What holds for every document.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::LazyLock;

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use wrenchtime_connector::{Mapped, Mapper};
use wrenchtime_mapping::Mapping;
use wrenchtime_model::{
    Asset, DataIssue, Location, Part, PurchaseOrder, Resource, User, Vendor, WorkOrder,
};

use crate::plant::MAPPING;
use crate::support::{compile, connection, document, map, mapping};

static PLANT: LazyLock<Mapping> = LazyLock::new(|| compile(MAPPING).unwrap());

/// Names that the mapping looks for, so that random documents are looked into.
const NAMES: &[&str] = &[
    "Id",
    "Number",
    "Items",
    "Task",
    "Name",
    "Subject",
    "Comment",
    "StatusId",
    "Priority",
    "Place",
    "Type",
    "Zone",
    "Lead",
    "PersonId",
    "Crew",
    "OrderedLocal",
    "Due",
    "Done",
    "Hours",
    "Cost",
    "Value",
    "Currency",
    "Limit",
    "Labour",
    "Minutes",
    "Start",
    "Rate",
    "Parts",
    "ItemId",
    "Used",
    "Costs",
    "Kind",
    "Amount",
    "Reading",
    "Urgent",
    "Shelf no.",
    "State",
    "ParentId",
    "Installed",
    "Price",
    "Address",
    "Lines",
    "City",
    "Company",
    "Phone",
    "Trades",
    "Ordered",
    "Total",
    "Line",
    "Count",
    "CreatedUtc",
    "ChangedUtc",
    "IsRemoved",
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "New",
    "InProgress",
    "Equipment",
    "Site",
    "Central",
    "Berlin",
    "Mars",
    "USD",
    "$",
    "Y",
    "no",
    "0",
    "7",
    "12.10",
    "-0.0",
    "1e5",
    "1e-40",
    "2031-05-01",
    "2031-03-09T02:30:00",
    "2031-05-01T09:30:00.123456789+02:00",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
    "05/02/2031 17:00",
    "\\ud800",
    "a\\u0000b",
    "line\\nend",
    "L",
    "On",
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "42",
    "12.10",
    "1.5e3",
    "1E400",
    "-1e-400",
    "123456789012345678901234567890",
    "0.1234567890123456789012345678901234567890",
    "79228162514264337593543950335",
    "9223372036854775808",
    "1e28",
    "1e999999999999",
];

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        prop::sample::select(TEXTS).prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(NUMBERS).prop_map(str::to_owned),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        any::<f64>()
            .prop_filter("JSON has no other", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
    ]
}

/// JSON text: names that are looked for, values that are and are not what is expected there, and often a key.
fn body() -> impl Strategy<Value = String> {
    let value = leaf().prop_recursive(4, 60, 8, |inner| {
        let members = prop::collection::vec((prop::sample::select(NAMES), inner.clone()), 0..8);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(object),
        ]
    });
    let members = prop::collection::vec((prop::sample::select(NAMES), value), 0..25);
    (members, any::<bool>()).prop_map(|(mut members, has_key)| {
        if has_key {
            members.push(("Id", "5".to_owned()));
        }
        object(members)
    })
}

fn object(members: Vec<(&str, String)>) -> String {
    let members = members
        .into_iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn entity() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["Job", "Place", "Person", "Item", "Order"][..])
}

/// Checks that the model's own type reads the content and writes it back as it was.
fn check_type<T: DeserializeOwned + Serialize + Debug>(content: &str) -> Result<(), TestCaseError> {
    let read: T = serde_json::from_str(content)
        .map_err(|error| TestCaseError::fail(format!("{error} in {content}")))?;
    let mut written = serde_json::to_value(&read).unwrap();
    let mut expected: Value = serde_json::from_str(content).unwrap();
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    prop_assert_eq!(names(&written), names(&expected));
    // What the model keeps as any JSON may be spelled in other digits.
    for value in [&mut written, &mut expected] {
        value.as_object_mut().unwrap().shift_remove("custom_fields");
    }
    prop_assert_eq!(written.to_string(), expected.to_string());
    Ok(())
}

fn check_record(record: &Mapped) -> Result<(), TestCaseError> {
    let content = record.content.get();
    match record.resource {
        Resource::WorkOrder => check_type::<WorkOrder>(content)?,
        Resource::Asset => check_type::<Asset>(content)?,
        Resource::Location => check_type::<Location>(content)?,
        Resource::User => check_type::<User>(content)?,
        Resource::Vendor => check_type::<Vendor>(content)?,
        Resource::Part => check_type::<Part>(content)?,
        _ => check_type::<PurchaseOrder>(content)?,
    }
    let parsed: Value = serde_json::from_str(content).unwrap();
    let issues: Option<Vec<DataIssue>> =
        serde_json::from_value(parsed["data_issues"].clone()).unwrap();
    for issue in issues.unwrap_or_default() {
        prop_assert!(issue.raw.is_none_or(|raw| raw.chars().count() <= 200));
    }
    let status = parsed["status"].as_str().map(str::to_owned);
    prop_assert_eq!(record.facets.status.as_ref(), status.as_ref());
    let due = record.facets.due_at.map(|at| at.to_string());
    prop_assert_eq!(due.as_deref(), parsed["due_at"].as_str());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 3 / 2))]

    #[test]
    fn every_document_becomes_records_of_the_model(entity in entity(), body in body()) {
        let mapping = &*PLANT;
        let document = document(entity, &body);
        match mapping.map(connection(), &document) {
            Err(error) => prop_assert!(error.reason.starts_with("the key at"), "{}", error),
            Ok(records) => {
                records.iter().try_for_each(check_record)?;
                let again = mapping.map(connection(), &document).unwrap();
                let content = |records: &[Mapped]| -> Vec<String> {
                    records.iter().map(|record| record.content.get().to_owned()).collect()
                };
                prop_assert_eq!(content(&records), content(&again));
            }
        }
    }

    #[test]
    fn the_order_and_spacing_of_a_document_mean_nothing(entity in entity(), body in body()) {
        let sorted: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&body).unwrap();
        let last_of_each = serde_json::to_string_pretty(&sorted).unwrap();
        let mapping = &*PLANT;
        let content = |body: &str| -> Option<Vec<String>> {
            let records = mapping.map(connection(), &document(entity, body)).ok()?;
            Some(records.iter().map(|record| record.content.get().to_owned()).collect())
        };
        prop_assert_eq!(content(&body), content(&last_of_each));
    }

    #[test]
    fn any_decimal_text_survives(mantissa in -(1_i128 << 95)..1_i128 << 95, scale in 0_u32..=28, quoted in any::<bool>()) {
        let number = Decimal::from_i128_with_scale(mantissa, scale);
        prop_assume!(!number.is_zero());
        let quote = if quoted { "\"" } else { "" };
        let body = format!(r#"{{"p": {quote}{number}{quote}}}"#);
        let record = map(&mapping("Item", "part", r#"unit_cost = "p""#), "Item", &body);
        let expected = format!(r#"{{"unit_cost":{{"amount":"{number}"}}}}"#);
        prop_assert_eq!(record.content.get(), expected);
    }
}
