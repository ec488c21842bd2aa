//! Many runs at once: turns, and bytes in flight.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use wrenchtime_connector::ManualClock;
use wrenchtime_sync::{
    Engine, EngineOptions, MemoryStorage, Mode, Outcome, Storage, Turns, Urgency,
};

use crate::ahead::{LONG, Stopping};
use crate::source::{Asked, Op, Shape, Source};
use crate::support::{ALL, World, cases, script, shape, wait};

/// How many runs work at once.
const AT_ONCE: usize = 4;
/// How many pages a turn has.
const PAGES: u64 = 10;

/// Several connections over one store and one engine.
struct Plant {
    engine: Engine,
    storage: Arc<MemoryStorage>,
    clock: ManualClock,
    turns: Turns,
}

impl Plant {
    fn new(bytes_in_flight: u64, turns: Turns) -> Self {
        let clock = ManualClock::new("2031-05-01T12:00:00.417Z".parse().unwrap());
        let storage = Arc::new(MemoryStorage::new(Arc::new(clock.clone())));
        let mut options = EngineOptions::default();
        options.bytes_in_flight = bytes_in_flight;
        let shared: Arc<dyn Storage> = Arc::clone(&storage) as Arc<dyn Storage>;
        Self {
            engine: Engine::new(shared, Arc::new(clock.clone()), options),
            storage,
            clock,
            turns,
        }
    }

    fn world(&self, shape: Shape, rows: u32) -> World {
        let mut world = World::new(shape.clone());
        world.clock = self.clock.clone();
        world.source = Source::new(shape, self.clock.clone());
        world.storage = Arc::clone(&self.storage);
        for key in 0..rows {
            world.source.put_into("pumps", key, key + 1);
        }
        world
    }

    /// Makes a first run, in turn with the others.
    async fn first_run(&self, world: &World, urgency: Urgency) -> Outcome {
        let mut request = world.request(Mode::Full);
        request.turn = Some(self.turns.take(urgency).await);
        self.engine.run(request).await.unwrap().outcome
    }
}

fn urgent(is_urgent: bool) -> Urgency {
    let urgency = Urgency::default();
    urgency.set(is_urgent);
    urgency
}

fn pages(worlds: &[World]) -> u64 {
    let asked = worlds.iter().map(|world| {
        let asked = world.source.all_asked();
        let pages = asked.iter().filter(|one| matches!(one, Asked::Page(..)));
        u64::try_from(pages.count()).unwrap()
    });
    asked.sum()
}

/// Runs 4 connections of 200 pages, and 100 of 2 from when those are under way. Returns how many pages the large ones
/// read from then on until the last small one had ended.
async fn large_pages_beside_small_runs(large_is_urgent: bool, small_is_urgent: bool) -> u64 {
    let plant = Plant::new(u64::MAX, Turns::new(AT_ONCE, PAGES));
    let shape = Shape::default();
    let large: Vec<World> = (0..4).map(|_| plant.world(shape.clone(), 800)).collect();
    let small: Vec<World> = (0..100).map(|_| plant.world(shape.clone(), 8)).collect();
    let smalls = async {
        while pages(&large) < 40 {
            tokio::task::yield_now().await;
        }
        let before = pages(&large);
        let runs = small
            .iter()
            .map(|world| plant.first_run(world, urgent(small_is_urgent)));
        let ended = join_all(runs).await;
        assert_eq!(ended, [Outcome::Complete; 100]);
        pages(&large) - before
    };
    let larges = large
        .iter()
        .map(|world| plant.first_run(world, urgent(large_is_urgent)));
    let (beside, ended) = tokio::join!(smalls, join_all(larges));
    assert_eq!(ended, [Outcome::Complete; 4]);
    assert!(pages(&large) >= 800);
    for world in large.iter().chain(&small) {
        world.assert_true();
    }
    beside
}

#[tokio::test]
async fn four_huge_runs_hold_up_a_hundred_small_ones_for_one_turn() {
    let beside = large_pages_beside_small_runs(false, false).await;
    // Each ends the turn that it has, and the page that it is at.
    assert!(beside <= 4 * (PAGES + 1), "{beside} pages");
}

#[tokio::test]
async fn small_runs_by_schedule_come_between_huge_ones_that_somebody_waits_for() {
    let beside = large_pages_beside_small_runs(true, false).await;
    // Of four turns one goes to a small run, and all large ones may have one more.
    let most = (100 * 3 + 4) * (PAGES + 1);
    assert!(beside <= most, "{beside} pages");
}

#[tokio::test]
async fn small_runs_that_somebody_waits_for_go_first() {
    let beside = large_pages_beside_small_runs(false, true).await;
    // Besides, every fourth turn goes to a large one.
    let most = 4 * (PAGES + 1) + 100 / 3 * (PAGES + 1);
    assert!(beside <= most, "{beside} pages");
}

#[tokio::test]
async fn a_run_that_waits_for_its_turn_can_be_cancelled_and_gone_on_with() {
    let plant = Plant::new(u64::MAX, Turns::new(1, 2));
    let world = plant.world(Shape::default(), 80);
    let mut request = world.request(Mode::Full);
    request.turn = Some(plant.turns.take(urgent(false)).await);
    let cancel = request.cancel.clone();
    let other = async {
        let turn = plant.turns.take(urgent(true)).await;
        assert_eq!(plant.turns.waiting(), 1, "the run waits");
        cancel.cancel();
        tokio::task::yield_now().await;
        turn
    };
    let (run, turn) = tokio::join!(plant.engine.run(request), other);
    assert_eq!(run.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(plant.turns.waiting(), 0);
    drop(turn);
    assert_eq!(
        plant.first_run(&world, urgent(false)).await,
        Outcome::Complete
    );
    world.assert_true();
}

proptest! {
    #![proptest_config(cases(48))]

    /// Rule 10: whatever the budget, the turns and the sources, all runs come to their end and the copies are true.
    #[test]
    fn rule_10_no_budget_and_no_turn_stops_a_run_for_ever(
        shapes in prop::collection::vec(shape(), 1..5),
        budget in prop_oneof![Just(1_u64), 1..20_000_u64],
        at_once in 1_usize..4,
        pages_per_turn in 1_u64..4,
        script in script(ALL, 20),
    ) {
        wait(async {
            let plant = Plant::new(budget, Turns::new(at_once, pages_per_turn));
            let worlds: Vec<World> = shapes
                .into_iter()
                .map(|mut shape| {
                    shape.skew = chrono::TimeDelta::zero();
                    plant.world(shape, 17)
                })
                .collect();
            for _ in 0..2 {
                worlds[0].source.script(script.clone());
                let runs = worlds
                    .iter()
                    .enumerate()
                    .map(|(at, world)| plant.first_run(world, urgent(at % 2 == 0)));
                // A run that is stuck would be stuck for ever: nothing here waits for time.
                let ended = tokio::time::timeout(Duration::from_secs(60), join_all(runs)).await;
                assert!(ended.is_ok(), "the runs wait for each other");
                assert_eq!(plant.engine.bytes_in_flight(), 0);
                assert_eq!(plant.turns.waiting(), 0);
            }
            worlds[0].source.quiet();
            worlds[0].source.act(&Op::Wait(4000));
            for world in &worlds {
                plant.first_run(world, urgent(false)).await;
                world.assert_true();
            }
        });
    }
}

#[tokio::test]
async fn rule_10_where_there_is_no_room_to_read_on_others_have_what_is_left() {
    // Room for a page of the large run and all that a small one asks for, but not for two such pages.
    let plant = Plant::new(4_850_000, Turns::new(2, 4));
    let page = 4_500;
    let shape = Shape {
        page,
        ..Shape::default()
    };
    let large = plant.world(shape, 2 * page);
    let small = plant.world(Shape::default(), 1);
    let mut request = large.request(Mode::Full);
    let (mapper, tell) = Stopping::at(1, &request.mapper);
    request.mapper = mapper;
    let (ended, ()) = tokio::join!(plant.engine.run(request), async {
        while plant.engine.bytes_in_flight() == 0 || large.source.all_asked().is_empty() {
            tokio::task::yield_now().await;
        }
        let small = plant.first_run(&small, urgent(false));
        let ended = tokio::time::timeout(LONG, small).await;
        let ended = ended.expect("nobody waits for the large page");
        assert_eq!(ended, Outcome::Complete);
        assert_eq!(large.source.all_asked().len(), 1);
        tell.send(()).unwrap();
    });
    assert_eq!(ended.unwrap().outcome, Outcome::Complete);
    assert_eq!(large.copy().len(), 2 * page as usize);
}
