//! Rows that go: by a mark, by absence, and when not to believe it.

use proptest::prelude::*;
use wrenchtime_connector::{Deletes, Yields};
use wrenchtime_sync::{Mode, Outcome};

use crate::source::{Op, Shape};
use crate::support::{World, cases, shape, wait};

fn gone(world: &World) -> usize {
    let records = world.storage.records(world.connection);
    records
        .iter()
        .filter(|record| record.envelope.deleted)
        .count()
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn rule_6_deletes_by_mark_and_by_absence_arrive_and_returning_rows_come_back(
        shape in shape(),
        flagged in proptest::collection::btree_set(0..60_u32, 0..5),
        removed in proptest::collection::btree_set(0..60_u32, 0..6),
        back in proptest::collection::btree_set(0..60_u32, 0..8),
        confirms in any::<bool>(),
    ) {
        let fetch_limit = (confirms || shape.listing == Yields::Stubs || shape.changes == Some(Yields::Stubs)).then_some(3);
        let world = World::with_rows(Shape { fetch_limit, ..shape }, 60);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for key in &flagged {
                world.source.act(&Op::Flag { key: *key });
            }
            for key in &removed {
                world.source.act(&Op::Remove { key: *key });
            }
            world.settle();
            let report = world.run_all().await.unwrap();
            prop_assert_eq!(report.outcome, Outcome::Complete);
            world.assert_true();
            prop_assert_eq!(gone(&world), flagged.union(&removed).count());
            for key in &back {
                world.put(*key, *key + 1);
            }
            world.settle();
            world.run_all().await.unwrap();
            world.assert_true();
            Ok(())
        })?;
    }

    #[test]
    fn rule_6_rows_that_move_while_a_listing_pages_are_not_taken_for_gone(
        shape in shape(),
        script in crate::support::script(crate::support::Life { late: true, future: true, ..Default::default() }, 60),
    ) {
        let world = World::with_rows(shape, 24);
        world.source.script(script);
        wait(async {
            for _ in 0..3 {
                world.run(Mode::Full).await.unwrap();
                prop_assert_eq!(gone(&world), 0);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn what_the_listing_hides_and_a_fetch_shows_stays() {
    // The listing leaves marked rows out, a fetch brings them with the mark; other rows it just brings.
    let shape = Shape {
        deletes: Deletes::Absent,
        changes: None,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 30);
    world.run(Mode::Full).await.unwrap();
    world.source.act(&Op::Flag { key: 3 });
    world.source.act(&Op::Remove { key: 9 });
    // This row comes back between the listing and the question for it.
    world.source.act(&Op::Remove { key: 12 });
    world.source.at_request(8, |source| {
        source.act(&Op::Put {
            key: 12,
            value: 77,
            delay: 0,
        });
    });
    world.run_all().await.unwrap();
    world.assert_true();
    let record = |key: &str| {
        let records = world.storage.records(world.connection);
        let found = records
            .into_iter()
            .find(|record| record.envelope.remote_id == key);
        found.unwrap().envelope.deleted
    };
    assert!(record("3") && record("9") && !record("12"));
}

#[tokio::test]
async fn a_listing_that_failed_proves_nothing() {
    let world = World::with_rows(Shape::default(), 30);
    world.run(Mode::Full).await.unwrap();
    world.source.act(&Op::Remove { key: 2 });
    let broken =
        || wrenchtime_connector::Error::new(wrenchtime_connector::ErrorKind::Invalid, "ask: no");
    // The changes take one page, the listing breaks on its fourth.
    world.source.fail([None, None, None, None, Some(broken())]);
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(gone(&world), 0);
    // The rest of that pass proves nothing either, for its marks went with the run; a whole one does.
    world.run_all().await.unwrap();
    assert_eq!(gone(&world), 0);
    world.run_all().await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn a_listing_that_is_not_in_order_proves_nothing() {
    let world = World::with_rows(Shape::default(), 30);
    world.run(Mode::Full).await.unwrap();
    let mut liar = world.source.clone();
    liar.disordered = true;
    let mut request = world.request(Mode::Full);
    request.connector = std::sync::Arc::new(liar);
    world.send(request).await.unwrap();
    assert_eq!(gone(&world), 0);
}

#[tokio::test]
async fn marks_by_deletion_alone_make_absence_mean_nothing() {
    let shape = Shape {
        deletes: Deletes::Flagged,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 30);
    world.run(Mode::Full).await.unwrap();
    world.source.act(&Op::Remove { key: 2 });
    world.source.act(&Op::Flag { key: 3 });
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(gone(&world), 1);
}

#[tokio::test]
async fn a_flagged_stub_whose_row_is_gone_takes_it_out() {
    for fetch_limit in [Some(3), None] {
        let shape = Shape {
            listing: Yields::Documents,
            changes: Some(Yields::Stubs),
            fetch_limit,
            ..Shape::default()
        };
        let world = World::with_rows(shape, 5);
        // Without fetching, stubs of live rows cannot be completed: that stream is faulty, the listing is not.
        world.run(Mode::Full).await.unwrap();
        world.settle();
        world.run(Mode::Incremental).await.ok();
        world.source.act(&Op::Flag { key: 1 });
        let hidden = fetch_limit.is_some();
        world.source.at_request(2, move |source| {
            if hidden {
                source.act(&Op::Remove { key: 1 });
            }
        });
        world.run(Mode::Incremental).await.unwrap();
        assert_eq!(gone(&world), 1);
        world.assert_true();
    }
}

#[tokio::test]
async fn a_row_that_goes_between_stub_and_fetch_is_gone() {
    for listing_sorted in [true, false] {
        let shape = Shape {
            listing: Yields::Stubs,
            listing_sorted,
            changes: None,
            page: 50,
            ..Shape::default()
        };
        let world = World::with_rows(shape, 20);
        world.run(Mode::Full).await.unwrap();
        world.put(6, 60);
        world
            .source
            .at_request(2, |source| source.act(&Op::Remove { key: 6 }));
        world.run_all().await.unwrap();
        assert_eq!(gone(&world), 1);
        world.assert_true();
    }
}

#[tokio::test]
async fn a_row_that_comes_back_as_it_was_clears_its_tombstone() {
    for listing in [Yields::Documents, Yields::Stubs] {
        let shape = Shape {
            listing,
            changes: None,
            ..Shape::default()
        };
        let world = World::with_rows(shape, 20);
        world.run(Mode::Full).await.unwrap();
        let before = world.source.snapshot();
        world.source.act(&Op::Remove { key: 6 });
        world.run_all().await.unwrap();
        assert_eq!(gone(&world), 1);
        world.source.restore(before);
        world.run_all().await.unwrap();
        assert_eq!(gone(&world), 0);
        world.assert_true();
    }
}

#[tokio::test]
async fn a_snapshot_that_goes_back_after_a_crash_is_read_whole() {
    for listing_sorted in [true, false] {
        for call in 1..9 {
            let shape = Shape {
                listing_sorted,
                changes: None,
                token: true,
                fetch_limit: None,
                ..Shape::default()
            };
            let world = World::with_rows(shape, 16);
            world.run(Mode::Full).await.unwrap();
            let before = world.source.snapshot();
            for key in 0..16 {
                world.put(key, 50 + key);
            }
            world.source.act(&Op::Remove { key: 1 });
            world.source.act(&Op::Remove { key: 14 });
            world.storage.fail(wrenchtime_sync::Fault::After(call));
            let died = world.run(Mode::Incremental).await.is_err();
            assert_eq!(world.storage.recover(), died);
            world.source.restore(before);
            world.run(Mode::Incremental).await.unwrap();
            world.run(Mode::Incremental).await.unwrap();
            world.assert_true();
        }
    }
}
