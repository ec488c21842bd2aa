use serde_json::{Value, json};

use crate::support::Desk;

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn star_shows_scalars_and_references_but_no_children() {
    let desk = Desk::open(60).await;
    let (status, body) = desk.get("base/WorkOrder/1").await;
    assert_eq!(status, 200);
    let order = &body["Data"];
    assert_eq!(order["WorkOrderCost"], json!({"Id": 1}));
    assert_eq!(keys(&order["MainAsset"]), ["Id"]);
    assert_eq!(keys(&order["VendorNte"]), ["CurrencyTypeId", "Value"]);
    for hidden in [
        "Items",
        "Notes",
        "Assignments",
        "ContactAddress",
        "CustomFields",
        "Address",
    ] {
        assert!(order.get(hidden).is_none(), "{hidden}");
    }
    assert_eq!(keys(order).last(), Some(&"Id"));
}

#[tokio::test]
async fn nulls_are_left_out_except_integers_which_are_zero() {
    let desk = Desk::open(300).await;
    let order = desk.get("base/WorkOrder/1").await.1["Data"].clone();
    assert_eq!((&order["FlagId"], &order["WonId"]), (&json!(0), &json!(0)));
    let basics = desk
        .ids("WorkOrder", "TypeCategory", "Equal", json!(["Basic"]))
        .await;
    let basic = desk.get(&format!("base/WorkOrder/{}", basics[0])).await.1["Data"].clone();
    assert!(basic.get("Customer").is_none() && basic.get("ScheduledStartUtc").is_none());
    assert_eq!(
        basic["PoNumber"].as_str().map(str::is_empty),
        Some(true).filter(|_| basic["PoNumber"] == "")
    );
    let person = desk.get("base/Employee/101").await.1["Data"].clone();
    assert_eq!(person["DtPwdChange"], "1753-01-01T00:00:00");
    assert_eq!(
        (&person["LabelId"], &person["Password"]),
        (&json!(0), &json!(""))
    );
    assert_eq!(
        desk.ids("Employee", "LabelId", "Equal", json!([0])).await,
        [0_i64; 0]
    );
    assert!(
        !desk
            .ids("Employee", "LabelId", "Null", json!([]))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn dates_have_no_zone_and_locals_follow_the_work_zone() {
    let desk = Desk::open(300).await;
    let rows = desk
        .query(
            "WorkOrder",
            json!({"PropertySet": {"Properties": ["CreatedDateUtc", "DtCreated", "TimeZone"]}}),
        )
        .await;
    for row in &rows {
        let parse =
            |name: &str| -> chrono::NaiveDateTime { row[name].as_str().unwrap().parse().unwrap() };
        let hours = (parse("CreatedDateUtc") - parse("DtCreated")).num_hours();
        let (standard, summer) = match row["TimeZone"].as_i64().unwrap() {
            20 => (6, 5),
            35 => (5, 4),
            10 => (7, 6),
            other => panic!("time zone {other}"),
        };
        assert!(hours == standard || hours == summer, "{row}");
        let fraction = row["CreatedDateUtc"]
            .as_str()
            .unwrap()
            .split_once('.')
            .map_or("", |(_, tail)| tail);
        assert!(fraction.len() <= 3 && !fraction.ends_with('0'), "{row}");
    }
}

#[tokio::test]
async fn paths_go_through_references_children_and_collections() {
    let desk = Desk::open(60).await;
    let rows = desk
        .query("workorder", json!({"Count": 3, "PropertySet": {"Properties": [
            "number", "Items.*", "Items.Task.DisplayAs", "Priority.*", "WorkZone.Asset.Name", "WorkOrderCost.CostsTotal"]}}))
        .await;
    for row in rows {
        assert_eq!(
            keys(&row),
            [
                "Number",
                "WorkOrderCost",
                "Priority",
                "WorkZone",
                "Items",
                "Id"
            ]
        );
        assert_eq!(keys(&row["WorkOrderCost"]), ["Id", "CostsTotal"]);
        assert_eq!(
            row["Priority"]["DisplayAs"].as_str().map(str::is_empty),
            Some(false)
        );
        let item = &row["Items"][0];
        assert_eq!(keys(&item["Task"]), ["DisplayAs", "Id"]);
        assert_eq!(keys(&item["Asset"]), ["Id"]);
        assert_eq!(item["WorkOrderId"], row["Id"]);
        assert_eq!(keys(&row["WorkZone"]), ["Asset", "Id"]);
    }
}

#[tokio::test]
async fn actor_references_carry_their_type() {
    let desk = Desk::open(200).await;
    let rows = desk
        .query(
            "WoActionLog",
            json!({"Criteria": {"Conditions": [
        {"PropertyName": "TypeId", "Operator": "Equal", "Values": ["Assign"]}]}}),
        )
        .await;
    let types: std::collections::BTreeSet<_> = rows
        .iter()
        .map(|row| row["Actor"]["TypeId"].as_str().unwrap())
        .collect();
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        ["Employee", "Provider"]
    );
}

#[tokio::test]
async fn tree_holds_every_pair_and_hides_parents_elsewhere() {
    let desk = Desk::open(1).await;
    let root = desk.get("base/WorkZone/1").await.1["Data"]["Asset"]["Id"]
        .as_i64()
        .unwrap();
    let rows = desk
        .query("AssetTree", json!({"PropertySet": {"Properties": ["*", "Child.*", "Child.Info.*"]},
            "Criteria": {"Conditions": [{"PropertyName": "ParentId", "Operator": "Equal", "Values": [root]}]}}))
        .await;
    let deepest = rows
        .iter()
        .map(|row| row["Distance"].as_i64().unwrap())
        .max();
    assert_eq!(
        deepest,
        Some(5),
        "root, building, floor, room, machine, component"
    );
    for row in &rows {
        assert_eq!(keys(row)[0], "Id");
        assert_eq!(row["Id"], row["ParentId"]);
        assert_eq!(row["Child"]["Id"], row["ChildId"]);
        assert_eq!(row["Child"]["Info"]["Id"], row["ChildId"]);
        assert_eq!(
            (&row["Child"]["ParentId"], &row["Child"]["RootId"]),
            (&json!(0), &json!(0))
        );
    }
    let own = rows
        .iter()
        .find(|row| row["ChildId"] == json!(root))
        .unwrap();
    assert_eq!(own["Distance"], 0);
    let (status, body) = desk
        .get(&format!(
            "base/AssetTree?id={{\"ParentId\":{root},\"ChildId\":{root}}}"
        ))
        .await;
    assert_eq!((status, &body["Data"]["Distance"]), (200, &json!(0)));
}

#[tokio::test]
async fn one_record_comes_by_path_and_by_parameter() {
    let desk = Desk::open(10).await;
    let by_path = desk
        .get("base/WorkOrder/7?properties=Number,Priority.Id")
        .await;
    assert_eq!(keys(&by_path.1["Data"]), ["Number", "Priority", "Id"]);
    assert_eq!(
        desk.get("BASE/workorder?ID=7&properties=Number,Priority.Id")
            .await,
        by_path
    );
    let (status, body) = desk.get("base/WorkOrder/999999?requestId=r-1").await;
    assert_eq!(
        (status, &body["ErrorCode"]),
        (400, &json!("ERROR_CODE_1019"))
    );
    assert_eq!(body["RequestId"], "r-1");
    assert!(body["TimeStamp"].as_str().unwrap().ends_with("0000000Z"));
    assert_eq!(
        desk.get("base/WorkOrder").await.1["ErrorCode"],
        "IDENTIFIER_NOT_FOUND"
    );
    assert_eq!(
        desk.get("base/WorkOrder/abc").await.1["ErrorCode"],
        "DATA_PARSING_ERROR"
    );
}

#[tokio::test]
async fn removed_rows_come_marked() {
    let desk = Desk::open(10).await;
    for (entity, kind) in [("Employee", "Employee"), ("Employee", "Provider")] {
        let rows = desk
            .query(
                entity,
                json!({"Criteria": {"Conditions": [
                {"PropertyName": "IsRemoved", "Operator": "Equal", "Values": [true]},
                {"PropertyName": "ActorTypeId", "Operator": "Equal", "Values": [kind]}]}}),
            )
            .await;
        assert_eq!(rows.len(), 1, "{kind}");
        assert!(
            rows[0]["DisplayAs"]
                .as_str()
                .unwrap()
                .ends_with(" (deleted)")
        );
    }
    let product = desk
        .query(
            "Product",
            json!({"Criteria": {"Conditions": [
        {"PropertyName": "IsRemoved", "Operator": "Equal", "Values": ["true"]}]}}),
        )
        .await;
    assert_eq!(product.len(), 1);
    let orphans = desk
        .query(
            "Location",
            json!({"Criteria": {"Conditions": [
        {"PropertyName": "Orphan", "Operator": "Equal", "Values": [true]}]}}),
        )
        .await;
    assert_eq!((orphans.len(), &orphans[0]["IsOffline"]), (1, &json!(true)));
    let above = desk
        .ids("AssetTree", "ChildId", "Equal", json!([orphans[0]["Id"]]))
        .await;
    assert_eq!(above.len(), 1, "an orphan is below itself only");
}

#[tokio::test]
async fn other_operations_are_refused_with_the_vendors_codes() {
    let desk = Desk::open(1).await;
    let code = |reply: (u16, Value)| (reply.0, reply.1["ErrorCode"].as_str().unwrap().to_owned());
    let is = |status, text: &str| (status, text.to_owned());
    let entity = json!({"Entity": {}, "RequestId": "r"});
    assert_eq!(
        code(desk.post("base/workorder", &entity).await),
        is(400, "CUSTOM_COMMAND_ERROR")
    );
    assert_eq!(
        code(desk.post("base/TimeCard", &entity).await),
        is(400, "ERROR_CODE_1000")
    );
    assert_eq!(
        code(desk.post("cmd/WoCopyCommand", &entity).await),
        is(400, "COMMAND_NOT_FOUND")
    );
    assert_eq!(
        code(desk.post("query/Nonsense", &entity).await),
        is(400, "ENTITY_NOT_FOUND")
    );
    assert_eq!(
        code(desk.get("base/Turn/1").await),
        is(400, "ERROR_CODE_1000")
    );
    assert_eq!(code(desk.get("nonsense").await), is(404, "NOT_FOUND"));
    let put = desk
        .http
        .put(desk.url("base/WorkOrder/1"))
        .bearer_auth(&desk.token);
    let put = put
        .header("CompanyName", desk.sandbox.company())
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 405);
    let delete = desk
        .http
        .delete(desk.url("base/WorkOrder/1"))
        .bearer_auth(&desk.token);
    let delete = delete
        .header("CompanyName", desk.sandbox.company())
        .send()
        .await
        .unwrap();
    assert_eq!(
        delete.json::<Value>().await.unwrap()["ErrorCode"],
        "ERROR_CODE_1000"
    );
}

#[tokio::test]
async fn costs_belong_to_their_order() {
    let desk = Desk::open(400).await;
    let rows = desk
        .query(
            "WorkOrderCost",
            json!({"PropertySet": {"Properties": ["*", "Items.*"]}}),
        )
        .await;
    let mut kinds = std::collections::BTreeSet::new();
    for row in &rows {
        assert_eq!(keys(row)[0], "Id");
        let lines = row["Items"].as_array().unwrap();
        let total: f64 = lines
            .iter()
            .map(|line| line["Amount"]["Value"].as_f64().unwrap())
            .sum();
        assert!(
            (total - row["CostsTotal"]["Value"].as_f64().unwrap()).abs() < 0.001,
            "{row}"
        );
        kinds.extend(
            lines
                .iter()
                .map(|line| line["CostCategoryId"].as_str().unwrap()),
        );
        for line in lines {
            assert_eq!(line["WoId"], row["Id"]);
        }
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["Labor", "Material", "Vendor"]
    );
}

#[tokio::test]
async fn paths_into_entities_without_rows_are_no_errors() {
    let desk = Desk::open(3).await;
    let row = desk
        .get("base/WorkOrder/1?properties=*,RequestorContact.DisplayAs,Documents.*,Flags.*,Owner.DisplayAs")
        .await;
    assert_eq!(row.0, 200);
    assert_eq!(row.1["Data"]["Documents"], json!([]));
    assert!(row.1["Data"].get("RequestorContact").is_none());
    assert!(desk.query("Contact", json!({})).await.is_empty());
    assert!(
        desk.ids("WorkOrder", "Documents.Title", "Equal", json!(["x"]))
            .await
            .is_empty()
    );
}
