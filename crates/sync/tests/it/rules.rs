//! A property for each rule of reading.

use std::time::Duration;

use proptest::prelude::*;
use wrenchtime_connector::{Bound, Deletes, Precision, Yields};
use wrenchtime_model::{EventBody, EventType};
use wrenchtime_sync::{Mode, Outcome, RunError};

use crate::source::{Asked, Op, Shape};
use crate::support::{ALL, Life, World, cases, op, script, shape, wait};

/// Everything that a stream of changes alone can show.
const SEEN_IN_CHANGES: Life = Life {
    late: true,
    children: false,
    future: true,
    flags: true,
    removals: false,
};

/// Runs a first sync and several incremental ones while the script goes on, then one when all is quiet. Only the
/// first sync lists.
async fn follow_changes(world: &World, script: Vec<Vec<Op>>, runs: usize) {
    world.source.script(script);
    world.run(Mode::Full).await.unwrap();
    for _ in 0..runs {
        world.run(Mode::Incremental).await.unwrap();
    }
    world.source.quiet();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn rule_1_a_row_with_the_time_of_the_bound_is_found(
        precision in prop_oneof![Just(Precision::Second), Just(Precision::Minute)],
        first in proptest::collection::vec(0..24_u32, 1..8),
        second in proptest::collection::vec(0..24_u32, 1..8),
    ) {
        // No lag, and no time between: all rows of both runs carry the same time or the next.
        let shape = Shape { precision, lag: Duration::ZERO, ..Shape::default() };
        let world = World::new(shape);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for (keys, value) in [(first, 1), (second, 2)] {
                for key in keys {
                    world.put(key, value);
                }
                world.run(Mode::Incremental).await.unwrap();
                world.assert_true();
            }
        });
    }

    #[test]
    fn rule_2_reading_again_is_silent(shape in shape(), before in script(ALL, 12)) {
        let world = World::new(shape);
        for op in before.iter().flatten() {
            world.source.act(op);
        }
        world.settle();
        wait(async {
            world.run(Mode::Full).await.unwrap();
            world.settle();
            world.run_all().await.unwrap();
            let written = world.storage.writes();
            let told = world.storage.events(world.connection).len();
            for mode in [Mode::Incremental, Mode::Full] {
                let report = world.run(mode).await.unwrap();
                prop_assert_eq!(report.outcome, Outcome::Complete);
            }
            world.run_all().await.unwrap();
            let again = world.storage.writes();
            prop_assert_eq!(again.documents, written.documents);
            prop_assert_eq!(again.records, written.records);
            // Three runs came to their end, and that is all there is to tell.
            prop_assert_eq!(world.storage.events(world.connection).len(), told + 3);
            world.assert_true();
            Ok(())
        })?;
    }

    #[test]
    fn rule_3_what_appears_within_the_lag_is_found(
        shape in shape(),
        script in script(SEEN_IN_CHANGES, 40),
        runs in 1..6_usize,
    ) {
        let world = World::new(shape);
        wait(follow_changes(&world, script, runs));
        world.assert_true();
    }

    #[test]
    fn rule_3_the_bound_never_goes_back_and_never_into_what_may_still_appear(
        skew in -90..90_i64,
        ops in proptest::collection::vec(op(SEEN_IN_CHANGES), 1..60),
    ) {
        let skew = chrono::TimeDelta::seconds(skew);
        let world = World::new(Shape { skew, ..Shape::default() });
        let lag = chrono::TimeDelta::seconds(30);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            let mut last = None;
            for some in ops.chunks(5) {
                for op in some {
                    world.source.act(op);
                }
                world.run(Mode::Incremental).await.unwrap();
                let source_now = wrenchtime_connector::Clock::now(&world.clock) + skew;
                let Some(Bound::Time { at, .. }) = world.state("pumps-changes").await.bound else {
                    panic!("a stream of changes has a bound in time");
                };
                prop_assert!(Some(at) >= last);
                prop_assert!(at <= source_now - lag);
                last = Some(at);
            }
            Ok(())
        })?;
    }

    #[test]
    fn rule_4_edits_while_paging_lose_nothing(
        shape in shape(),
        page in 1..4_u32,
        rows in 0..24_u32,
        script in script(SEEN_IN_CHANGES, 30),
    ) {
        let world = World::with_rows(Shape { page, ..shape }, rows);
        wait(follow_changes(&world, script, 2));
        world.assert_true();
    }

    #[test]
    fn everything_at_once_ends_in_the_truth(
        shape in shape(),
        script in script(ALL, 60),
        modes in proptest::collection::vec(0..4_u8, 1..6),
    ) {
        let world = World::new(shape);
        world.source.script(script);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for mode in modes {
                let report = match mode {
                    0 => world.run(Mode::Full).await,
                    1 => world.run_all().await,
                    _ => world.run(Mode::Incremental).await,
                };
                report.unwrap();
                world.assert_feed();
            }
            world.source.quiet();
            world.settle();
            world.accept_all(Mode::Full).await;
            world.assert_true();
        });
    }
}

#[tokio::test]
async fn rule_2_the_record_decides_not_the_document() {
    let world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    let before = world.storage.writes();
    // The same value again: the row's version is another, the record is not.
    world.put(1, 2);
    let report = world.run(Mode::Incremental).await.unwrap();
    let after = world.storage.writes();
    assert_eq!(after.documents, before.documents + 1);
    assert_eq!(after.records, before.records);
    let counts: Vec<_> = report.progress.resources.values().collect();
    assert_eq!(counts.iter().map(|counts| counts.changed).sum::<u64>(), 0);
}

#[tokio::test]
async fn rule_2_another_mapping_maps_again_what_it_meets() {
    let mut world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    let before = world.storage.writes();
    world.mapper = std::sync::Arc::new(crate::support::TestMapper {
        version: "2",
        refuses: None,
    });
    world.run(Mode::Full).await.unwrap();
    let after = world.storage.writes();
    assert_eq!(after.documents, before.documents + 3);
    assert_eq!(after.records, before.records);
    world.run(Mode::Full).await.unwrap();
    assert_eq!(world.storage.writes().documents, after.documents);
}

#[tokio::test]
async fn rule_3_an_idle_source_after_a_mass_update_costs_one_page() {
    let world = World::new(Shape::default());
    world.run(Mode::Full).await.unwrap();
    for key in 0..200 {
        world.put(key, 7);
    }
    world.run(Mode::Incremental).await.unwrap();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
    world.assert_true();
}

#[tokio::test]
async fn rule_3_a_resumed_pass_keeps_its_first_start() {
    let world = World::with_rows(Shape::default(), 20);
    world.run(Mode::Full).await.unwrap();
    for key in 0..20 {
        world.put(key, 3);
    }
    world.storage.fail(wrenchtime_sync::Fault::After(4));
    world.run(Mode::Incremental).await.unwrap_err();
    assert!(world.storage.recover());
    let left = world.state("pumps-changes").await.pass.unwrap();
    world.clock.advance(Duration::from_secs(3_600));
    // This came while nobody read, with a time before the resumed pass but after its first start.
    world.put(0, 4);
    world.clock.advance(Duration::from_secs(3_600));
    world.run(Mode::Incremental).await.unwrap();
    let Some(Bound::Time { at, .. }) = world.state("pumps-changes").await.bound else {
        panic!("a stream of changes has a bound in time");
    };
    assert!(at <= left.started_at - chrono::TimeDelta::seconds(30));
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn rule_4_thousands_of_ties_cost_constant_state() {
    let shape = Shape {
        page: 50,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 5_000);
    let mut pages = 0;
    loop {
        // Every few pages the process dies, so that checkpoints are seen in the middle.
        world.storage.fail(wrenchtime_sync::Fault::After(12));
        let ended = world.run(Mode::Full).await;
        world.storage.recover();
        for stream in ["pumps-all", "pumps-changes"] {
            let state = serde_json::to_string(&world.state(stream).await).unwrap();
            assert!(state.len() < 4_096, "{} bytes", state.len());
        }
        pages += 1;
        if ended.is_ok() {
            break;
        }
    }
    assert!(pages > 5, "the process died {pages} times");
    world.assert_true();
}

#[tokio::test]
async fn rule_4_a_source_that_leads_in_a_circle_is_left() {
    let world = World::with_rows(Shape::default(), 20);
    let circling = crate::faults::Circling(world.source.clone());
    let mut request = world.request(Mode::Full);
    request.connector = std::sync::Arc::new(circling);
    let error = world.send(request).await.unwrap_err();
    let RunError::Source { error, report } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(error.kind(), wrenchtime_connector::ErrorKind::Protocol);
    assert_eq!(report.outcome, Outcome::Failed);
}

#[tokio::test]
async fn a_quiet_source_is_asked_what_the_cursors_need_and_no_more() {
    let shape = Shape {
        tables: vec!["pumps", "valves"],
        ..Shape::default()
    };
    let world = World::with_rows(shape, 9);
    world.source.put_into("valves", 1, 1);
    world.settle();
    world.run(Mode::Full).await.unwrap();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.asked();
    let before = world.storage.writes();
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    let asked = world.source.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let at_the_bound = |asked: &Asked| matches!(asked, Asked::Page(_, Some(_), None));
    assert!(asked.iter().all(at_the_bound));
    let after = world.storage.writes();
    assert_eq!(after.documents, before.documents);
    assert_eq!(after.records, before.records);
    assert_eq!(after.events, before.events + 1);
}

fn snapshots() -> Shape {
    Shape {
        changes: None,
        token: true,
        listing_sorted: false,
        deletes: Deletes::Absent,
        fetch_limit: None,
        ..Shape::default()
    }
}

fn mapper(
    version: &'static str,
    refuses: Option<u32>,
) -> std::sync::Arc<crate::support::TestMapper> {
    std::sync::Arc::new(crate::support::TestMapper { version, refuses })
}

#[tokio::test]
async fn a_snapshot_that_did_not_change_is_mapped_by_another_mapping() {
    let mut world = World::with_rows(snapshots(), 9);
    world.run(Mode::Full).await.unwrap();
    world.mapper = mapper("2", None);
    world.run(Mode::Incremental).await.unwrap();
    let mapped = world.storage.documents(world.connection);
    assert!(mapped.iter().all(|document| document.row.mapped_by == "2"));
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
}

#[tokio::test]
async fn a_snapshot_with_a_row_that_broke_stays_partial_until_it_is_mended() {
    let mut world = World::with_rows(snapshots(), 9);
    world.mapper = mapper("1", Some(4));
    for mode in [Mode::Full, Mode::Incremental, Mode::Incremental] {
        let report = world.run(mode).await.unwrap();
        assert_eq!(report.outcome, Outcome::Partial);
    }
    world.mapper = mapper("2", None);
    for _ in 0..2 {
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        world.assert_true();
    }
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
}

#[tokio::test]
async fn a_snapshot_that_goes_back_after_one_that_is_not_believed_is_read() {
    let world = World::with_rows(snapshots(), 9);
    world.run(Mode::Full).await.unwrap();
    let before = world.source.snapshot();
    world.put(20, 70);
    world.source.spoil(3, false);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    world.source.restore(before);
    world.source.mend();
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn rows_are_expected_once() {
    for sorted in [true, false] {
        for call in [None, Some(2), Some(4)] {
            let shape = Shape {
                listing_sorted: sorted,
                ..snapshots()
            };
            let world = World::with_rows(shape, 14);
            if let Some(call) = call {
                world.storage.fail(wrenchtime_sync::Fault::After(call));
                world.run(Mode::Full).await.unwrap_err();
                world.storage.recover();
            }
            let report = world.run(Mode::Full).await.unwrap();
            assert_eq!(report.progress.rows_expected, Some(14), "{sorted} {call:?}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_did_not_change_is_not_read() {
    let shape = snapshots();
    let world = World::with_rows(shape, 9);
    world.run(Mode::Full).await.unwrap();
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
    world.put(3, 77);
    world.source.act(&Op::Remove { key: 4 });
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn records_of_the_first_sync_are_told_as_initial() {
    let world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    world.put(9, 9);
    world.run(Mode::Incremental).await.unwrap();
    let events = world.storage.events(world.connection).into_iter();
    let initial: Vec<bool> = events
        .filter_map(|event| match event.body {
            EventBody::Record { initial, .. } => Some(initial),
            EventBody::Lifecycle { .. } => None,
        })
        .collect();
    assert_eq!(initial, [true, true, true, false]);
    let told = world.lifecycle();
    assert!(
        told.iter()
            .all(|(event, _)| *event == EventType::SyncCompleted)
    );
    assert_eq!(told[0].1["outcome"], "complete");
}

#[tokio::test]
async fn stubs_are_completed_only_where_they_differ() {
    let shape = Shape {
        changes: None,
        listing: Yields::Stubs,
        page: 50,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 40);
    world.run(Mode::Full).await.unwrap();
    world.put(7, 50);
    world.put(41, 51);
    world.source.act(&Op::Flag { key: 9 });
    world.source.asked();
    let report = world.run_all().await.unwrap();
    let fetched: Vec<Vec<String>> = world
        .source
        .asked()
        .into_iter()
        .filter_map(|asked| match asked {
            Asked::Fetch(keys) => Some(keys.iter().map(ToString::to_string).collect()),
            Asked::Page(..) => None,
        })
        .collect();
    assert_eq!(fetched, [["7", "9", "41"]]);
    let totals = report.progress.resources.values();
    assert_eq!(totals.map(|counts| counts.unchanged).sum::<u64>(), 38);
    world.assert_true();
}
