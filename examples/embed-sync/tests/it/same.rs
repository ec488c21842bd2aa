//! Two stores, one outcome: of runs over a tenant to which something happens all the time.

use std::sync::Arc;

use wrenchtime_connector::Clock;
use wrenchtime_model::EventBody;
use wrenchtime_sandbox::corrigo::Tenant;
use wrenchtime_sandbox::plant::{Priority, Status};
use wrenchtime_sync::{MemoryStorage, Mode};

use crate::world::{Dice, World, all_records};

fn mutate(tenant: &mut Tenant, dice: &mut Dice) {
    let plant = tenant.plant();
    let order = plant.work_orders[dice.below(plant.work_orders.len())].id;
    let asset = plant.assets[dice.below(plant.assets.len())].id;
    let person = plant.people[dice.below(plant.people.len())].id;
    let site = plant.sites[dice.below(plant.sites.len())].id;
    let number = dice.below(1_000);
    match dice.below(10) {
        0 => drop(tenant.add_work_order(asset, "it drips")),
        1 => drop(tenant.change_work_order_status(order, Status::Cancelled)),
        2 => drop(tenant.note_work_order(order, "seen")),
        3 => drop(tenant.set_work_order_priority(order, Priority::Emergency)),
        4 => drop(tenant.rename_asset(asset, &format!("Pump {number}"))),
        5 => drop(tenant.remove_asset(asset)),
        6 => drop(tenant.rename_site(site, &format!("Plant {number}"))),
        7 => drop(tenant.remove_person(person)),
        8 => drop(tenant.restore_person(person)),
        _ => drop(tenant.add_person(site, "Tess", "Ting")),
    }
}

async fn check(seed: u64) {
    let world = World::new(seed).await;
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let memory = Arc::new(MemoryStorage::new(clock));
    let mut dice = Dice(seed);
    for round in 0..3 {
        let mode = if round == 0 {
            Mode::Full
        } else {
            Mode::Incremental
        };
        let expected = world.run(Arc::<MemoryStorage>::clone(&memory), mode).await;
        // Opened anew for each run.
        let report = world.run(Arc::new(world.open()), mode).await;
        assert_eq!(
            report.outcome, expected.outcome,
            "seed {seed}, round {round}"
        );
        let [kept, expected] = all_records(&world.open(), &memory, world.connection).await;
        assert_eq!(kept, expected, "seed {seed}, round {round}");
        let records_told = |body: &EventBody| matches!(body, EventBody::Record { .. });
        let told = world.open().events(world.connection).await.unwrap();
        let told: Vec<_> = told
            .into_iter()
            .filter(|event| records_told(&event.body))
            .collect();
        let mut expected = memory.events(world.connection);
        expected.retain(|event| records_told(&event.body));
        assert_eq!(told, expected, "seed {seed}, round {round}");
        world.edit(|tenant| (0..12).for_each(|_| mutate(tenant, &mut dice)));
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_outcome_is_that_of_the_store_in_memory() {
    for seed in [3, 17] {
        check(seed).await;
    }
}
