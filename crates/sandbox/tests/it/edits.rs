use std::time::Duration;

use serde_json::{Value, json};
use wrenchtime_sandbox::plant::{Priority, Status};

use crate::support::Desk;

async fn order(desk: &Desk, id: u32) -> Value {
    desk.get(&format!("base/WorkOrder/{id}")).await.1["Data"].clone()
}

async fn log(desk: &Desk, id: u32) -> Vec<Value> {
    desk.query(
        "WoActionLog",
        json!({"Criteria": {"Conditions": [
        {"PropertyName": "WorkOrderId", "Operator": "Equal", "Values": [id]}]}}),
    )
    .await
}

#[tokio::test]
async fn status_moves_last_action_and_writes_the_log() {
    let desk = Desk::open(20).await;
    let before = order(&desk, 5).await;
    let rows = log(&desk, 5).await.len();
    desk.sandbox
        .clock()
        .advance(Duration::from_micros(1_234_567));
    assert!(
        desk.sandbox
            .edit(|tenant| tenant.change_work_order_status(5, Status::OnHold))
    );
    let after = order(&desk, 5).await;
    assert_eq!(
        (&after["StatusId"], &after["LastActionDateUtc"]),
        (&json!("OnHold"), &json!("2026-06-01T12:00:01.235"))
    );
    assert_eq!(
        after["ConcurrencyId"].as_i64(),
        before["ConcurrencyId"].as_i64().map(|id| id + 1)
    );
    let log = log(&desk, 5).await;
    assert_eq!(log.len(), rows + 1);
    let row = log.last().unwrap();
    assert_eq!(
        (&row["TypeId"], &row["SystemDateUtc"]),
        (&json!("OnHold"), &after["LastActionDateUtc"])
    );
    let reason = desk
        .get(&format!(
            "base/WoActionReasonLookup/{}",
            row["ActionReasonId"]
        ))
        .await;
    assert_eq!(
        (reason.0, &reason.1["Data"]["ActionId"]),
        (200, &json!("OnHold"))
    );
}

#[tokio::test]
async fn other_changes_leave_last_action() {
    let desk = Desk::open(20).await;
    let before = order(&desk, 5).await;
    let rows = log(&desk, 5).await.len();
    desk.sandbox.edit(|tenant| {
        assert!(tenant.note_work_order(5, "called back"));
        assert!(tenant.assign_work_order(5, Some(105)));
        assert!(tenant.set_work_order_priority(5, Priority::Emergency));
        assert!(tenant.set_work_order_due(5, "2026-07-01T00:00:00Z".parse().unwrap()));
        assert!(tenant.charge_work_order(5, 120.into()));
    });
    let after = order(&desk, 5).await;
    assert_eq!(after["LastActionDateUtc"], before["LastActionDateUtc"]);
    assert_eq!(
        (&after["Employee"]["Id"], &after["DueDateUtc"]),
        (&json!(105), &json!("2026-07-01T00:00:00"))
    );
    let types: Vec<Value> = log(&desk, 5).await[rows..]
        .iter()
        .map(|row| row["TypeId"].clone())
        .collect();
    assert_eq!(
        types,
        [
            "Note",
            "Assign",
            "PriorityChanged",
            "DueDateChanged",
            "CostStatus"
        ]
    );
    desk.sandbox
        .edit(|tenant| assert!(tenant.edit_work_order_text(5, "corrected")));
    assert_eq!(
        log(&desk, 5).await.len(),
        rows + 5,
        "an edit of the text leaves no trace"
    );
    let edited = desk
        .get("base/WorkOrder/5?properties=Items.Comment,ConcurrencyId")
        .await
        .1["Data"]
        .clone();
    assert_eq!(edited["Items"][0]["Comment"], "corrected");
    assert_eq!(
        edited["ConcurrencyId"].as_i64(),
        after["ConcurrencyId"].as_i64().map(|id| id + 1)
    );
}

#[tokio::test]
async fn new_orders_take_the_next_number_and_are_found_by_time() {
    let desk = Desk::open(20).await;
    let id = desk.sandbox.edit(|tenant| {
        let asset = tenant.plant().assets[0].id;
        tenant.add_work_order(asset, "rattles").unwrap()
    });
    assert_eq!(id, 21);
    let found = desk
        .ids(
            "WorkOrder",
            "LastActionDateUtc",
            "GreaterOrEqual",
            json!(["2026-06-01T12:00:00"]),
        )
        .await;
    assert_eq!(found, [21]);
    let new = order(&desk, 21).await;
    assert_eq!(
        (&new["StatusId"], &new["ConcurrencyId"]),
        (&json!("New"), &json!(1))
    );
    assert!(new["Number"].as_str().unwrap().starts_with("JOL"));
    assert_eq!(log(&desk, 21).await.len(), 1);
    assert_eq!(
        desk.get("base/WorkOrderCost/21").await.0,
        200,
        "the cost record is born with the order"
    );
    assert!(
        desk.sandbox
            .edit(|tenant| tenant.add_work_order(1, "no such asset"))
            .is_none()
    );
}

#[tokio::test]
async fn late_commits_can_be_dated_back() {
    let desk = Desk::open(20).await;
    desk.sandbox.edit(|tenant| {
        tenant.set_now("2026-06-01T11:58:30Z".parse().unwrap());
        tenant.change_work_order_status(3, Status::Completed);
    });
    assert_eq!(
        order(&desk, 3).await["LastActionDateUtc"],
        "2026-06-01T11:58:30"
    );
    assert_eq!(
        desk.sandbox.edit(|tenant| tenant.now()),
        crate::support::noon()
    );
}

#[tokio::test]
async fn removal_is_soft_and_can_be_undone() {
    let desk = Desk::open(1).await;
    let before = desk.get("base/Employee/101").await.1["Data"].clone();
    assert!(desk.sandbox.edit(|tenant| tenant.remove_person(101)));
    assert!(!desk.sandbox.edit(|tenant| tenant.remove_person(101)));
    let gone = desk.get("base/Employee/101").await.1["Data"].clone();
    let name = before["DisplayAs"].as_str().unwrap();
    assert_eq!(
        (&gone["IsRemoved"], &gone["DisplayAs"]),
        (&json!(true), &json!(format!("{name} (deleted)")))
    );
    assert!(desk.sandbox.edit(|tenant| tenant.restore_person(101)));
    let back = desk.get("base/Employee/101").await.1["Data"].clone();
    assert_eq!(back["DisplayAs"], before["DisplayAs"]);
    assert_eq!(
        back["ConcurrencyId"].as_i64(),
        before["ConcurrencyId"].as_i64().map(|id| id + 2)
    );
}

#[tokio::test]
async fn assets_move_in_the_tree_and_become_orphans() {
    let desk = Desk::open(1).await;
    let (asset, room) = desk.sandbox.edit(|tenant| {
        let plant = tenant.plant();
        let asset = plant
            .assets
            .iter()
            .find(|row| row.parent.is_none() && !row.removed)
            .unwrap();
        let other = plant
            .places
            .iter()
            .rev()
            .find(|row| row.id != asset.place && row.site == 3)
            .unwrap()
            .id;
        (asset.id, other)
    });
    let parent = async || {
        desk.query(
            "AssetTree",
            json!({"Criteria": {"Conditions": [
            {"PropertyName": "ChildId", "Operator": "Equal", "Values": [asset]},
            {"PropertyName": "Distance", "Operator": "Equal", "Values": [1]}]}}),
        )
        .await
    };
    assert!(desk.sandbox.edit(|tenant| tenant.move_asset(asset, room)));
    assert_eq!(parent().await[0]["ParentId"], json!(room));
    assert!(desk.sandbox.edit(|tenant| tenant.remove_asset(asset)));
    assert!(parent().await.is_empty());
    let location = desk.get(&format!("base/Location/{asset}")).await.1["Data"].clone();
    assert_eq!(
        (&location["Orphan"], &location["IsOffline"]),
        (&json!(true), &json!(true))
    );
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().removed_locations_stay_in_tree = true);
    assert_eq!(parent().await[0]["ParentId"], json!(room));
}

#[tokio::test]
async fn a_changed_child_bumps_the_parent_only_when_told() {
    let desk = Desk::open(1).await;
    let version = async || {
        desk.get("base/Employee/102?properties=ConcurrencyId,ContactAddresses.Address")
            .await
            .1["Data"]
            .clone()
    };
    let before = version().await;
    desk.sandbox
        .edit(|tenant| assert!(tenant.change_person_email(102, "new@plant.example")));
    let after = version().await;
    assert_eq!(after["ContactAddresses"][0]["Address"], "new@plant.example");
    assert_eq!(after["ConcurrencyId"], before["ConcurrencyId"]);
    desk.sandbox.edit(|tenant| {
        tenant.switches_mut().child_change_bumps_parent = true;
        assert!(tenant.change_person_email(102, "newer@plant.example"));
    });
    assert_ne!(version().await["ConcurrencyId"], before["ConcurrencyId"]);
}

#[tokio::test]
async fn one_round_of_changes_shows_through_the_interface() {
    let desk = Desk::open(1500).await;
    let state = async |entity: &str, id: u32| {
        desk.get(&format!("base/{entity}/{id}?properties=*,Items.*"))
            .await
    };
    let mut before = Vec::new();
    let preview = desk
        .sandbox
        .edit(|tenant| tenant.plant().clone().mutate(9, tenant.now()));
    for id in &preview.purchase_orders.changed {
        before.push((*id, state("ReplenishmentOrder", *id).await));
    }
    let changes = desk.sandbox.edit(|tenant| tenant.mutate(9));
    assert_eq!(
        changes.work_orders.removed, [0_u32; 0],
        "orders never vanish"
    );
    assert_eq!(changes.parts, preview.parts);
    assert!(changes.count() > 25);
    for (id, old) in before {
        assert_ne!(state("ReplenishmentOrder", id).await, old);
    }
    for id in changes
        .people
        .removed
        .iter()
        .chain(&changes.vendors.removed)
    {
        assert_eq!(
            desk.get(&format!("base/Employee/{id}")).await.1["Data"]["IsRemoved"],
            true
        );
    }
    for id in &changes.assets.removed {
        assert_eq!(
            desk.get(&format!("base/Location/{id}")).await.1["Data"]["Orphan"],
            true
        );
    }
    let touched = desk.query("WoActionLog", json!({"PropertySet": {"Properties": ["WorkOrderId"]}, "Criteria": {"Conditions": [
        {"PropertyName": "SystemDateUtc", "Operator": "GreaterOrEqual", "Values": ["2026-06-01T12:00:00"]}]}})).await;
    assert_eq!(
        touched.len(),
        changes.work_orders.count() - 1,
        "one change leaves no trace in the log"
    );
}
