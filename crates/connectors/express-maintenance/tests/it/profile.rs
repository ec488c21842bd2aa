//! Profiles that do not fit, and what is told about them.

use wrenchtime_connector::{ConnectorInfo, Factory};
use wrenchtime_express_maintenance::Profile;

use crate::folder::{Exports, VENDORS};

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let faults = Profile::parse(text).unwrap_err().faults;
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "`{expected}` is not in: {fault}");
    }
}

/// Replaces part of a profile that fits.
#[track_caller]
fn broken(from: &str, to: &str, expected: &[&str]) {
    assert!(
        Profile::DEFAULT.contains(from),
        "`{from}` is not in the default profile"
    );
    check(&Profile::DEFAULT.replacen(from, to, 1), expected);
}

#[test]
fn the_default_fits() {
    Profile::parse(Profile::DEFAULT).unwrap();
    Profile::parse(VENDORS).unwrap();
}

#[test]
fn keys_that_no_profile_has_are_told_with_their_place() {
    check(
        "format = 1\nformt = 2\n[entities]\n",
        &["line 2, column 1: unknown field `formt`"],
    );
    check(
        "format = 1\n[entities.unit]\n",
        &["line 2, column 11: unknown field `unit`"],
    );
    check("format = \n", &["line 1, column "]);
    broken(
        "type = \"yes_no\"",
        "type = \"bool\"",
        &["unknown variant `bool`"],
    );
    broken(
        "Shelf = \"Shelf\"",
        "Shelf = { column = \"Shelf\", kind = \"text\" }",
        &["unknown field `kind`"],
    );
    broken(
        "in = \"vendors\"",
        "im = \"vendors\"",
        &["unknown field `im`"],
    );
}

#[test]
fn what_is_needed_is_asked_for() {
    check("format = 1\n", &["missing field `entities`"]);
    check("format = 1\n[entities]\n", &["at least one is needed"]);
    check(
        &VENDORS.replace("[\"Id\"]", "[]"),
        &["entities.vendors.key: at least one field is needed"],
    );
}

#[test]
fn signs_and_formats_are_checked() {
    broken("format = 1", "format = 2", &["format: 2 is not known"]);
    broken(
        "settle_seconds = 10",
        "settle_seconds = 301",
        &["settle_seconds: 301 is more than 300, the longest that a sync waits"],
    );
    broken(
        "encoding = \"utf-8\"",
        "encoding = \"windows-1252\"",
        &["`windows-1252` cannot be read yet, export the files as utf-8"],
    );
    broken(
        "delimiter = \",\"",
        "delimiter = \"::\"",
        &["delimiter: must be one ASCII sign"],
    );
    broken(
        "delimiter = \",\"",
        "delimiter = '\"'",
        &["quote: must differ from the delimiter"],
    );
    broken(
        "decimal_sign = \".\"",
        "decimal_sign = \"1\"",
        &["decimal_sign: must be one sign"],
    );
    broken(
        "decimal_sign = \".\"",
        "decimal_sign = \".\"\ngroup_sign = \".\"",
        &["group_sign: must differ"],
    );
    broken(
        "\"%m/%d/%Y\", ",
        "\"%m/%d\", \"%H:%M\", \"%Q\", ",
        &["`%m/%d` does not", "`%H:%M` does not", "`%Q` does not"],
    );
    broken(
        "\"%m/%d/%Y %H:%M\"",
        "\"%m/%d/%Y\"",
        &["`%m/%d/%Y` does not tell a day and a time"],
    );
    broken(
        "format = 1",
        "format = 1\ntime_zone = \"Europe/Berln\"",
        &["did you mean `Europe/Berlin`?"],
    );
    broken(
        "format = 1",
        "format = 1\nidentity = \" \"",
        &["identity: is blank"],
    );
}

#[test]
fn names_are_checked_against_the_columns() {
    broken(
        "key = [\"RecordNumber\"]",
        "key = [\"Recordnumber\"]",
        &[
            "entities.units.key: there is no field `Recordnumber` under columns; did you mean `RecordNumber`?",
        ],
    );
    broken(
        "match = { Parent = \"Unit\" }",
        "match = { Parnt = \"Unitt\" }",
        &[
            "entities.units.lookups.ParentKey.match: there is no field `Parnt` under columns; did you mean `Parent`?",
            "there is no field `Unitt` under columns; did you mean `Unit`?",
        ],
    );
    broken(
        "in = \"units\"",
        "in = \"unit\"",
        &["the profile has no entity `unit`; did you mean `units`?"],
    );
    broken(
        "match = { Parent = \"Unit\" }",
        "match = {}",
        &["ParentKey.match: at least one field is needed"],
    );
    broken(
        "field = \"Class\"",
        "field = \"Clas\"",
        &["codes.StatusCode.field: there is no field `Clas`"],
    );
    broken(
        "present = \"StartedDate\"",
        "present = \"Started\"",
        &["codes.StatusCode.when: there is no field `Started`"],
    );
    broken(
        "match = { Porder = \"Numbered\" }",
        "match = { Order = \"Number\" }",
        &["no field `Order`", "no field `Number`"],
    );
    broken(
        "ParentKey = {",
        "Parent = {",
        &["entities.units: the field `Parent` is named twice"],
    );
}

#[test]
fn entities_are_not_looked_up_in_each_other() {
    broken(
        "[entities.parts.lookups]",
        "[entities.vendors.lookups]\nPartKey = { in = \"parts\", match = { Name = \"Numbered\" } }\n[entities.parts.lookups]",
        &["lookups: they lead in a circle, so that nothing can be read first: parts, vendors"],
    );
}

#[test]
fn what_is_looked_up_in_is_declared_as_joined() {
    let exports = Exports::headers();
    let joins = |info: &ConnectorInfo| -> Vec<String> {
        let entities = info.entities.iter();
        entities
            .map(|entity| format!("{} {:?}", entity.name, entity.joins))
            .collect()
    };
    let expected = [
        "units []",
        "work_orders [EntityName(units)]",
        "parts [EntityName(vendors)]",
        "vendors []",
        "purchase_orders [EntityName(vendors)]",
    ];
    assert_eq!(joins(exports.factory().info()), expected);
    assert_eq!(joins(exports.chicago().info()), expected);
    assert_eq!(joins(exports.of_vendors().info()), ["vendors []"]);
}

#[test]
fn codes_are_checked_against_the_model() {
    broken(
        "unified = \"priority\"",
        "unified = \"prioritty\"",
        &["`prioritty` is no code of a work_order; did you mean `priority`?"],
    );
    broken(
        "unified = \"priority\"",
        "unified = \"number\"",
        &["`number` is no code of a work_order"],
    );
    broken(
        "code = \"completed\"",
        "code = \"complete\"",
        &["`complete` is no status; did you mean `completed`?"],
    );
    broken(
        "map = {}",
        "map = { \"A\" = \"high\", \"a \" = \"low\" }",
        &["stands twice, case does not count"],
    );
    broken(
        "map = {}",
        "map = { \"1\" = \"urgent\" }",
        &["PriorityCode: `urgent` is no priority"],
    );
}

#[test]
fn files_are_plain_names() {
    for name in [
        "../units.csv",
        "a/units.csv",
        "",
        " units.csv",
        "a\\\\b.csv",
    ] {
        let to = format!("file = \"{name}\"");
        broken("file = \"units.csv\"", &to, &["entities.units.file:"]);
    }
    broken(
        "Unit = \"Unit\"",
        "Unit = \" \"",
        &["entities.units.columns.Unit: the header is blank"],
    );
}

#[test]
fn every_fault_is_told_at_once() {
    let text = VENDORS
        .replace("format = 1", "format = 3\nencoding = \"utf-16\"")
        .replace("[\"Id\"]", "[\"No\"]");
    check(
        &text,
        &[
            "format: 3",
            "encoding: `utf-16`",
            "key: there is no field `No`",
        ],
    );
}
