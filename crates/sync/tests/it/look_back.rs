//! Copies that begin at an instant.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use wrenchtime_connector::{Precision, Yields};
use wrenchtime_model::EventType;
use wrenchtime_sync::{Mode, Outcome, RunReport};

use crate::source::{Asked, Op, Shape};
use crate::support::{ALL, Life, World, cases, op, script, shape, wait};

/// A world with rows that changed a minute apart, from five minutes ago on.
fn by_the_minute(shape: Shape) -> World {
    let world = World::new(shape);
    for key in 1..=5 {
        world.put(key, key);
        world.clock.advance(Duration::from_secs(60));
    }
    world
}

fn since_rows_behind(world: &mut World, key: u32) {
    let rows = world.source.truth();
    world.since = Some(rows[&key].at + TimeDelta::seconds(1));
}

fn drifted(report: &RunReport) -> u64 {
    let counts = report.progress.resources.values();
    counts.map(|counts| counts.drifted).sum()
}

fn keys(world: &World) -> Vec<u32> {
    world.copy().into_keys().collect()
}

#[tokio::test]
async fn what_changed_before_stays_out_until_it_changes() {
    for listing in [Yields::Documents, Yields::Stubs] {
        let mut world = by_the_minute(Shape {
            listing,
            ..Shape::default()
        });
        since_rows_behind(&mut world, 3);
        let report = world.run(Mode::Full).await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        assert_eq!(keys(&world), [4, 5]);
        if listing == Yields::Stubs {
            let fetched = world
                .source
                .asked()
                .into_iter()
                .filter_map(|asked| match asked {
                    Asked::Fetch(keys) => Some(keys.len()),
                    Asked::Page(..) => None,
                });
            assert_eq!(fetched.sum::<usize>(), 2, "rows outside are not asked for");
        }

        world.put(1, 11);
        world.settle();
        assert_eq!(drifted(&world.run(Mode::Incremental).await.unwrap()), 0);
        assert_eq!(keys(&world), [1, 4, 5]);

        // Rows outside go and nobody hears of it; rows within go as ever.
        world.source.act(&Op::Remove { key: 2 });
        world.source.act(&Op::Remove { key: 4 });
        world.settle();
        assert_eq!(drifted(&world.run_all().await.unwrap()), 0);
        assert_eq!(keys(&world), [1, 5]);
        world.assert_true();
    }
}

#[tokio::test]
async fn what_is_stored_stays_however_old_the_source_makes_it() {
    let mut world = by_the_minute(Shape::default());
    let before = world.source.snapshot();
    world.put(2, 22);
    world.settle();
    world.since = world.source.truth().values().map(|row| row.at).max();
    world.run(Mode::Full).await.unwrap();
    assert_eq!(keys(&world), [2]);
    // A backup is played back: the row is as it was, and as old.
    world.source.restore(before);
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(world.copy()[&2].1, r#"{"name":"2/0"}"#);
    assert_eq!(keys(&world), [2]);
}

#[tokio::test]
async fn an_earlier_instant_lists_everything_once_and_is_no_drift() {
    for token in [false, true] {
        let mut world = by_the_minute(Shape {
            token,
            ..Shape::default()
        });
        since_rows_behind(&mut world, 3);
        world.run(Mode::Full).await.unwrap();
        world.settle();
        since_rows_behind(&mut world, 1);
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!((report.outcome, drifted(&report)), (Outcome::Complete, 0));
        assert_eq!(keys(&world), [2, 3, 4, 5]);
        world.since = None;
        world.run(Mode::Incremental).await.unwrap();
        world.assert_true();
        let told = world.lifecycle().into_iter();
        let mut errors = told.filter(|(event, _)| *event == EventType::SystemError);
        assert_eq!(errors.next(), None);

        // From now on the listing is due by the day again, and a later instant takes nothing away.
        since_rows_behind(&mut world, 4);
        world.source.asked();
        world.run(Mode::Incremental).await.unwrap();
        let listed = world.source.asked().into_iter().filter(
            |asked| matches!(asked, Asked::Page(stream, ..) if stream.as_str() == "pumps-all"),
        );
        assert_eq!(listed.count(), usize::from(token));
        assert_eq!(keys(&world), [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn a_listing_left_with_another_instant_begins_anew() {
    let mut world = by_the_minute(Shape {
        page: 1,
        ..Shape::default()
    });
    since_rows_behind(&mut world, 4);
    let request = world.request(Mode::Full);
    let cancel = request.cancel.clone();
    world.source.at_request(3, move |_| cancel.cancel());
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    since_rows_behind(&mut world, 1);
    world.run(Mode::Full).await.unwrap();
    assert_eq!(keys(&world), [2, 3, 4, 5]);
}

#[tokio::test]
async fn rows_whose_change_is_not_shown_come_in() {
    let mut world = by_the_minute(Shape {
        undated_rows: true,
        ..Shape::default()
    });
    world.settle();
    world.since = Some(world.source.truth()[&5].at + TimeDelta::seconds(20));
    world.run(Mode::Full).await.unwrap();
    assert_eq!(keys(&world), [5]);

    let mut world = by_the_minute(Shape {
        undated_listing: true,
        ..Shape::default()
    });
    since_rows_behind(&mut world, 4);
    world.run(Mode::Full).await.unwrap();
    assert_eq!(keys(&world), [1, 2, 3, 4, 5]);
    // There is nothing to make up for.
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.asked();
    world.since = None;
    world.run(Mode::Incremental).await.unwrap();
    let asked = world.source.asked();
    assert!(
        !asked.iter().any(
            |asked| matches!(asked, Asked::Page(stream, ..) if stream.as_str() == "pumps-all")
        ),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_too_old_is_not_taken_for_a_loss() {
    // The listing has no order and is joined into others, so a pass that proves nothing is judged by how much it showed.
    let shape = Shape {
        tables: vec!["pumps", "parts"],
        joins: vec![("parts", "pumps")],
        ..Shape::default()
    };
    let mut world = World::new(shape);
    for key in 0..40 {
        world.put(key, key + 1);
    }
    world.clock.advance(Duration::from_secs(3600));
    world.since = Some(wrenchtime_connector::Clock::now(&world.clock));
    for key in 0..15 {
        world.put(key, key + 2);
    }
    world.settle();
    world.run(Mode::Full).await.unwrap();
    // Of the fifteen that are stored twelve are gone, and the row that cannot be read lets absence prove nothing.
    for key in 3..15 {
        world.source.act(&Op::Remove { key });
    }
    world.source.spoil(20, false);
    world.settle();
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert!(report.progress.faults["pumps-all"].contains("of 15 stored rows"));
}

proptest! {
    #![proptest_config(cases(192))]

    /// The copy is that part of the truth which changed since the look-back's instant, whatever happens meanwhile.
    #[test]
    fn rule_9_a_look_back_keeps_to_one_instant(
        shape in shape(),
        day in any::<bool>(),
        undated in any::<bool>(),
        before in proptest::collection::vec(op(ALL), 0..40),
        meanwhile in script(Life { removals: false, ..ALL }, 12),
        after in proptest::collection::vec(op(ALL), 0..20),
        (ago, more) in (0..600_i64, 0..600_i64),
    ) {
        let precision = if day { Precision::Day } else { shape.precision };
        let mut world = World::new(Shape { precision, undated_rows: undated, ..shape });
        before.iter().for_each(|op| world.source.act(op));
        let now = wrenchtime_connector::Clock::now(&world.clock) + world.source.shape.skew;
        let since = now - TimeDelta::seconds(ago);
        world.since = Some(since);
        wait(async {
            world.source.script(meanwhile);
            world.run(Mode::Full).await.unwrap();
            world.source.quiet();
            after.iter().for_each(|op| world.source.act(op));
            world.settle();
            let report = world.accept_all(Mode::Incremental).await;
            prop_assert_eq!(drifted(&report), 0);
            world.assert_true();

            world.since = Some(since - TimeDelta::seconds(more));
            let report = world.run(Mode::Incremental).await.unwrap();
            prop_assert_eq!(drifted(&report), 0);
            world.assert_true();

            world.since = None;
            let report = world.run(Mode::Incremental).await.unwrap();
            prop_assert_eq!(drifted(&report), 0);
            world.assert_true();
            Ok(())
        })?;
    }
}
