//! Every kind of field: what it takes, and what becomes of what it does not.

use serde_json::{Value, json};
use wrenchtime_model::{IdentityClass, RecordId};

use crate::support::{check, check_issue, connection};

const NONE: Value = Value::Null;

#[test]
fn text() {
    check(
        r#"number = "n""#,
        r#"{"n": "  HQ \u0022 7 "}"#,
        json!("HQ \" 7"),
    );
    check(r#"number = "n""#, r#"{"n": 12.10}"#, json!("12.10"));
    check(r#"number = "n""#, r#"{"n": true}"#, json!("true"));
    for absent in [
        "{}",
        r#"{"n": null}"#,
        r#"{"n": "  "}"#,
        r#"{"n": []}"#,
        r#"{"n": {}}"#,
    ] {
        check(r#"number = "n""#, absent, NONE);
    }
    check_issue(
        r#"number = "n""#,
        r#"{"n": [1]}"#,
        NONE,
        json!(["number", "unreadable", "[1]"]),
    );
    check(
        r#"title = { first = ["a", "b.*.c", "d"] }"#,
        r#"{"a": " ", "b": [{}, {"c": "x"}], "d": "y"}"#,
        json!("x"),
    );
    check(
        r#"title = { path = "b.*.c", join = ", " }"#,
        r#"{"b": [{"c": "x"}, {"c": ""}, {"c": 2}]}"#,
        json!("x, 2"),
    );
    check(
        r#"title = { path = "b", join = ", ", apply = ["upper"] }"#,
        r#"{"b": ["x", " y "]}"#,
        json!("X, Y"),
    );
    check_issue(
        r#"title = { path = "b", join = "," }"#,
        r#"{"b": ["x", [1]]}"#,
        json!("x"),
        json!(["title", "unreadable", "[1]"]),
    );
    check(r#"title = { value = "fixed" }"#, "{}", json!("fixed"));
    check(
        r#"title = { path = "t", values = "words" }"#,
        r#"{"t": "a"}"#,
        json!("alpha"),
    );
    check_issue(
        r#"title = { path = "t", values = "words" }"#,
        r#"{"t": "b"}"#,
        NONE,
        json!(["title", "unmapped_value", "b"]),
    );
}

#[test]
fn whole_numbers() {
    let plain = r#"planned_duration = "d""#;
    check(plain, r#"{"d": 90}"#, json!(90));
    check(plain, r#"{"d": " 9e1 "}"#, json!(90));
    check(plain, r#"{"d": "90.00"}"#, json!(90));
    check_issue(
        plain,
        r#"{"d": 1.5}"#,
        NONE,
        json!(["planned_duration", "unreadable", "1.5"]),
    );
    check_issue(
        plain,
        r#"{"d": true}"#,
        NONE,
        json!(["planned_duration", "unreadable", "true"]),
    );
    check_issue(
        plain,
        r#"{"d": 1e30}"#,
        NONE,
        json!(["planned_duration", "unreadable", "1e30"]),
    );
    for (unit, seconds) in [("seconds", 2), ("minutes", 90), ("hours", 5400)] {
        let rule = format!(r#"planned_duration = {{ path = "d", unit = "{unit}" }}"#);
        check(&rule, r#"{"d": 1.5}"#, json!(seconds));
    }
}

#[test]
fn places_in_a_list() {
    check(
        r##"tasks = { each = "s", when = [{ path = "t", present = true }], fields = { position = "#", title = "t" } }"##,
        r#"{"s": [{"t": "a"}, {}, {"t": "c"}]}"#,
        json!([{"position": 1, "title": "a"}, {"position": 3, "title": "c"}]),
    );
}

#[test]
fn choices() {
    let rule = r#"status = { path = "s", values = "status" }"#;
    check(rule, r#"{"s": " New "}"#, json!("open"));
    check(rule, r#"{"s": 2}"#, json!("in_progress"));
    check(rule, r#"{"s": true}"#, json!("closed"));
    check(rule, r#"{"s": null}"#, NONE);
    check_issue(
        rule,
        r#"{"s": "new"}"#,
        json!("unknown"),
        json!(["status", "unmapped_value", "new"]),
    );
    check_issue(
        rule,
        r#"{"s": [1]}"#,
        NONE,
        json!(["status", "unreadable", "[1]"]),
    );
    check(
        r#"status = { path = "s", values = "status_or_hold" }"#,
        r#"{"s": "Odd"}"#,
        json!("on_hold"),
    );
    check(r#"status = { value = "open" }"#, "{}", json!("open"));
    check(
        r#"status = { path = "s", apply = ["trim"], values = "status" }"#,
        r#"{"s": " New "}"#,
        json!("open"),
    );
}

#[test]
fn instants() {
    let utc = r#"due_at = { path = "d", zone = "UTC" }"#;
    check(
        utc,
        r#"{"d": "2031-05-01T09:30:00"}"#,
        json!("2031-05-01T09:30:00.000000Z"),
    );
    check(
        utc,
        r#"{"d": "2031-05-01T09:30:00.1234567+02:00"}"#,
        json!("2031-05-01T07:30:00.123456Z"),
    );
    check(
        utc,
        r#"{"d": "2031-05-01"}"#,
        json!("2031-05-01T00:00:00.000000Z"),
    );
    check_issue(
        utc,
        r#"{"d": "soon"}"#,
        NONE,
        json!(["due_at", "unreadable", "soon"]),
    );
    check_issue(
        utc,
        r#"{"d": 5}"#,
        NONE,
        json!(["due_at", "unreadable", "5"]),
    );
    check(
        r#"due_at = "d""#,
        r#"{"d": "2031-05-01T09:30Z"}"#,
        json!("2031-05-01T09:30:00.000000Z"),
    );
    check_issue(
        r#"due_at = "d""#,
        r#"{"d": "2031-05-01T09:30"}"#,
        NONE,
        json!(["due_at", "unknown_zone", "2031-05-01T09:30"]),
    );
    let sentinel = r#"due_at = { path = "d", zone = "UTC", apply = ["no_sentinel_date"] }"#;
    check(sentinel, r#"{"d": "0001-01-01T00:00:00"}"#, NONE);
    let formats = r#"due_at = { path = "d", zone = "America/Chicago", formats = ["%m/%d/%Y %I:%M %p", "%m/%d/%Y"] }"#;
    check(
        formats,
        r#"{"d": "5/1/2031 9:30 PM"}"#,
        json!("2031-05-02T02:30:00.000000Z"),
    );
    check(
        formats,
        r#"{"d": "5/1/2031"}"#,
        json!("2031-05-01T05:00:00.000000Z"),
    );
    check(
        r#"due_at = { value = "2031-05-01T00:00:00Z" }"#,
        "{}",
        json!("2031-05-01T00:00:00.000000Z"),
    );
}

#[test]
fn local_times_that_are_missing_or_double() {
    let rule = r#"due_at = { path = "d", zone = "America/Chicago" }"#;
    check_issue(
        rule,
        r#"{"d": "2031-03-09T02:30"}"#,
        NONE,
        json!([
            "due_at",
            "unknown_zone",
            "2031-03-09T02:30[America/Chicago]"
        ]),
    );
    check(
        rule,
        r#"{"d": "2031-11-02T01:30"}"#,
        json!("2031-11-02T06:30:00.000000Z"),
    );
    check_issue(
        rule,
        r#"{"d": "9999-12-31T23:59"}"#,
        NONE,
        json!(["due_at", "unreadable", "9999-12-31T23:59"]),
    );
}

#[test]
fn zones_that_the_source_tells() {
    let rule = r#"due_at = { path = "d", zone_path = "z", zones = "zones" }"#;
    check(
        rule,
        r#"{"d": "2031-05-01T09:30", "z": "Central"}"#,
        json!("2031-05-01T14:30:00.000000Z"),
    );
    check(
        rule,
        r#"{"d": "2031-05-01T09:30", "z": "Asia/Tokyo"}"#,
        json!("2031-05-01T00:30:00.000000Z"),
    );
    check_issue(
        rule,
        r#"{"d": "2031-05-01T09:30", "z": "Mars"}"#,
        NONE,
        json!(["due_at", "unknown_zone", "2031-05-01T09:30[Mars]"]),
    );
    check_issue(
        rule,
        r#"{"d": "2031-05-01T09:30"}"#,
        NONE,
        json!(["due_at", "unknown_zone", "2031-05-01T09:30"]),
    );
    check(
        r#"labour = { each = "l", fields = { started_at = { path = "d", zone_path = "$.z" } } }"#,
        r#"{"z": "Asia/Tokyo", "l": [{"d": "2031-05-01T09:30"}]}"#,
        json!([{"started_at": "2031-05-01T00:30:00.000000Z"}]),
    );
}

#[test]
fn money() {
    check(
        r#"cost = "c""#,
        r#"{"c": 12.10}"#,
        json!({"amount": "12.10"}),
    );
    check(
        r#"cost = "c""#,
        r#"{"c": "0012.10"}"#,
        json!({"amount": "12.10"}),
    );
    check_issue(
        r#"cost = "c""#,
        r#"{"c": "$12"}"#,
        NONE,
        json!(["cost", "unreadable", "$12"]),
    );
    check_issue(
        r#"cost = "c""#,
        r#"{"c": {"v": 1}}"#,
        NONE,
        json!(["cost", "unreadable", "{\"v\":1}"]),
    );
    let constant = r#"cost = { path = "c", currency = { value = "USD" }, apply = ["negate"] }"#;
    check(
        constant,
        r#"{"c": -5.00}"#,
        json!({"amount": "5.00", "currency": "USD"}),
    );
    check(constant, "{}", NONE);
    let beside = r#"cost = { path = "c", currency_path = "k", currencies = "currencies" }"#;
    check(
        beside,
        r#"{"c": 1, "k": 840}"#,
        json!({"amount": "1", "currency": "USD"}),
    );
    check(
        beside,
        r#"{"c": 1, "k": "eur"}"#,
        json!({"amount": "1", "currency": "EUR"}),
    );
    check_issue(
        beside,
        r#"{"c": 1, "k": "dollars"}"#,
        json!({"amount": "1"}),
        json!(["cost.currency", "unmapped_value", "dollars"]),
    );
    let object = r#"cost = { path = "c", amount = "v.net", currency = "k" }"#;
    check(
        object,
        r#"{"c": {"v": {"net": 7.50}, "k": "USD"}}"#,
        json!({"amount": "7.50", "currency": "USD"}),
    );
    check(object, r#"{"c": {"k": "USD"}}"#, NONE);
    check_issue(
        object,
        r#"{"c": 7}"#,
        NONE,
        json!(["cost", "unreadable", "7"]),
    );
}

#[test]
fn quantities() {
    let of =
        |rule: &str| format!(r#"parts_used = {{ each = "p", fields = {{ quantity = {rule} }} }}"#);
    let beside = of(r#"{ path = "q", unit_path = "u" }"#);
    check(
        &beside,
        r#"{"p": {"q": 2.50, "u": "kg"}}"#,
        json!([{"quantity": {"value": "2.50", "unit": "kg"}}]),
    );
    check(
        &beside,
        r#"{"p": [{"q": "3"}]}"#,
        json!([{"quantity": {"value": "3"}}]),
    );
    let constant = of(r#"{ path = "q", unit = { value = "each" } }"#);
    check(
        &constant,
        r#"{"p": [{"q": 1}]}"#,
        json!([{"quantity": {"value": "1", "unit": "each"}}]),
    );
    check_issue(
        &constant,
        r#"{"p": [{"q": 1}, {"q": "some"}]}"#,
        json!([{"quantity": {"value": "1", "unit": "each"}}, {}]),
        json!(["parts_used.1.quantity", "unreadable", "some"]),
    );
}

fn id(key: &str) -> String {
    RecordId::derive(connection(), &IdentityClass::new("place"), key).to_string()
}

#[test]
fn references() {
    let plain = r#"asset = { path = "a.id", class = "place", resource = "asset" }"#;
    check(
        plain,
        r#"{"a": {"id": 42}}"#,
        json!({"id": id("42"), "resource": "asset"}),
    );
    check(
        plain,
        r#"{"a": {"id": " 42 "}}"#,
        json!({"id": id("42"), "resource": "asset"}),
    );
    for none in [
        "{}",
        r#"{"a": {"id": 0}}"#,
        r#"{"a": {"id": "0"}}"#,
        r#"{"a": {"id": ""}}"#,
    ] {
        check(plain, none, NONE);
    }
    check_issue(
        plain,
        r#"{"a": {"id": true}}"#,
        NONE,
        json!(["asset", "unreadable", "true"]),
    );
    let told =
        r#"asset = { path = "a", class = "place", resource_path = "t", resources = "resources" }"#;
    check(
        told,
        r#"{"a": "x", "t": "P"}"#,
        json!({"id": id("x"), "resource": "location"}),
    );
    check(told, r#"{"a": "x", "t": "?"}"#, json!({"id": id("x")}));
}

#[test]
fn the_first_value_that_is_one_counts() {
    let rule = r#"asset = { first = ["a.*.id", "b"], class = "place" }"#;
    check(
        rule,
        r#"{"a": [{"id": 0}, {"id": 2}], "b": 3}"#,
        json!({"id": id("2")}),
    );
    check(
        rule,
        r#"{"a": [{"id": 0}], "b": 3}"#,
        json!({"id": id("3")}),
    );
    let rule = r#"due_at = { first = ["a", "b"], apply = ["no_sentinel_date"] }"#;
    check(
        rule,
        r#"{"a": "0001-01-01", "b": "2031-05-01T00:00Z"}"#,
        json!("2031-05-01T00:00:00.000000Z"),
    );
    check_issue(
        rule,
        r#"{"a": "soon", "b": "2031-05-01T00:00Z"}"#,
        NONE,
        json!(["due_at", "unreadable", "soon"]),
    );
}

#[test]
fn lists_of_references_and_texts() {
    let rule = r#"additional_assignees = { path = "a.*.id", class = "place" }"#;
    check(
        rule,
        r#"{"a": [{"id": 1}, {"id": 0}, {}, {"id": "1"}, {"id": 2}]}"#,
        json!([{"id": id("1")}, {"id": id("2")}]),
    );
    check(rule, r#"{"a": []}"#, NONE);
    check_issue(
        rule,
        r#"{"a": [{"id": true}]}"#,
        NONE,
        json!(["additional_assignees.0", "unreadable", "true"]),
    );
}

#[test]
fn lists_of_objects() {
    let rule = r#"tasks = { each = "s.*.items", fields = { remote_id = "id", asset = { path = "a", class = "place" } } }"#;
    check(
        rule,
        r#"{"s": [{"items": [{"id": 1, "a": 7}, {"x": 1}]}, {"items": {"id": 2}}]}"#,
        json!([{"remote_id": "1", "asset": {"id": id("7")}}, {"remote_id": "2"}]),
    );
    check(rule, r#"{"s": [{"items": []}]}"#, NONE);
    check_issue(
        rule,
        r#"{"s": [{"items": "none"}]}"#,
        NONE,
        json!(["tasks", "unreadable", "none"]),
    );
    let scalars = r#"tasks = { each = "s", fields = { title = "@" } }"#;
    check(
        scalars,
        r#"{"s": ["a", "", "c"]}"#,
        json!([{"title": "a"}, {"title": "c"}]),
    );
}

#[test]
fn functions_that_fail_leave_an_issue_with_the_source_value() {
    check_issue(
        r#"title = { path = "t", apply = ["upper", "negate"] }"#,
        r#"{"t": "x"}"#,
        NONE,
        json!(["title", "unreadable", "x"]),
    );
    check(
        r#"title = { path = "t", apply = ["digits_only"] }"#,
        r#"{"t": "none"}"#,
        NONE,
    );
}

#[test]
fn what_is_nested_without_end_is_told() {
    let body = format!(r#"{{"t": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
    check_issue(
        r#"title = "t""#,
        &body,
        NONE,
        json!(["title", "unreadable", null]),
    );
}
