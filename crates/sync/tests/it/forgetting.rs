//! Rule 8: sources that do not tell old changes any more.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use wrenchtime_connector::Deletes;
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{Decision, Fault, MemoryStorage, Mode, Outcome, RunError};

use crate::source::{Asked, Op, Shape};
use crate::support::{Life, World, cases, op, shape, wait};

const HISTORY: Duration = Duration::from_secs(60 * 60);

/// What a listing and a stream of changes both show.
const SHOWN: Life = Life {
    late: true,
    children: false,
    future: true,
    flags: true,
    removals: false,
};

fn forgetful() -> Shape {
    Shape {
        history: Some(HISTORY),
        ..Shape::default()
    }
}

fn later(world: &World) {
    world.source.act(&Op::Wait(3 * 60 * 60));
}

fn listed(asked: &[Asked]) -> usize {
    let listings = asked.iter().filter(
        |one| matches!(one, Asked::Page(stream, _, None) if stream.as_str() == "pumps-all"),
    );
    listings.count()
}

fn live(storage: &MemoryStorage, connection: ConnectionId) -> usize {
    let records = storage.records(connection);
    let live = records.iter().filter(|record| !record.envelope.deleted);
    live.count()
}

#[tokio::test]
async fn everything_is_listed_once_and_what_is_stored_is_served_meanwhile() {
    for refuses_old in [false, true] {
        let world = World::with_rows(
            Shape {
                refuses_old,
                ..forgetful()
            },
            20,
        );
        world.run(Mode::Full).await.unwrap();
        for key in 0..5 {
            world.put(key, 70 + key);
        }
        later(&world);
        world.source.asked();
        for number in 1..8 {
            let (storage, connection) = (Arc::clone(&world.storage), world.connection);
            world.source.at_request(number, move |_| {
                assert_eq!(live(&storage, connection), 20, "before request {number}");
            });
        }
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        assert_eq!(report.progress.streams_done, report.progress.streams_total);
        world.assert_true();
        assert_eq!(listed(&world.source.asked()), 1);
        // From then on changes are told again.
        world.put(3, 80);
        world.settle();
        world.run(Mode::Incremental).await.unwrap();
        world.assert_true();
        assert_eq!(listed(&world.source.asked()), 0);
    }
}

#[tokio::test]
async fn a_stream_in_which_nothing_happens_is_not_listed_for_that() {
    let world = World::with_rows(forgetful(), 10);
    world.run(Mode::Full).await.unwrap();
    world.source.asked();
    for _ in 0..12 {
        world.source.act(&Op::Wait(15 * 60));
        world.run(Mode::Incremental).await.unwrap();
    }
    assert_eq!(listed(&world.source.asked()), 0);
    world.put(3, 80);
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn a_young_bound_that_is_refused_is_a_fault() {
    use wrenchtime_connector::{Error, ErrorKind};
    let world = World::with_rows(Shape::default(), 10);
    world.run(Mode::Full).await.unwrap();
    world.source.asked();
    let broken: fn() -> Error = || Error::new(ErrorKind::Invalid, "ask for changes");
    world.source.break_stream("pumps-changes", Some(broken));
    world.run(Mode::Incremental).await.unwrap_err();
    assert_eq!(listed(&world.source.asked()), 0);
    // It gets old, and then it is worth a try: once between two listings that are due anyway.
    world.source.act(&Op::Wait(20 * 60 * 60));
    world.run(Mode::Incremental).await.unwrap_err();
    world.source.act(&Op::Wait(60 * 60));
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(listed(&world.source.asked()), 1);
    world.run(Mode::Incremental).await.unwrap_err();
    assert_eq!(listed(&world.source.asked()), 0);
    world.source.break_stream("pumps-changes", None);
    world.put(3, 80);
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn killed_at_any_write_nothing_is_forgotten() {
    for listing_sorted in [true, false] {
        let mut points = 0;
        for call in 1.. {
            let mut killed = false;
            for fault in [Fault::Before(call), Fault::After(call)] {
                let shape = Shape {
                    listing_sorted,
                    ..forgetful()
                };
                let world = World::with_rows(shape, 10);
                world.run(Mode::Full).await.unwrap();
                world.put(3, 80);
                world.put(8, 81);
                later(&world);
                world.storage.fail(fault);
                match world.run(Mode::Incremental).await {
                    // It had fewer writes than that.
                    Ok(_) => assert!(!world.storage.recover()),
                    Err(RunError::Storage(_)) => {
                        assert!(world.storage.recover());
                        killed = true;
                        // What happens while the process is away.
                        world.put(1, 82);
                        world.put(9, 83);
                        world.settle();
                        world.run(Mode::Incremental).await.unwrap();
                    }
                    Err(other) => panic!("another error: {other}"),
                }
                world.run(Mode::Incremental).await.unwrap();
                world.assert_true();
            }
            if !killed {
                break;
            }
            points += 1;
        }
        assert!(points > 4, "only {points} writes were tried");
    }
}

#[tokio::test]
async fn a_run_cancelled_at_any_request_forgets_nothing() {
    for request in 1..9 {
        let world = World::with_rows(forgetful(), 10);
        world.run(Mode::Full).await.unwrap();
        world.put(3, 80);
        world.put(8, 81);
        later(&world);
        let asked = world.request(Mode::Incremental);
        let cancel = asked.cancel.clone();
        world.source.at_request(request, move |_| cancel.cancel());
        world.send(asked).await.unwrap();
        world.put(1, 82);
        world.settle();
        world.run(Mode::Incremental).await.unwrap();
        world.run(Mode::Incremental).await.unwrap();
        world.assert_true();
    }
}

#[tokio::test]
async fn a_listing_that_was_left_before_does_not_stand_for_what_is_forgotten() {
    let world = World::with_rows(forgetful(), 20);
    world.run(Mode::Full).await.unwrap();
    let mut left = world.request(Mode::Incremental);
    left.include_listings = true;
    let cancel = left.cancel.clone();
    world.source.at_request(4, move |_| cancel.cancel());
    world.send(left).await.unwrap();
    let pass = world.state("pumps-all").await.pass;
    assert!(pass.is_some_and(|pass| pass.cursor.is_some()));
    // A row that the listing had shown already.
    world.put(0, 80);
    later(&world);
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

proptest! {
    #![proptest_config(cases(64))]

    /// However long nobody reads, and whatever happens meanwhile, the next run has it all.
    #[test]
    fn rule_8_what_a_source_has_forgotten_is_listed(
        shape in shape(),
        refuses_old in any::<bool>(),
        lives in prop::collection::vec(
            (prop::collection::vec(op(SHOWN), 0..12), 0..150_u32),
            1..6,
        ),
    ) {
        let shape = Shape {
            history: Some(HISTORY),
            refuses_old,
            deletes: Deletes::FlaggedOrAbsent,
            ..shape
        };
        let world = World::new(shape);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for (ops, minutes) in lives {
                for op in &ops {
                    world.source.act(op);
                }
                world.source.act(&Op::Wait(minutes * 60));
                world.settle();
                let report = world.run(Mode::Incremental).await.unwrap();
                assert_eq!(report.outcome, Outcome::Complete);
                world.assert_true();
            }
        });
    }
}

#[tokio::test]
async fn what_is_confirmed_of_a_listing_that_was_read_twice_is_acted_upon() {
    let world = World::with_rows(forgetful(), 60);
    world.run(Mode::Full).await.unwrap();
    for key in 20..60 {
        world.source.act(&Op::Remove { key });
    }
    later(&world);
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(world.suspicions().await.len(), 1);
    assert!(world.state("pumps-all").await.suspect);
    world.decide(Decision::Confirm).await;
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.suspicions().await, []);
    world.assert_true();
}
