use std::{collections::BTreeMap, path::Path};

use wrenchtime_sandbox::{
    express_maintenance::{ExportOptions, export},
    plant::{Plant, PlantOptions},
};

fn read(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn written(plant: &Plant, options: &ExportOptions) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    export(plant, folder.path(), options).unwrap();
    folder
}

#[test]
fn files_hold_what_the_plant_holds() {
    let mut plant = Plant::generate(&PlantOptions::new(1, 300));
    plant.mutate(1, plant.now);
    let folder = written(&plant, &ExportOptions::default());
    let count = |name| read(folder.path(), name).len();
    assert_eq!(
        count("units.csv"),
        plant.assets.iter().filter(|row| !row.removed).count()
    );
    assert_eq!(
        count("work_orders.csv"),
        plant.work_orders.iter().filter(|row| !row.removed).count()
    );
    assert_eq!(
        count("parts.csv"),
        plant.parts.iter().filter(|row| !row.removed).count()
    );
    assert_eq!(
        count("vendors.csv"),
        plant.vendors.iter().filter(|row| !row.removed).count()
    );
    let live: Vec<_> = plant
        .purchase_orders
        .iter()
        .filter(|row| !row.removed)
        .collect();
    assert_eq!(count("purchase_orders.csv"), live.len());
    assert_eq!(
        count("purchase_order_lines.csv"),
        live.iter().map(|row| row.lines.len()).sum::<usize>()
    );
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 6, "no temporary file stays behind");
    for row in read(folder.path(), "work_orders.csv") {
        let order = plant
            .work_order(row["RecordNumber"].parse().unwrap())
            .unwrap();
        assert_eq!(row["Description"], order.description);
        assert_eq!(
            row["CompletedDate"].is_empty(),
            order.completed_at.is_none()
        );
        assert_eq!(
            row["Cost"].parse::<rust_decimal::Decimal>().unwrap(),
            order.total_cost()
        );
    }
}

#[test]
fn parts_show_the_dirt_of_real_tables() {
    let plant = Plant::generate(&PlantOptions::new(1, 1));
    let rows = read(
        written(&plant, &ExportOptions::default()).path(),
        "parts.csv",
    );
    assert!(rows.iter().all(|row| row["Numbered"].chars().count() == 50));
    assert!(rows.iter().any(|row| row["CategoryID"] == "  "));
    assert!(
        rows.iter()
            .any(|row| row["NotesText"].contains("\r\n") && row["NotesText"].contains('"'))
    );
    assert!(
        rows.iter().any(|row| row["CurrentCost"].is_empty())
            && rows.iter().any(|row| row["MaxOnHand"] == "0")
    );
    assert!(
        rows.iter()
            .all(|row| row["Taxable"] == "Y" || row["Taxable"] == "N")
    );
    let mut spellings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row["VendorID"].is_empty()) {
        spellings
            .entry(&row["VendorID"])
            .or_default()
            .push(&row["Vendor"]);
    }
    assert!(
        spellings
            .values()
            .any(|names| names.iter().any(|name| name != &names[0]))
    );
    let numbers: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row["Numbered"].as_str()).collect();
    assert!(numbers.len() < rows.len(), "part numbers are not unique");
    let mut clean = ExportOptions::default();
    clean.dirt = false;
    let rows = read(written(&plant, &clean).path(), "parts.csv");
    assert!(
        rows.iter()
            .all(|row| row["Numbered"].trim_end() == row["Numbered"])
    );
}

#[test]
fn times_are_local_and_without_zone() {
    let plant = Plant::generate(&PlantOptions::new(1, 200));
    for row in read(
        written(&plant, &ExportOptions::default()).path(),
        "work_orders.csv",
    ) {
        let order = plant
            .work_order(row["RecordNumber"].parse().unwrap())
            .unwrap();
        let local = order.created_at.with_timezone(&chrono_tz::America::Chicago);
        assert_eq!(row["CreatedOn"], local.format("%m/%d/%Y %H:%M").to_string());
    }
}

#[test]
fn an_export_replaces_the_last_one() {
    let mut plant = Plant::generate(&PlantOptions::new(1, 5));
    let folder = written(&plant, &ExportOptions::default());
    let before = std::fs::read(folder.path().join("vendors.csv")).unwrap();
    export(&plant, folder.path(), &ExportOptions::default()).unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("vendors.csv")).unwrap(),
        before
    );
    plant.rename_vendor(plant.vendors[0].id, "Other, Name");
    export(&plant, folder.path(), &ExportOptions::default()).unwrap();
    assert_eq!(read(folder.path(), "vendors.csv")[0]["Name"], "Other, Name");
}
