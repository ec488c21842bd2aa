use serde_json::{Value, json};
use wrenchtime_sandbox::corrigo::{OverCeiling, RowOrder};

use crate::support::{Desk, ids, options};

/// Every order, straight from the data.
fn truth<R>(
    desk: &Desk,
    pick: impl Fn(&wrenchtime_sandbox::plant::WorkOrder) -> Option<R>,
) -> Vec<R> {
    desk.sandbox.edit(|tenant| {
        tenant
            .plant()
            .work_orders
            .iter()
            .filter_map(&pick)
            .collect()
    })
}

#[tokio::test]
async fn each_operator_compares() {
    let desk = Desk::open(50).await;
    let range = |from: i64, to: i64| (from..=to).collect::<Vec<_>>();
    let cases = [
        ("Equal", json!([7]), vec![7]),
        ("equal", json!(["7"]), vec![7]),
        ("NotEqual", json!([1]), range(2, 50)),
        ("GreaterThan", json!([48]), range(49, 50)),
        ("GreaterOrEqual", json!([48]), range(48, 50)),
        ("LessThan", json!([3]), range(1, 2)),
        ("LessOrEqual", json!([3]), range(1, 3)),
        ("Between", json!([3, 5]), range(3, 5)),
        ("NotBetween", json!([3, 48]), vec![1, 2, 49, 50]),
        ("In", json!([9, 4, 4, 777]), vec![4, 9]),
        ("NotIn", json!((3..=50).collect::<Vec<_>>()), range(1, 2)),
        ("NotNull", json!([]), range(1, 50)),
        ("Null", json!([]), vec![]),
        (
            "Like",
            json!(["4%"]),
            vec![4, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49],
        ),
        ("NotLike", json!(["%"]), vec![]),
    ];
    for (operator, values, expected) in cases {
        assert_eq!(
            desk.ids("WorkOrder", "Id", operator, values).await,
            expected,
            "{operator}"
        );
    }
}

#[tokio::test]
async fn operators_with_the_wrong_number_of_values_are_refused() {
    let desk = Desk::open(1).await;
    for (operator, values) in [
        ("Equal", json!([])),
        ("Between", json!([1])),
        ("In", json!([])),
        ("Equal", json!([1, 2])),
    ] {
        let code = desk
            .refusal(
                "WorkOrder",
                json!({"Criteria": {"Conditions": [
            {"PropertyName": "Id", "Operator": operator, "Values": values}]}}),
            )
            .await;
        assert_eq!(code, "DATA_PARSING_ERROR", "{operator}");
    }
}

#[tokio::test]
async fn filters_nest() {
    let desk = Desk::open(80).await;
    let rows = desk
        .query("WorkOrder", json!({"PropertySet": {"Properties": ["Id"]}, "Criteria": {
            "Conditions": [{"PropertyName": "Id", "Operator": "GreaterThan", "Values": [10]}],
            "FilterOperator": "and",
            "Filters": [{
                "Conditions": [
                    {"PropertyName": "Id", "Operator": "LessThan", "Values": [13]},
                    {"PropertyName": "Id", "Operator": "Equal", "Values": [70]}],
                "FilterOperator": "OR",
                "Filters": [{"Conditions": [{"PropertyName": "Id", "Operator": "Between", "Values": [5, 14]}]}]}]}}))
        .await;
    assert_eq!(ids(&rows), [11, 12, 13, 14, 70]);
}

#[tokio::test]
async fn paths_in_conditions_cross_references_and_collections() {
    let desk = Desk::open(200).await;
    let emergencies = truth(&desk, |order| {
        (order.priority as u8 == 0).then_some(i64::from(order.id))
    });
    assert!(!emergencies.is_empty());
    assert_eq!(
        desk.ids("WorkOrder", "Priority.IsEmergency", "Equal", json!([true]))
            .await,
        emergencies
    );
    let asset = truth(&desk, |order| Some(order.asset))[0];
    let with_asset = truth(&desk, |order| {
        (order.asset == asset || order.second_asset == Some(asset)).then_some(i64::from(order.id))
    });
    assert_eq!(
        desk.ids("WorkOrder", "Items.Asset.Id", "Equal", json!([asset]))
            .await,
        with_asset
    );
    let last_start = desk
        .ids(
            "WorkOrder",
            "LastAction.LastAction.TypeId",
            "Equal",
            json!(["Complete"]),
        )
        .await;
    let completed = desk
        .ids("WorkOrder", "StatusId", "In", json!(["Completed"]))
        .await;
    assert_eq!(last_start, completed);
    let nobody = truth(&desk, |order| {
        order.assignee.is_none().then_some(i64::from(order.id))
    });
    assert_eq!(
        desk.ids("WorkOrder", "Employee", "Null", json!([])).await,
        nobody
    );
    assert_eq!(
        desk.ids("WorkOrder", "Employee.Id", "Null", json!([]))
            .await,
        nobody
    );
}

#[tokio::test]
async fn collections_repeat_rows_without_distinct() {
    let desk = Desk::open(1).await;
    let expression = json!({"PropertySet": {"Properties": ["Id"]}, "Criteria": {"Conditions": [
        {"PropertyName": "ContactAddresses.Address", "Operator": "Like", "Values": ["%"]},
        {"PropertyName": "Id", "Operator": "Equal", "Values": [101]}]}});
    assert_eq!(
        ids(&desk.query("Employee", expression.clone()).await),
        [101, 101]
    );
    let mut distinct = expression;
    distinct["Distinct"] = json!(true);
    assert_eq!(ids(&desk.query("Employee", distinct).await), [101]);
}

#[tokio::test]
async fn texts_ignore_case_and_nulls_match_nothing_but_null() {
    let desk = Desk::open(200).await;
    let number = truth(&desk, |order| Some(order.number.clone())).remove(3);
    assert_eq!(
        desk.ids(
            "WorkOrder",
            "Number",
            "Equal",
            json!([number.to_lowercase()])
        )
        .await,
        [4]
    );
    assert!(
        desk.ids("WorkOrder", "number", "Like", json!(["%00000%"]))
            .await
            .len()
            > 3
    );
    let scheduled = desk
        .ids("WorkOrder", "ScheduledStartUtc", "NotNull", json!([]))
        .await
        .len();
    let other = desk
        .ids(
            "WorkOrder",
            "ScheduledStartUtc",
            "NotEqual",
            json!(["2020-01-01"]),
        )
        .await
        .len();
    assert_eq!(other, scheduled);
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().not_finds_missing = true);
    assert_eq!(
        desk.ids(
            "WorkOrder",
            "ScheduledStartUtc",
            "NotEqual",
            json!(["2020-01-01"])
        )
        .await
        .len(),
        200
    );
}

#[tokio::test]
async fn dates_compare_with_and_without_zone() {
    let desk = Desk::open(200).await;
    let row = desk
        .get("base/WorkOrder/90?properties=LastActionDateUtc")
        .await
        .1["Data"]
        .clone();
    let at = row["LastActionDateUtc"].as_str().unwrap();
    let same = truth(&desk, |order| Some((order.id, order.status_changed_at)));
    let moment = same.iter().find(|(id, _)| *id == 90).unwrap().1;
    let after: Vec<i64> = {
        let mut ids: Vec<i64> = same
            .iter()
            .filter(|(_, at)| *at > moment)
            .map(|(id, _)| i64::from(*id))
            .collect();
        ids.sort_unstable();
        ids
    };
    for text in [at.to_owned(), format!("{at}Z"), moment.to_rfc3339()] {
        assert!(
            desk.ids("WorkOrder", "LastActionDateUtc", "Equal", json!([text]))
                .await
                .contains(&90)
        );
        assert_eq!(
            desk.ids(
                "WorkOrder",
                "LastActionDateUtc",
                "GreaterThan",
                json!([text])
            )
            .await,
            after
        );
    }
}

#[tokio::test]
async fn wrong_names_have_their_codes() {
    let desk = Desk::open(1).await;
    let property = |path: &str| json!({"PropertySet": {"Properties": [path]}});
    let condition = |path: &str| {
        json!({"Criteria": {"Conditions": [
        {"PropertyName": path, "Operator": "Equal", "Values": [1]}]}})
    };
    let order = |path: &str| json!({"Orders": [{"PropertyName": path, "OrderType": "Ascending"}]});
    for build in [property, condition, order] {
        assert_eq!(
            desk.refusal("WorkOrder", build("Nope")).await,
            "ERROR_CODE_1002"
        );
        assert_eq!(
            desk.refusal("WorkOrder", build("Priority.Nope")).await,
            "ERROR_CODE_1002"
        );
        assert_eq!(
            desk.refusal("WorkOrder", build("Number.Id")).await,
            "ERROR_CODE_1002"
        );
        assert_eq!(
            desk.refusal("WorkOrder", build("Priority")).await,
            "ERROR_CODE_1003"
        );
        assert_eq!(
            desk.refusal("WorkOrder", build("Items")).await,
            "ERROR_CODE_1003"
        );
    }
    let operator =
        json!({"Criteria": {"Conditions": [{"PropertyName": "Id", "Operator": "IsNull"}]}});
    assert_eq!(
        desk.refusal("WorkOrder", operator).await,
        "DATA_PARSING_ERROR"
    );
    let (status, body) = desk
        .post("query/WorkOrder", &json!({"RequestId": "r-9"}))
        .await;
    assert_eq!(
        (status, &body["ErrorCode"]),
        (400, &json!("EMPTY_INPUT_PARAMETER"))
    );
    assert_eq!(body["RequestId"], "r-9");
}

#[tokio::test]
async fn unknown_keys_are_ignored_and_request_ids_echoed() {
    let desk = Desk::open(3).await;
    let (status, body) = desk
        .post("query/WorkOrder", &json!({"requestid": 17, "Colour": "blue", "queryexpression": {
            "propertyset": {"properties": ["id"]}, "Order": [{"PropertyName": "Id", "Direction": "Descending"}]}}))
        .await;
    let rows: Vec<Value> = [1, 2, 3]
        .iter()
        .map(|id| json!({"Data": {"Id": id}}))
        .collect();
    assert_eq!(
        (status, body),
        (200, json!({"Entities": rows, "RequestId": 17}))
    );
    let (_, body) = desk
        .post(
            "query/WorkOrder",
            &json!({"QueryExpression": {"FirstResultIndex": 9}}),
        )
        .await;
    assert_eq!(body, json!({"Entities": []}));
}

#[tokio::test]
async fn orders_count_and_first_result_index_page() {
    let desk = Desk::open(30).await;
    let page = async |first: usize| {
        let rows = desk
            .query("WorkOrder", json!({"PropertySet": {"Properties": ["StatusId"]}, "Count": "7", "FirstResultIndex": first,
                "Orders": [{"PropertyName": "StatusId", "OrderType": "Descending"}, {"PropertyName": "Id"}]}))
            .await;
        rows.iter()
            .map(|row| {
                (
                    row["StatusId"].as_str().unwrap().to_owned(),
                    row["Id"].as_i64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for first in [0, 7, 14, 21, 28] {
        all.extend(page(first).await);
    }
    assert_eq!(all.len(), 30);
    let mut sorted = all.clone();
    sorted.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    assert_eq!(all, sorted);
}

#[tokio::test]
async fn rows_without_an_order_can_come_scrambled() {
    let desk = Desk::switched(40, |switches| switches.row_order = RowOrder::Scrambled).await;
    let rows = desk
        .query("WorkOrder", json!({"PropertySet": {"Properties": ["Id"]}}))
        .await;
    let mut found = ids(&rows);
    assert!(!found.is_sorted());
    found.sort_unstable();
    assert_eq!(found, (1..=40).collect::<Vec<i64>>());
}

#[tokio::test]
async fn ceiling_cuts_or_refuses() {
    let mut small = options(30);
    small.ceiling = 10;
    let desk = Desk::with(small).await;
    for count in [json!({}), json!({"Count": 0}), json!({"Count": 11})] {
        assert_eq!(desk.query("WorkOrder", count).await.len(), 10);
    }
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().over_ceiling = OverCeiling::Refuse);
    assert_eq!(
        desk.query("WorkOrder", json!({"Count": 10})).await.len(),
        10
    );
    assert_eq!(
        desk.refusal("WorkOrder", json!({"Count": 11})).await,
        "BUSINESS_LOGIC_ERROR"
    );
    assert_eq!(
        desk.refusal("WorkOrder", json!({"Count": -1})).await,
        "DATA_PARSING_ERROR"
    );
}
