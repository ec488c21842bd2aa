//! What the default mapping makes of rows.

use serde_json::{Value, json};
use wrenchtime_connector::{Factory, Mapper};
use wrenchtime_express_maintenance::ExpressMaintenanceFactory;
use wrenchtime_mapping::{Functions, Mapping};
use wrenchtime_model::ConnectionId;

use crate::folder::{Exports, all, documents};

pub(crate) fn compiled(factory: &ExpressMaintenanceFactory) -> Mapping {
    Mapping::compile(
        factory.default_mapping(),
        factory.info(),
        &Functions::builtin(),
    )
    .unwrap()
}

/// Shows the records of a stream in a folder opened with a zone or without.
async fn records(exports: &Exports, stream: &str, zone: &[(&str, &str)]) -> Vec<Value> {
    let connection: ConnectionId = "0190d9a0-0000-7000-8000-000000000001".parse().unwrap();
    let mapping = compiled(exports.factory());
    let page = all(&*exports.connect(zone).unwrap(), stream).await;
    let mapped = documents(&page)
        .iter()
        .flat_map(|document| mapping.map(connection, document).unwrap());
    mapped
        .map(|record| {
            let content: Value = serde_json::from_str(record.content.get()).unwrap();
            json!({
                "id": record.id,
                "resource": record.resource,
                "remote_key": record.remote_key,
                "remote_created_at": record.remote_created_at,
                "content": content,
            })
        })
        .collect()
}

const CHICAGO: &[(&str, &str)] = &[("time_zone", "America/Chicago")];

fn plant() -> Exports {
    let exports = Exports::headers();
    exports.append(
        "units.csv",
        "31,CNC-01,Haas lathe,,Main,Hall 1,Machine tool,CNC,Down,Haas,ST-20,SN-9,07/04/2029,01/01/1753\r\n\
         32,CNC-01 Spindle,,CNC-01,Main,Hall 1,,Component,Sold,,,,2029,\r\n",
    );
    exports.append(
        "work_orders.csv",
        "901,WO-17,CNC-01,Main,Hall 1,Acme Supply,07/04/2031 08:00,07/04/2031 08:15,07/04/2031 09:45,REQ-5,Demand,\
         Mechanical,Done,07/03/2031 16:30,1,Operator,J. Doe,Mechanics,R. Roe,Coolant leaks,\
         \"Hose replaced.\r\nTested for an hour.\",1.5,118.40\r\n\
         902,WO-17,GONE-1,Main,,,07/32/2031 08:00,,,,Calibration,,Waiting,07/03/2031 16:30,,,,,,,,two,\"1,200\"\r\n",
    );
    exports.append(
        "parts.csv",
        "5,BRG-6204          ,Bearing 6204,  ,Mechanical,ACME SUPPLY,9,AC-6204,SKF ,6204-2RS,ea,12,4,0,7.95,,Y,\
         \"greased\r\nfor life\",Main,Store,B-3\r\n6,BRG-6204,,,,,,,,,,few,,,,,?,,,,\r\n",
    );
    exports.append(
        "vendors.csv",
        "9,Acme Supply,12 Dock Rd,Springfield,IL,555-0100,orders@acme.example\r\n",
    );
    exports.append(
        "purchase_orders.csv",
        "PO-1,05/01/2031,Stock,Acme Supply,A-77,05/20/2031,Open\r\nPO-2,soon,,Nobody,,,Lost\r\n",
    );
    exports.append(
        "purchase_order_lines.csv",
        "PO-1,1,5,BRG-6204,Bearing 6204,20,7.50,8\r\nPO-1,2,,,Freight,1,15.00,\r\n",
    );
    exports
}

#[tokio::test]
async fn units_become_assets() {
    insta::assert_json_snapshot!(records(&plant(), "units-snapshot", CHICAGO).await);
}

#[tokio::test]
async fn work_orders_stay_work_orders() {
    insta::assert_json_snapshot!(records(&plant(), "work-orders-snapshot", CHICAGO).await);
}

#[tokio::test]
async fn times_without_a_zone_are_no_times() {
    let records = records(&plant(), "work-orders-snapshot", &[]).await;
    let content = &records[0]["content"];
    assert_eq!(content.get("completed_at"), None);
    assert_eq!(
        content["status"], "completed",
        "that it is done is known all the same"
    );
    let issues = content["data_issues"].as_array().unwrap();
    let raw = |issue: &Value| (issue["field"].clone(), issue["raw"].clone());
    assert!(
        issues
            .iter()
            .map(raw)
            .any(|issue| issue == (json!("completed_at"), json!("07/04/2031 09:45"))),
        "{issues:?}"
    );
}

#[tokio::test]
async fn parts_stay_parts() {
    insta::assert_json_snapshot!(records(&plant(), "parts-snapshot", CHICAGO).await);
}

#[tokio::test]
async fn vendors_stay_vendors() {
    insta::assert_json_snapshot!(records(&plant(), "vendors-snapshot", CHICAGO).await);
}

#[tokio::test]
async fn purchase_orders_have_their_lines() {
    insta::assert_json_snapshot!(records(&plant(), "purchase-orders-snapshot", CHICAGO).await);
}

#[tokio::test]
async fn a_number_by_other_rules_becomes_a_data_issue() {
    let exports = plant();
    let profile = wrenchtime_express_maintenance::Profile::DEFAULT
        .replace("decimal_sign = \".\"", "decimal_sign = \",\"");
    let records = records(&exports, "parts-snapshot", &[("profile", &profile)]).await;
    let content = &records[0]["content"];
    assert_eq!(content.get("unit_cost"), None);
    let fields: Vec<&Value> = content["data_issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| &issue["field"])
        .collect();
    assert_eq!(fields, ["unit_cost"]);
}
