//! Everything that can be wrong with a mapping is told when it is compiled.

use crate::support::{compile, mapping};

fn faults(text: &str) -> Vec<String> {
    let error = compile(text).unwrap_err();
    error.faults().iter().map(ToString::to_string).collect()
}

/// Checks the one fault of a work order's field.
#[track_caller]
fn check(rule: &str, expected: &str) {
    let text = mapping("Job", "work_order", rule)
        + "[values.status]\nNew = \"open\"\n[values.wrong]\nNew = \"opne\"\n[values.zones]\nC = \"Europe/Berln\"\n[values.flags]\nY = true\n";
    assert_eq!(faults(&text), [expected], "{rule}");
}

#[test]
fn unknown_names_come_with_what_may_have_been_meant() {
    let place = "map[0] (Job -> work_order).fields";
    check(
        "statsu = \"s\"",
        &format!("{place}.statsu: `work_order` has no field `statsu`; did you mean `status`?"),
    );
    check(
        "colour = \"s\"",
        &format!("{place}.colour: `work_order` has no field `colour`"),
    );
    check(
        "title = { path = \"t\", apply = [\"uper\"] }",
        &format!("{place}.title.apply: there is no function `uper`; did you mean `upper`?"),
    );
    check(
        "status = { path = \"s\", values = \"statu\" }",
        &format!("{place}.status.values: there is no value map `statu`; did you mean `status`?"),
    );
    check(
        "due_at = { path = \"d\", zone = \"America/Chicgo\" }",
        &format!(
            "{place}.due_at.zone: `America/Chicgo` is no IANA time zone; did you mean `America/Chicago`?"
        ),
    );
    check(
        "asset = { path = \"a\", class = \"Place\" }",
        &format!("{place}.asset.class: no entity has keys of class `Place`; did you mean `place`?"),
    );
    check(
        "asset = { path = \"a\", class = \"place\", resource = \"assets\" }",
        &format!("{place}.asset.resource: there is no resource `assets`; did you mean `asset`?"),
    );
    check(
        "tasks = { each = \"t\", fields = { titel = \"t\" } }",
        &format!("{place}.tasks.fields.titel: `tasks` has no field `titel`; did you mean `title`?"),
    );
    check(
        "title = { pth = \"t\", path = \"t\" }",
        &format!(
            "{place}.title.pth: a rule for text has no key `pth`; it may have path, first, apply, value, join, values; did you mean `path`?"
        ),
    );
    check(
        "planned_duration = { path = \"d\", unit = \"days\" }",
        &format!(
            "{place}.planned_duration.unit: `days` is no unit; known are seconds, minutes, hours"
        ),
    );
}

#[test]
fn value_maps_are_checked_against_what_uses_them() {
    let used = "map[0] (Job -> work_order).fields";
    check(
        "status = { path = \"s\", values = \"wrong\" }",
        &format!(
            "values.wrong.New: `opne` is no member of the field's list; known are cancelled, open, assigned, in_progress, on_hold, completed, closed, unknown (used by {used}.status.values); did you mean `open`?"
        ),
    );
    check(
        "due_at = { path = \"d\", zone_path = \"z\", zones = \"zones\" }",
        &format!(
            "values.zones.C: `Europe/Berln` is no IANA time zone (used by {used}.due_at.zones); did you mean `Europe/Berlin`?"
        ),
    );
    check(
        "cost = { path = \"c\", currency_path = \"k\", currencies = \"status\" }",
        &format!("values.status.New: `open` is no ISO 4217 code (used by {used}.cost.currencies)"),
    );
}

#[test]
fn rules_must_fit_the_kind_of_their_field() {
    let at = |field: &str, message: &str| {
        format!("map[0] (Job -> work_order).fields.{field}: {message}")
    };
    check(
        "status = \"s\"",
        &at(
            "status",
            "a field with a closed list of names needs `values`, the name of a value map",
        ),
    );
    check(
        "status = { value = \"opne\" }",
        &at(
            "status.value",
            "`opne` is no member of the field's list; known are cancelled, open, assigned, in_progress, on_hold, completed, closed, unknown; did you mean `open`?",
        ),
    );
    check("asset = \"a\"", &at("asset", "`class` is missing"));
    check(
        "title = { path = \"t\", zone = \"UTC\" }",
        &at(
            "title.zone",
            "a rule for text has no key `zone`; it may have path, first, apply, value, join, values",
        ),
    );
    check(
        "due_at = { value = \"2031-05-01\" }",
        &at(
            "due_at.value",
            "this must be an instant as text, with its offset",
        ),
    );
    check(
        "due_at = { path = \"d\", formats = [\"%H:%M\"] }",
        &at(
            "due_at.formats",
            "`%H:%M` does not tell a whole day, or only half of a time",
        ),
    );
}

#[test]
fn sources_must_be_whole() {
    let at = |field: &str, message: &str| {
        format!("map[0] (Job -> work_order).fields.{field}: {message}")
    };
    check(
        "title = { first = [] }",
        &at("title.first", "the list is empty"),
    );
    check("title = { }", &at("title", "a `path` is missing"));
    check(
        "title = { path = \"a\", first = [\"b\"] }",
        &at("title", "`path` and `first` exclude each other"),
    );
    check(
        "title = 5",
        &at(
            "title",
            "this must be a path or a rule such as { path = \"...\" }",
        ),
    );
    check(
        "title = { path = 5 }",
        &at("title.path", "this must be a text"),
    );
    check(
        "title = \"a..b\"",
        &at(
            "title.path",
            "`a..b` is no path: a name is missing before, behind or between dots",
        ),
    );
    check(
        "title = \"a.*.b\"",
        &at(
            "title.path",
            "`a.*.b` may find many values where the field takes one: write `first = [...]`, or `join` for text",
        ),
    );
    check(
        "planned_duration = \"#\"",
        &at(
            "planned_duration.path",
            "`#` is the place in a list and means something inside of `each` only",
        ),
    );
}

#[test]
fn rules_of_several_parts_must_be_whole() {
    let at = |field: &str, message: &str| {
        format!("map[0] (Job -> work_order).fields.{field}: {message}")
    };
    check(
        "cost = { path = \"c\", currency = \"k\" }",
        &at(
            "cost.currency",
            "as a text this is a member of the object that also holds `amount`, and that is missing; write { value = \"...\" } for one and the same currency",
        ),
    );
    check(
        "cost = { path = \"c\", currency = { value = \"dollar\" } }",
        &at("cost.currency.value", "`dollar` is no ISO 4217 code"),
    );
    check(
        "asset = { path = \"a\", class = \"place\", resource = \"part\" }",
        &at(
            "asset.resource",
            "no entity whose keys are of class `place` becomes `part`",
        ),
    );
    check(
        "asset = { path = \"a\", class = \"place\", resource_path = \"t\" }",
        &at(
            "asset",
            "`resource_path` and the value map `resources` belong together",
        ),
    );
    check(
        "tasks = { each = \"t\" }",
        &at("tasks", "`fields` is missing"),
    );
    check(
        "tasks = { each = \"t\", fields = {}, when = [{ path = \"x\" }] }",
        &at(
            "tasks.when[0]",
            "a condition needs `in`, `not_in` or `present`",
        ),
    );
    check(
        "tasks = { each = \"t\", fields = {}, when = [{ path = \"x\", in = [1.5] }] }",
        &at(
            "tasks.when[0].in",
            "this must be a list of texts, whole numbers, true and false",
        ),
    );
}

#[test]
fn custom_fields_are_checked_too() {
    let at = |field: &str, message: &str| {
        format!("map[0] (Job -> work_order).custom_fields.{field}: {message}")
    };
    let check =
        |rule: &str, expected: &str| check(&format!("[map.custom_fields]\n{rule}"), expected);
    check(
        "a = { path = \"a\", kind = \"txt\" }",
        &at(
            "a.kind",
            "`txt` is no kind; known are text, number, decimal, boolean, date, instant; did you mean `text`?",
        ),
    );
    check(
        "a = { path = \"a\", kind = \"number\", unit = \"hours\" }",
        &at(
            "a.unit",
            "a rule for a number has no key `unit`; it may have path, first, apply",
        ),
    );
    check(
        "a = { path = \"a\", zone = \"UTC\" }",
        &at(
            "a.zone",
            "a custom field has no key `zone`; it may have path, first, apply, value, kind",
        ),
    );
    check(
        "a = { value = 1.5 }",
        &at("a.value", "this must be true or false"),
    );
}

#[test]
fn maps_are_checked_against_the_connector() {
    let header = |entity: &str, resource: &str| mapping(entity, resource, "");
    assert_eq!(
        faults(&header("Jobs", "work_order")),
        ["map[0] (Jobs -> work_order).entity: acme has no entity `Jobs`; did you mean `Job`?"]
    );
    assert_eq!(
        faults(&header("Job", "workorder")),
        [
            "map[0] (Job -> workorder).resource: there is no resource `workorder`; did you mean `work_order`?"
        ]
    );
    assert_eq!(
        faults(&header("Job", "asset")),
        ["map[0] (Job -> asset).resource: `Job` does not declare that its rows may become `asset`"]
    );
    assert_eq!(
        faults("format = 2"),
        ["format: this version reads `format = 1`"]
    );
    assert_eq!(faults(""), ["format: this version reads `format = 1`"]);
    assert_eq!(
        faults("format = 1\nmaps = []"),
        ["maps: a mapping has no key `maps`; it may have format, map, values; did you mean `map`?"]
    );
    assert_eq!(
        faults("format = 1\n[[map]]\n"),
        [
            "map[0] (? -> ?): `entity` is missing",
            "map[0] (? -> ?): `resource` is missing"
        ]
    );
    let hidden = "format = 1\n[[map]]\nentity = \"Place\"\nresource = \"asset\"\n[[map]]\nentity = \"Place\"\nresource = \"location\"\n";
    assert_eq!(
        faults(hidden),
        ["map[1].when: an earlier map without `when` makes the same records already"]
    );
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    let found = faults("format = 1\n\n[[map]\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 3: "), "{found:?}");
}

#[test]
fn all_faults_are_told_at_once() {
    let text = mapping(
        "Job",
        "work_order",
        "statsu = \"s\"\ntitle = 5\ndue_at = { path = \"d\", zone = \"Mars\", apply = [\"x\"] }",
    ) + "[[map]]\nentity = \"Nothing\"\nresource = \"asset\"\nkey = \"a.*\"\n";
    let error = compile(&text).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn a_fault_that_several_fields_share_is_told_for_each_use() {
    let text = mapping(
        "Job",
        "work_order",
        "status = { path = \"s\", values = \"v\" }\npriority = { path = \"s\", values = \"v\" }",
    ) + "[values.v]\nA = \"opne\"\nB = \"unknown\"\n";
    assert_eq!(faults(&text).len(), 2);
}
