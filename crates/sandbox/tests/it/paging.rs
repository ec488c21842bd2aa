use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Desk, ids};

#[tokio::test]
async fn row_4001_is_on_the_next_page() {
    let desk = Desk::open(4001).await;
    let page = |first: usize| {
        json!({"PropertySet": {"Properties": ["Id"]}, "Orders": [{"PropertyName": "Id", "OrderType": "Ascending"}],
            "Count": 5000, "FirstResultIndex": first})
    };
    let first = ids(&desk.query("WorkOrder", page(0)).await);
    assert_eq!(
        (first.len(), first.first(), first.last()),
        (4000, Some(&1), Some(&4000))
    );
    assert_eq!(ids(&desk.query("WorkOrder", page(4000)).await), [4001]);
    assert!(desk.query("WorkOrder", page(4001)).await.is_empty());
}

/// Follows (time, Id) to the end and returns the pages' rows.
async fn follow(desk: &Desk, entity: &str, time: &str, count: usize) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let criteria = all.last().map_or(json!({}), |last| {
            json!({"FilterOperator": "Or",
                "Conditions": [{"PropertyName": time, "Operator": "GreaterThan", "Values": [last[time]]}],
                "Filters": [{"Conditions": [
                    {"PropertyName": time, "Operator": "Equal", "Values": [last[time]]},
                    {"PropertyName": "Id", "Operator": "GreaterThan", "Values": [last["Id"]]}]}]})
        });
        let page = desk
            .query(entity, json!({"PropertySet": {"Properties": ["Id", time]}, "Criteria": criteria, "Count": count,
                "Orders": [{"PropertyName": time, "OrderType": "Ascending"}, {"PropertyName": "Id", "OrderType": "Ascending"}]}))
            .await;
        let full = page.len() == count;
        all.extend(page);
        if !full {
            return all;
        }
    }
}

#[tokio::test]
async fn large_tables_are_not_read_again_for_each_page() {
    const ROWS: u64 = 100_000;
    let desk = Desk::open(100_000).await;
    let mut last = 0;
    let mut seen = 0;
    loop {
        let page = desk
            .query("WorkOrder", json!({"PropertySet": {"Properties": ["Id"]}, "Count": 4000,
                "Orders": [{"PropertyName": "Id", "OrderType": "Ascending"}],
                "Criteria": {"Conditions": [{"PropertyName": "Id", "Operator": "GreaterThan", "Values": [last]}]}}))
            .await;
        let Some(end) = ids(&page).last().copied() else {
            break;
        };
        seen += page.len() as u64;
        last = end;
    }
    assert_eq!((seen, desk.sandbox.rows_scanned()), (ROWS, ROWS));

    desk.sandbox.reset_requests();
    let rows = follow(&desk, "WorkOrder", "LastActionDateUtc", 4000).await;
    let found: BTreeSet<i64> = ids(&rows).into_iter().collect();
    assert_eq!((rows.len() as u64, found.len() as u64), (ROWS, ROWS));
    // A page begins with the rows of the instant at which the last one ended.
    assert!(
        desk.sandbox.rows_scanned() < ROWS + ROWS / 100,
        "{}",
        desk.sandbox.rows_scanned()
    );

    desk.sandbox.reset_requests();
    let few = desk
        .ids(
            "WorkOrder",
            "Id",
            "In",
            json!([5, 77_777, 99_999, 1_000_000]),
        )
        .await;
    assert_eq!(
        (few, desk.sandbox.rows_scanned()),
        (vec![5, 77_777, 99_999], 3)
    );
    desk.sandbox.reset_requests();
    let log = desk
        .query(
            "WoActionLog",
            json!({"Criteria": {"Conditions": [
        {"PropertyName": "WorkOrderId", "Operator": "In", "Values": [5, 6]}]}}),
        )
        .await;
    assert_eq!(desk.sandbox.rows_scanned(), log.len() as u64);
}

#[tokio::test]
async fn keyset_over_ties_finds_each_row_once() {
    let desk = Desk::open(60).await;
    desk.sandbox.edit(|tenant| {
        for id in 11..=50 {
            tenant.change_work_order_status(id, wrenchtime_sandbox::plant::Status::OnHold);
        }
    });
    let mut found = ids(&follow(&desk, "WorkOrder", "LastActionDateUtc", 7).await);
    found.sort_unstable();
    assert_eq!(found, (1..=60).collect::<Vec<i64>>());
    let log = follow(&desk, "WoActionLog", "SystemDateUtc", 9).await;
    let all = desk
        .query(
            "WoActionLog",
            json!({"PropertySet": {"Properties": ["Id"]}}),
        )
        .await;
    assert_eq!(ids(&log), ids(&all));
}

#[tokio::test]
async fn a_time_window_looks_at_its_rows_only() {
    let desk = Desk::open(5000).await;
    let rows = desk
        .query("WorkOrder", json!({"PropertySet": {"Properties": ["Id"]}, "Criteria": {"Conditions": [
            {"PropertyName": "LastActionDateUtc", "Operator": "GreaterOrEqual", "Values": ["2026-05-20T00:00:00"]}]}}))
        .await;
    assert!(!rows.is_empty() && rows.len() < 500);
    assert_eq!(desk.sandbox.rows_scanned(), rows.len() as u64);
    assert!(ids(&rows).is_sorted());
}
