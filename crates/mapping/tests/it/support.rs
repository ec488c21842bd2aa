//! A fictional connector, and short ways of mapping a document of it.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use wrenchtime_connector::{
    ConnectorInfo, Document, EntityInfo, EntityName, MapError, Mapped, Mapper, RemoteKey,
    SystemName,
};
use wrenchtime_mapping::{CompileError, Functions, Mapping};
use wrenchtime_model::{ConnectionId, IdentityClass, Resource};

pub(crate) fn connection() -> ConnectionId {
    "0190d9a0-0000-7000-8000-000000000001".parse().unwrap()
}

pub(crate) fn info() -> ConnectorInfo {
    let entity = |name: &'static str, resources: &[Resource], class: &str| {
        EntityInfo::new(
            EntityName::from_static(name),
            resources.to_vec(),
            IdentityClass::new(class),
        )
    };
    let mut info = ConnectorInfo::new(SystemName::from_static("acme"), "Acme CMMS");
    info.entities = vec![
        entity("Job", &[Resource::WorkOrder], "job"),
        entity("Place", &[Resource::Asset, Resource::Location], "place"),
        entity("Person", &[Resource::User, Resource::Vendor], "person"),
        entity("Item", &[Resource::Part], "item"),
        entity("Order", &[Resource::PurchaseOrder], "order"),
    ];
    info
}

pub(crate) fn compile(text: &str) -> Result<Mapping, CompileError> {
    Mapping::compile(text, &info(), &Functions::builtin())
}

/// A mapping of one entity to one resource, with these lines as its fields.
pub(crate) fn mapping(entity: &str, resource: &str, fields: &str) -> String {
    format!(
        "format = 1\n[[map]]\nentity = \"{entity}\"\nresource = \"{resource}\"\n[map.fields]\n{fields}\n"
    )
}

pub(crate) fn document(entity: &str, body: &str) -> Document {
    let body = RawValue::from_string(body.to_owned()).unwrap();
    Document::new(EntityName::new(entity), RemoteKey::new("1"), body)
}

pub(crate) fn try_map(text: &str, entity: &str, body: &str) -> Result<Vec<Mapped>, MapError> {
    compile(text)
        .unwrap()
        .map(connection(), &document(entity, body))
}

/// Maps a document that becomes one record.
#[track_caller]
pub(crate) fn map(text: &str, entity: &str, body: &str) -> Mapped {
    let mut records = try_map(text, entity, body).unwrap();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// Maps a work order by one field's rule and returns the field and the codes and raw texts of its issues.
pub(crate) fn field(rule: &str, body: &str) -> (Value, Vec<Value>) {
    let text = mapping("Job", "work_order", rule) + VALUES;
    let record = map(&text, "Job", body);
    let mut content: Value = serde_json::from_str(record.content.get()).unwrap();
    let issues = content.as_object_mut().unwrap().shift_remove("data_issues");
    let issues = issues.map(|issues| issues.as_array().unwrap().clone());
    let issues = issues.unwrap_or_default().into_iter();
    let issues = issues.map(|issue| json!([issue["field"], issue["code"], issue["raw"]]));
    let value = content.as_object().unwrap().values().next().cloned();
    (value.unwrap_or(Value::Null), issues.collect())
}

const VALUES: &str = r#"
[values.status]
New = "open"
2 = "in_progress"
true = "closed"
[values.status_or_hold]
New = "open"
"*" = "on_hold"
[values.zones]
"Central" = "America/Chicago"
[values.currencies]
840 = "USD"
[values.resources]
E = "asset"
P = "location"
[values.words]
a = "alpha"
"#;

/// Checks what becomes of one field, without any issue.
#[track_caller]
pub(crate) fn check(rule: &str, body: &str, expected: Value) {
    assert_eq!(
        field(rule, body),
        (expected, Vec::new()),
        "{rule} of {body}"
    );
}

/// Checks what becomes of one field, and the one issue of it.
#[track_caller]
pub(crate) fn check_issue(rule: &str, body: &str, expected: Value, issue: Value) {
    assert_eq!(
        field(rule, body),
        (expected, vec![issue]),
        "{rule} of {body}"
    );
}
