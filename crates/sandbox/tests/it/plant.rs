use std::collections::BTreeSet;

use wrenchtime_sandbox::plant::{Action, Plant, PlantOptions, Status};

fn text(plant: &Plant) -> String {
    format!("{plant:?}")
}

#[test]
fn same_seed_same_plant() {
    let plant = Plant::generate(&PlantOptions::new(5, 300));
    assert_eq!(
        text(&plant),
        text(&Plant::generate(&PlantOptions::new(5, 300)))
    );
    assert_ne!(
        text(&plant),
        text(&Plant::generate(&PlantOptions::new(6, 300)))
    );
}

#[test]
fn same_seed_same_changes() {
    let change = |seed| {
        let mut plant = Plant::generate(&PlantOptions::new(5, 300));
        let changes = plant.mutate(seed, plant.now);
        (changes, text(&plant))
    };
    assert_eq!(change(1), change(1));
    assert_ne!(change(1).0, change(2).0);
}

#[test]
fn a_round_touches_every_kind_and_each_record_once() {
    let mut plant = Plant::generate(&PlantOptions::new(2, 500));
    let old = plant.clone();
    let changes = plant.mutate(77, plant.now);
    let kinds = [
        &changes.assets,
        &changes.people,
        &changes.vendors,
        &changes.parts,
        &changes.purchase_orders,
        &changes.work_orders,
    ];
    for kind in kinds {
        assert!(
            !kind.added.is_empty() && !kind.changed.is_empty() && !kind.removed.is_empty(),
            "{kind:?}"
        );
        let all: BTreeSet<u32> = kind
            .added
            .iter()
            .chain(&kind.changed)
            .chain(&kind.removed)
            .copied()
            .collect();
        assert_eq!(all.len(), kind.count());
    }
    for id in &changes.work_orders.changed {
        assert_ne!(plant.work_order(*id), old.work_order(*id));
    }
    for id in &changes.parts.changed {
        assert_ne!(plant.part(*id), old.part(*id));
    }
    assert_eq!(
        plant.work_orders.len(),
        old.work_orders.len() + changes.work_orders.added.len()
    );
    assert!(
        changes
            .vendors
            .removed
            .iter()
            .all(|id| plant.vendor(*id).unwrap().removed)
    );
}

#[test]
fn history_is_plausible() {
    let plant = Plant::generate(&PlantOptions::new(1, 2000));
    assert!(plant.work_orders.is_sorted_by_key(|order| order.created_at));
    for order in &plant.work_orders {
        assert!(
            order.history.is_sorted_by_key(|entry| entry.at),
            "{order:?}"
        );
        assert!(order.history.last().unwrap().at <= plant.now);
        assert_eq!(order.history[0].action, Action::Created);
        let moved = order
            .history
            .iter()
            .rev()
            .find(|entry| entry.action.moves_status())
            .unwrap();
        assert_eq!(order.status_changed_at, moved.at);
        assert_eq!(
            order.completed_at.is_some(),
            order.status == Status::Completed
        );
        assert!(
            plant
                .asset(order.asset)
                .is_some_and(|asset| asset.site == order.site)
        );
        if let Some(worker) = order.assignee {
            assert!(plant.actor_name(worker).is_some());
        }
    }
    let done = plant
        .work_orders
        .iter()
        .filter(|order| order.status == Status::Completed)
        .count();
    assert!((1500..2000).contains(&done), "{done} of 2000 are done");
    let statuses: BTreeSet<String> = plant
        .work_orders
        .iter()
        .map(|order| format!("{:?}", order.status))
        .collect();
    assert_eq!(statuses.len(), 7, "{statuses:?}");
    let numbers: BTreeSet<&str> = plant
        .work_orders
        .iter()
        .map(|order| order.number.as_str())
        .collect();
    assert_eq!(numbers.len(), 2000);
    assert!(
        numbers.iter().any(|number| number.starts_with('0')),
        "some numbers begin with zero"
    );
    let times: BTreeSet<_> = plant
        .work_orders
        .iter()
        .map(|order| order.created_at)
        .collect();
    assert!(
        times.len() < 2000,
        "some orders are written at the same instant"
    );
}

#[test]
fn trees_are_whole() {
    let plant = Plant::generate(&PlantOptions::new(1, 1));
    let deepest = plant
        .assets
        .iter()
        .filter(|asset| !asset.removed)
        .map(|asset| {
            let mut depth = 0;
            let mut at = asset.id;
            while let Some(parent) = plant.parent_of(at) {
                at = parent;
                depth += 1;
            }
            assert!(plant.sites.iter().any(|site| site.root == at), "{asset:?}");
            depth
        })
        .max();
    assert_eq!(deepest, Some(5));
    let ids: BTreeSet<u32> = plant
        .assets
        .iter()
        .map(|row| row.id)
        .chain(plant.places.iter().map(|row| row.id))
        .collect();
    assert_eq!(ids.len(), plant.assets.len() + plant.places.len());
}
