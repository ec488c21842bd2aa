//! Whole records: keys, conditions, facets, custom fields, versions.

use serde_json::{Value, json};
use wrenchtime_connector::{Document, EntityName, Mapper, RemoteKey};
use wrenchtime_mapping::{Functions, Mapping};
use wrenchtime_model::{IdentityClass, RecordId, Resource};

use crate::support::{compile, connection, document, info, map, mapping, try_map};

fn content(text: &str, entity: &str, body: &str) -> Value {
    serde_json::from_str(map(text, entity, body).content.get()).unwrap()
}

#[test]
fn the_id_comes_from_the_class_and_the_key() {
    let record = map(&mapping("Place", "asset", r#"name = "n""#), "Place", "{}");
    let derived = |key: &str| RecordId::derive(connection(), &IdentityClass::new("place"), key);
    assert_eq!((record.id, record.remote_key.as_str()), (derived("1"), "1"));
    assert_eq!(record.resource, Resource::Asset);
    assert_eq!(record.content.get(), "{}");
    let text = "format = 1\n[[map]]\nentity = \"Place\"\nresource = \"asset\"\nkey = \"k.id\"\n";
    let record = map(text, "Place", r#"{"k": {"id": 7}}"#);
    assert_eq!((record.id, record.remote_key.as_str()), (derived("7"), "7"));
}

#[test]
fn a_document_without_key_or_object_is_refused() {
    let text = "format = 1\n[[map]]\nentity = \"Job\"\nresource = \"work_order\"\nkey = \"Id\"\n";
    for body in ["{}", r#"{"Id": " "}"#, r#"{"Id": null}"#, r#"{"Id": [1]}"#] {
        let error = try_map(text, "Job", body).unwrap_err();
        assert_eq!(
            error.reason, "the key at `Id` is missing or blank",
            "{body}"
        );
    }
    for body in ["[]", "1", "null", "\"text\""] {
        assert_eq!(
            try_map(text, "Job", body).unwrap_err().reason,
            "the document is no object"
        );
    }
    let blank = Document::new(
        EntityName::from_static("Job"),
        RemoteKey::new(" "),
        document("Job", "{}").body,
    );
    let mapping = compile(&mapping("Job", "work_order", "")).unwrap();
    assert_eq!(
        mapping.map(connection(), &blank).unwrap_err().reason,
        "the key is blank"
    );
}

#[test]
fn conditions_choose_what_a_row_becomes() {
    let text = r#"
        format = 1
        [[map]]
        entity = "Place"
        resource = "asset"
        when = [{ path = "Type", in = ["Equipment", 3] }, { path = "Template", not_in = [true] }]
        [[map]]
        entity = "Place"
        resource = "location"
        when = [{ path = "Type", present = true }, { path = "Tags.*", not_in = ["hidden"] }]
    "#;
    let becomes = |body: &str| -> Vec<Resource> {
        let records = try_map(text, "Place", body).unwrap();
        records.into_iter().map(|record| record.resource).collect()
    };
    assert_eq!(becomes(r#"{"Type": "Equipment"}"#), [Resource::Asset]);
    assert_eq!(
        becomes(r#"{"Type": 3, "Template": false}"#),
        [Resource::Asset]
    );
    assert_eq!(
        becomes(r#"{"Type": "3", "Template": true}"#),
        [Resource::Location]
    );
    assert_eq!(
        becomes(r#"{"Type": "Room", "Tags": ["a"]}"#),
        [Resource::Location]
    );
    assert_eq!(becomes(r#"{"Type": "Room", "Tags": ["a", "hidden"]}"#), []);
    assert_eq!(becomes(r#"{"Type": " "}"#), []);
    assert_eq!(try_map(text, "Job", "{}").unwrap().len(), 0);
}

#[test]
fn one_row_may_become_several_records_with_keys_of_their_own() {
    let text = r#"
        format = 1
        [[map]]
        entity = "Person"
        resource = "user"
        [[map]]
        entity = "Person"
        resource = "vendor"
        key = "Company"
        when = [{ path = "Company", present = true }]
    "#;
    let records = try_map(text, "Person", r#"{"Company": "c7"}"#).unwrap();
    assert_eq!(records.len(), 2);
    assert_ne!(records[0].id, records[1].id);
    assert_eq!(
        try_map(text, "Person", r#"{"Company": "1"}"#)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn facets_are_those_of_the_content() {
    let text = mapping(
        "Job",
        "work_order",
        r#"
        status = { path = "s", values = "v" }
        asset = { path = "a", class = "place" }
        due_at = { path = "d", zone = "UTC" }
        completed_at = "c"
        tasks = { each = "t", fields = { asset = { path = "a", class = "place" } } }
        [values.v]
        New = "open"
    "#,
    );
    let facets = map(
        &text,
        "Job",
        r#"{"s": "New", "a": 7, "d": "2031-05-01", "c": "2031-05-02T00:00Z"}"#,
    )
    .facets;
    assert_eq!(facets.status.as_deref(), Some("open"));
    assert_eq!(
        facets.asset_id,
        Some(RecordId::derive(
            connection(),
            &IdentityClass::new("place"),
            "7"
        ))
    );
    assert_eq!(
        facets.due_at.unwrap().to_string(),
        "2031-05-01T00:00:00.000000Z"
    );
    assert_eq!(
        facets.completed_at.unwrap().to_string(),
        "2031-05-02T00:00:00.000000Z"
    );
    let facets = map(&text, "Job", r#"{"s": "Odd", "d": "?", "t": [{"a": 9}]}"#).facets;
    assert_eq!(facets.status.as_deref(), Some("unknown"));
    assert_eq!(
        (facets.asset_id, facets.due_at, facets.order_date),
        (None, None, None)
    );

    let text = mapping(
        "Order",
        "purchase_order",
        "order_date = \"o\"\ndelivery_date = \"d\"",
    );
    let facets = map(
        &text,
        "Order",
        r#"{"o": "2031-05-01T23:30:00-05:00", "d": "2031-06-01"}"#,
    )
    .facets;
    assert_eq!(facets.order_date.unwrap().to_string(), "2031-05-01");
    assert_eq!(facets.delivery_date.unwrap().to_string(), "2031-06-01");
}

#[test]
fn the_times_of_the_source_stand_beside_the_content() {
    let text = r#"
        format = 1
        [[map]]
        entity = "Job"
        resource = "work_order"
        remote_created_at = "c"
        remote_modified_at = { path = "m", zone = "Asia/Tokyo" }
    "#;
    let record = map(text, "Job", r#"{"c": "soon", "m": "2031-05-01T09:00"}"#);
    assert_eq!(record.remote_created_at, None);
    assert_eq!(
        record.remote_modified_at.unwrap().to_string(),
        "2031-05-01T00:00:00.000000Z"
    );
    assert_eq!(
        record.content.get(),
        r#"{"data_issues":[{"field":"remote_created_at","code":"unreadable","raw":"soon"}]}"#
    );
}

#[test]
fn custom_fields_are_kept_or_converted() {
    let text = mapping(
        "Item",
        "part",
        r#"
        name = "n"
        [map.custom_fields]
        "shelf no" = "s"
        all = "l.*.v"
        label = { path = "x", kind = "text", apply = ["upper"] }
        count = { path = "c", kind = "number" }
        price = { path = "p", kind = "decimal" }
        hidden = { path = "h", kind = "boolean", apply = ["not"] }
        bought = { path = "b", kind = "date" }
        seen = { path = "t", kind = "instant", zone = "UTC" }
        origin = { value = "acme" }
    "#,
    );
    let body = r#"{
        "n": "Bolt", "s": {"b": 1.50, "a": " x "}, "l": [{"v": 1}, {}, {"v": "two"}], "x": "ab", "c": "7.50",
        "p": 3.10, "h": false, "b": "2031-05-01T10:00", "t": "2031-05-01"
    }"#;
    let record = map(&text, "Item", body);
    assert!(
        record
            .content
            .get()
            .contains(r#""shelf no":{"a":" x ","b":1.50}"#),
        "{}",
        record.content
    );
    assert_eq!(
        content(&text, "Item", body),
        json!({"name": "Bolt", "custom_fields": {
            "all": [1, "two"], "bought": "2031-05-01", "count": 7.50, "hidden": true, "label": "AB", "origin": "acme",
            "price": "3.10", "seen": "2031-05-01T00:00:00.000000Z", "shelf no": {"a": " x ", "b": 1.50},
        }})
    );
    let issue = json!([{"field": "custom_fields.count", "code": "unreadable", "raw": "many"}]);
    assert_eq!(
        content(&text, "Item", r#"{"c": "many"}"#)["data_issues"],
        issue
    );
    assert_eq!(
        content(
            &mapping("Item", "part", "[map.custom_fields]\na = \"a\""),
            "Item",
            "{}"
        ),
        json!({})
    );
}

#[test]
fn registered_functions_are_called() {
    fn without_mark<'a>(
        value: &wrenchtime_connector::Value<'a>,
    ) -> Result<wrenchtime_connector::Value<'a>, String> {
        let text = value.as_text().ok_or("not a text")?;
        Ok(text
            .strip_suffix(" (gone)")
            .unwrap_or(text)
            .to_owned()
            .into())
    }
    let functions = Functions::builtin().with("without_mark", without_mark);
    let text = mapping(
        "Job",
        "work_order",
        r#"title = { path = "t", apply = ["without_mark"] }"#,
    );
    let mapping = Mapping::compile(&text, &info(), &functions).unwrap();
    let records = mapping
        .map(connection(), &document("Job", r#"{"t": "Pump (gone)"}"#))
        .unwrap();
    assert_eq!(records[0].content.get(), r#"{"title":"Pump"}"#);
}

#[test]
fn another_text_or_class_is_another_version() {
    let text = mapping("Job", "work_order", "");
    let version = |text: &str| compile(text).unwrap().version().to_owned();
    assert_eq!(version(&text), version(&text));
    assert_eq!(version(&text).len(), 16);
    assert_ne!(version(&text), version(&(text.clone() + "# another")));
    let mut info = info();
    info.entities[0].class = IdentityClass::new("other");
    let other = Mapping::compile(&text, &info, &Functions::builtin()).unwrap();
    assert_ne!(other.version(), version(&text));
}
