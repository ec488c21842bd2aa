//! What is in quarantine is tried again.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use wrenchtime_connector::{Document, MapError, Mapped, Mapper, Yields};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{Fault, Mode, Outcome, RunReport};

use crate::source::{Asked, Op, Shape};
use crate::support::{TestMapper, World, cases, shape, wait};

fn mapper(version: &'static str, refuses: Option<u32>) -> Arc<TestMapper> {
    Arc::new(TestMapper { version, refuses })
}

fn quarantined(report: &RunReport) -> u64 {
    let resources = report.progress.resources.values();
    resources.map(|counts| counts.quarantined).sum()
}

/// A world in which this row cannot be mapped by the first version.
async fn refusing(shape: Shape) -> World {
    let mut world = World::with_rows(shape, 9);
    world.mapper = mapper("1", Some(5));
    world.run(Mode::Full).await.unwrap();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.asked();
    world
}

#[tokio::test]
async fn rule_8_another_mapping_is_tried_at_the_next_run_without_asking_the_source() {
    let mut world = refusing(Shape::default()).await;
    assert_eq!(world.copy().len(), 8);
    world.mapper = mapper("2", None);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    // Changes alone were asked for, and there were none.
    assert_eq!(world.source.asked().len(), 1);
    world.assert_true();
    let documents = world.storage.documents(world.connection);
    assert!(
        documents
            .iter()
            .all(|document| document.quarantined.is_none())
    );
}

#[tokio::test]
async fn rule_8_what_is_tried_in_vain_is_not_tried_again_by_the_same_version() {
    let mut world = refusing(Shape::default()).await;
    world.mapper = mapper("2", Some(5));
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(
        (report.outcome, quarantined(&report)),
        (Outcome::Partial, 1)
    );
    let before = world.storage.writes();
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(
        (report.outcome, quarantined(&report)),
        (Outcome::Complete, 0)
    );
    assert_eq!(world.storage.writes().documents, before.documents);
    // Somebody wants it all the same.
    world.storage.retry_all(world.connection);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(quarantined(&report), 1);
    assert_eq!(world.storage.writes().documents, before.documents + 1);
    let told = world.storage.documents(world.connection);
    let tried: Vec<&str> = told
        .iter()
        .filter(|document| document.quarantined.is_some())
        .map(|document| &*document.tried_by)
        .collect();
    assert_eq!(tried, ["2"]);
    assert_eq!(world.copy().len(), 8);
}

#[tokio::test]
async fn rule_8_a_row_on_which_fetching_broke_is_fetched_again_when_somebody_wants_it() {
    let shape = Shape {
        listing: Yields::Stubs,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 9);
    world.source.break_fetch(4);
    world.run(Mode::Full).await.unwrap();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.asked();
    for still_broken in [true, false] {
        if !still_broken {
            world.source.mend();
        }
        world.storage.retry_all(world.connection);
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!(quarantined(&report), u64::from(still_broken));
        let fetched = world
            .source
            .asked()
            .into_iter()
            .filter(|asked| matches!(asked, Asked::Fetch(_)));
        let fetched: Vec<_> = fetched.collect();
        // What breaks may be passing, so it is repeated twice.
        let times = if still_broken { 3 } else { 1 };
        assert_eq!(fetched.len(), times, "{fetched:?}");
        let issues = world.storage.issues(world.connection);
        assert_eq!(issues.len(), usize::from(still_broken));
    }
    world.assert_true();
    // Asked for once.
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
}

#[tokio::test]
async fn a_row_that_is_gone_when_it_is_fetched_again_is_in_quarantine_no_more() {
    let shape = Shape {
        listing: Yields::Stubs,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 9);
    world.source.break_fetch(4);
    world.run(Mode::Full).await.unwrap();
    world.source.mend();
    world.source.act(&Op::Remove { key: 4 });
    world.storage.retry_all(world.connection);
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.storage.issues(world.connection), []);
    world.assert_true();
}

#[tokio::test]
async fn a_source_without_fetching_is_asked_for_nothing_by_key() {
    let shape = Shape {
        fetch_limit: None,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 9);
    world.run(Mode::Full).await.unwrap();
    world.source.spoil(4, true);
    world.run(Mode::Full).await.unwrap();
    world.storage.retry_all(world.connection);
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.source.asked().len(), 1);
    assert_eq!(world.storage.issues(world.connection).len(), 1);
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn rule_8_no_retry_loses_or_doubles_anything_wherever_it_is_killed(
        shape in shape(),
        puts in proptest::collection::vec((0..9_u32, 0..12_u32), 0..6),
        deaths in proptest::collection::vec((1..8_u64, any::<bool>()), 1..5),
    ) {
        let shape = Shape { fetch_limit: Some(3), ..shape };
        wait(async {
            let mut world = refusing(shape).await;
            for (key, value) in puts {
                world.put(key, value);
            }
            let versions = ["2", "3", "4", "5"];
            for ((call, before), version) in deaths.into_iter().zip(versions) {
                world.mapper = mapper(version, Some(7));
                world.storage.retry_all(world.connection);
                world.storage.fail(if before { Fault::Before(call) } else { Fault::After(call) });
                let ended = world.run_all().await;
                prop_assert_eq!(world.storage.recover(), ended.is_err());
                world.assert_feed();
            }
            world.settle();
            world.mapper = mapper("6", None);
            world.accept_all(Mode::Incremental).await;
            world.assert_true();
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn rows_that_stay_broken_keep_no_mended_one_in_quarantine() {
    let shape = Shape {
        listing: Yields::Stubs,
        page: 5,
        fetch_limit: Some(50),
        ..Shape::default()
    };
    let world = World::with_rows(shape, 40);
    for key in 0..12 {
        world.source.break_fetch(key);
    }
    world.run(Mode::Full).await.unwrap();
    assert_eq!(world.storage.issues(world.connection).len(), 12);
    world.source.mend();
    // The mended one is the last in order.
    for key in (0..12).filter(|key| *key != 9) {
        world.source.break_fetch(key);
    }
    world.storage.retry_all(world.connection);
    let mut left = Vec::new();
    for _ in 0..2 {
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!(report.outcome, Outcome::Partial);
        left.push(world.storage.issues(world.connection).len());
    }
    // Ten are too many to go on in the same run.
    assert_eq!(left, [12, 11]);
}

/// Breaks down on one value, in its newest version.
#[derive(Debug)]
struct BreaksDown(Arc<TestMapper>);

impl Mapper for BreaksDown {
    fn version(&self) -> &str {
        self.0.version()
    }

    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        assert!(!document.body.get().contains("\"v\":5"), "on purpose");
        self.0.map(connection, document)
    }
}

#[tokio::test]
async fn a_mapping_that_breaks_down_on_a_row_in_quarantine_stops_no_stream() {
    let mut world = refusing(Shape {
        tables: vec!["pumps", "valves"],
        // What pumps are joined into waits for nothing either.
        joins: vec![("valves", "pumps")],
        ..Shape::default()
    })
    .await;
    world.source.put_into("valves", 3, 7);
    world.settle();
    world.mapper = mapper("2", None);
    let mut request = world.request(Mode::Incremental);
    request.mapper = Arc::new(BreaksDown(mapper("2", None)));
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(quarantined(&report), 1);
    assert_eq!(report.progress.faults, BTreeMap::new());
    let copied = |world: &World| world.copy().len() + 1;
    assert_eq!(copied(&world), world.truth().len());
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}
