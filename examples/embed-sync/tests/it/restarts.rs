//! A new process goes on from the file, whatever state it is in.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use serde_json::Value;
use wrenchtime_connector::Clock;
use wrenchtime_model::{
    ConnectionId, EventBody, RecordChange, Resource, WorkOrder, WorkOrderStatus,
};
use wrenchtime_sandbox::plant::Status;
use wrenchtime_sync::{Counts, Mode, Outcome, RunReport, StorageError};

use embed_sync::FileStorage;

use crate::world::{World, open};

fn total(report: &RunReport, count: fn(&Counts) -> u64) -> u64 {
    report.progress.resources.values().map(count).sum()
}

#[tokio::test]
async fn a_second_run_from_the_file_moves_only_the_changes() {
    let world = World::new(7).await;
    let first = world.run(Arc::new(world.open()), Mode::Full).await;
    assert_eq!(first.outcome, Outcome::Complete);
    assert!(total(&first, |counts| counts.created) > 100);
    let size = fs::metadata(world.journal()).unwrap().len();

    let (changed, added) = world.edit(|tenant| {
        let order = tenant.plant().work_orders[3].id;
        assert!(tenant.change_work_order_status(order, Status::OnHold));
        let asset = tenant
            .plant()
            .assets
            .iter()
            .find(|asset| !asset.removed)
            .unwrap()
            .id;
        (
            order,
            tenant
                .add_work_order(asset, "It rattles at full speed")
                .unwrap(),
        )
    });
    let second = world.run(Arc::new(world.open()), Mode::Incremental).await;
    assert_eq!(second.outcome, Outcome::Complete);
    assert_eq!(total(&second, |counts| counts.created), 1);
    assert_eq!(total(&second, |counts| counts.changed), 1);
    assert_eq!(total(&second, |counts| counts.deleted), 0);
    let grown = fs::metadata(world.journal()).unwrap().len() - size;
    assert!(grown < size / 5, "{grown} bytes more than {size}");

    let storage = world.open();
    let orders = storage.records::<WorkOrder>(world.connection, Resource::WorkOrder);
    let orders = orders.await.unwrap();
    let find = |id: u32| {
        let remote_id = id.to_string();
        orders
            .iter()
            .find(|order| order.envelope.remote_id == remote_id)
            .unwrap()
    };
    assert_eq!(find(changed).content.status, Some(WorkOrderStatus::OnHold));
    let added = find(added);
    assert!(added.envelope.sequence > orders[0].envelope.sequence);
    assert!(added.content.asset.is_some());

    let third = world.run(Arc::new(storage), Mode::Incremental).await;
    assert_eq!(
        total(&third, |counts| counts.created
            + counts.changed
            + counts.deleted),
        0
    );
    world.sandbox.stop().await;
}

/// Cuts the file off as a crash does: behind a line, and just before it was whole.
#[tokio::test]
async fn wherever_a_crash_cuts_the_file_the_end_is_the_same() {
    let world = World::new(7).await;
    world.run(Arc::new(world.open()), Mode::Full).await;
    let whole = fs::read(world.journal()).unwrap();
    let expected = contents(&world).await;
    let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
    for line in (0..ends.len()).step_by(ends.len() / 3) {
        for cut in [ends[line], ends[line] - 1] {
            fs::write(world.journal(), &whole[..cut]).unwrap();
            world.run(Arc::new(world.open()), Mode::Full).await;
            assert_eq!(contents(&world).await, expected, "cut at {cut}");
        }
    }
    world.sandbox.stop().await;
}

/// Returns all records, having seen that each was told as created once.
async fn contents(world: &World) -> BTreeSet<(Resource, String, String)> {
    let storage = world.open();
    let mut contents = BTreeSet::new();
    for resource in Resource::ALL {
        let records = storage.records::<Value>(world.connection, resource);
        for record in records.await.unwrap() {
            assert!(!record.envelope.deleted);
            let content = record.content.to_string();
            contents.insert((resource, record.envelope.remote_id, content));
        }
    }
    let events = storage.events(world.connection).await.unwrap();
    let created = |body: &EventBody| {
        matches!(
            body,
            EventBody::Record {
                change: RecordChange::Created,
                initial: true,
                ..
            }
        )
    };
    let told = events.iter().filter(|event| created(&event.body)).count();
    assert_eq!(told, contents.len());
    contents
}

#[tokio::test]
async fn a_file_that_is_in_use_or_damaged_is_refused() {
    let world = World::new(7).await;
    let storage = world.open();
    storage.events(ConnectionId::new()).await.unwrap();
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let second = FileStorage::open(&world.journal(), Arc::clone(&clock));
    assert!(matches!(second, Err(StorageError::Unavailable(_))));
    drop(storage);
    drop(open(&world.journal(), &world.clock));
    fs::write(world.journal(), "{\"connection\": 7}\n").unwrap();
    let damaged = FileStorage::open(&world.journal(), clock);
    assert!(matches!(damaged, Err(StorageError::Corrupt(words)) if words.contains("line 1")));
    world.sandbox.stop().await;
}
