//! What is joined into others is read before them, and they are held back while it is in doubt.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wrenchtime_connector::{EntityName, Error, ErrorKind, Yields};
use wrenchtime_model::{IdentityClass, RecordId};
use wrenchtime_sync::{Decision, Fault, Mode, Outcome, RunError, RunReport};

use crate::source::{Asked, Shape};
use crate::support::{World, cases, shape, wait};

const ROWS: u32 = 30;

/// Valves show values of pumps. Fans have to do with neither.
fn joining(shape: &Shape) -> Shape {
    Shape {
        tables: vec!["pumps", "valves", "fans"],
        joins: vec![("valves", "pumps")],
        listing: Yields::Documents,
        ..shape.clone()
    }
}

/// Files: read whole when anything changed.
fn files() -> Shape {
    joining(&Shape {
        changes: None,
        listing_sorted: false,
        fetch_limit: None,
        token: true,
        ..Shape::default()
    })
}

fn world(shape: Shape) -> World {
    let world = World::with_rows(shape, ROWS);
    for key in 0..ROWS {
        world.source.put_into("valves", key, 1);
        world.source.put_into("fans", key, 1);
    }
    world.settle();
    world
}

fn shrink(world: &World, keep: u32) {
    for key in keep..ROWS {
        world.source.take_from("pumps", key);
    }
}

fn restore(world: &World) {
    for key in 0..ROWS {
        world.source.put_into("pumps", key, key + 1);
    }
    world.settle();
}

/// Returns the contents of a table's live records by key.
fn contents(world: &World, table: &str) -> BTreeMap<u32, String> {
    let class = IdentityClass::new(table);
    let records = world.storage.records(world.connection).into_iter();
    records
        .filter(|record| !record.envelope.deleted)
        .filter(|record| {
            let key = &record.envelope.remote_id;
            record.envelope.id == RecordId::derive(world.connection, &class, key)
        })
        .map(|record| {
            let key = record.envelope.remote_id.parse().unwrap();
            (key, record.content.get().to_owned())
        })
        .collect()
}

/// Every valve shows the value that its pump always had.
#[track_caller]
fn assert_joined(world: &World) {
    for (key, content) in contents(world, "valves") {
        let joined = format!("/{}\"}}", key + 1);
        assert!(content.ends_with(&joined), "valve {key} is {content}");
    }
}

/// Returns the tables that pages were asked of, in the order of their first.
fn tables(world: &World) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for asked in world.source.asked() {
        let Asked::Page(stream, ..) = asked else {
            continue;
        };
        let (table, _) = stream.as_str().split_once('-').unwrap();
        if tables.last().is_none_or(|last| last != table) {
            tables.push(table.to_owned());
        }
    }
    tables
}

fn forbidden() -> Error {
    Error::new(ErrorKind::PermissionDenied, "ask: not allowed")
}

#[track_caller]
fn assert_held(report: &RunReport, streams: &[&str], words: &str) {
    assert_eq!(report.outcome, Outcome::Partial);
    for stream in streams {
        let fault = &report.progress.faults[*stream];
        assert!(fault.starts_with(words), "{stream}: {fault}");
    }
}

#[tokio::test]
async fn what_is_joined_is_read_first_and_with_it() {
    let shape = Shape {
        tables: vec!["seals", "valves", "fans", "pumps"],
        joins: vec![("seals", "valves"), ("valves", "pumps")],
        ..Shape::default()
    };
    let world = World::new(shape);
    for table in ["seals", "valves", "fans", "pumps"] {
        world.source.put_into(table, 1, 1);
    }
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    let read = tables(&world);
    let last = |table| read.iter().rposition(|one| one == table).unwrap();
    let first = |table| read.iter().position(|one| one == table).unwrap();
    assert!(last("pumps") < first("valves"), "{read:?}");
    assert!(last("valves") < first("seals"), "{read:?}");
    assert_eq!(report.progress.streams_total, 8);
    assert_eq!(report.progress.streams_done, 8);

    for (asked, read) in [
        ("seals", &["pumps", "valves", "seals"][..]),
        ("valves", &["pumps", "valves"]),
        ("pumps", &["pumps"]),
        ("fans", &["fans"]),
    ] {
        let mut request = world.request(Mode::Full);
        request.entities = Some(vec![EntityName::from_static(asked)]);
        world.send(request).await.unwrap();
        assert_eq!(tables(&world), read);
    }
}

#[tokio::test]
async fn a_suspect_pass_holds_back_what_relies_on_it_until_it_is_confirmed() {
    for shape in [files(), joining(&Shape::default())] {
        let world = world(shape);
        world.run(Mode::Full).await.unwrap();
        world.source.asked();
        shrink(&world, 10);
        // Two runs, for a doubt does not fade.
        for _ in 0..2 {
            world.source.put_into("fans", 3, 7);
            world.source.put_into("valves", 3, 7);
            world.settle();
            let report = world.run_all().await.unwrap();
            let words = "held back until pumps can be relied on: 20 of 30 stored rows";
            assert_held(&report, &["valves-all"], words);
            assert_eq!(
                report.progress.faults.len(),
                world.source.shape.tables.len() - 1 + {
                    usize::from(world.source.shape.changes.is_some())
                }
            );
            assert!(!tables(&world).contains(&"valves".to_owned()));
            assert!(contents(&world, "valves")[&3].contains("\"1/"));
            assert!(contents(&world, "fans")[&3].contains("\"7/"));
            assert_joined(&world);
        }
        world.decide(Decision::Confirm).await;
        let report = world.run_all().await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        world.assert_true();
        assert!(contents(&world, "valves")[&3].contains("\"7/4\""));
        assert!(contents(&world, "valves")[&20].contains("\"1/0\""));
    }
}

#[tokio::test]
async fn a_doubt_lasts_where_the_listing_would_not_be_due() {
    let world = world(joining(&Shape::default()));
    world.run(Mode::Full).await.unwrap();
    shrink(&world, 10);
    // Somebody asks for listings; the runs behind that one would ask for changes alone.
    world.run_all().await.unwrap();
    for _ in 0..2 {
        world.source.put_into("valves", 20, 7);
        world.settle();
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_held(&report, &["valves-changes"], "held back until pumps");
        assert_joined(&world);
    }
    restore(&world);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert!(contents(&world, "valves")[&20].contains("\"7/21\""));
    world.source.asked();
    world.run(Mode::Incremental).await.unwrap();
    assert!(!world.source.asked().iter().any(|asked| {
        matches!(asked, Asked::Page(stream, ..) if stream.as_str().ends_with("-all"))
    }));
}

#[tokio::test]
async fn a_stream_that_failed_holds_back_all_that_rely_on_it() {
    for stream in ["pumps-all", "pumps-changes"] {
        let mut shape = joining(&Shape::default());
        shape.tables.push("seals");
        shape.joins.push(("seals", "valves"));
        let world = world(shape);
        world.run(Mode::Full).await.unwrap();
        world.source.asked();
        world.source.break_stream(stream, Some(forbidden));
        let report = world.run_all().await.unwrap();
        let words = "held back until pumps can be relied on: ask: not allowed";
        assert_held(&report, &["valves-all", "valves-changes"], words);
        let words = "held back until valves can be relied on: held back until pumps";
        assert_held(&report, &["seals-all", "seals-changes"], words);
        let read = tables(&world);
        assert!(read.contains(&"fans".to_owned()) && !read.contains(&"valves".to_owned()));
        world.source.break_stream(stream, None);
        let report = world.run_all().await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
    }
}

#[tokio::test]
async fn a_row_without_a_key_hides_no_doubt() {
    for listing_sorted in [true, false] {
        let shape = Shape {
            listing_sorted,
            ..joining(&Shape::default())
        };
        let world = world(shape);
        world.run(Mode::Full).await.unwrap();
        // Absence proves nothing now, but nothing is missing: all go on.
        world.source.spoil(2, false);
        world.source.put_into("valves", 3, 7);
        world.settle();
        let report = world.run_all().await.unwrap();
        assert!(report.progress.faults.is_empty(), "{report:?}");
        assert!(contents(&world, "valves")[&3].contains("\"7/4\""));
        shrink(&world, 10);
        let report = world.run_all().await.unwrap();
        assert_held(
            &report,
            &["valves-all"],
            "held back until pumps can be relied on: 20 of 30",
        );
        assert_joined(&world);
    }
}

#[tokio::test]
async fn what_is_confirmed_of_a_pass_that_proves_nothing_lets_the_others_go_on_and_removes_nothing()
{
    let world = world(joining(&Shape::default()));
    world.run(Mode::Full).await.unwrap();
    world.source.spoil(2, false);
    shrink(&world, 10);
    world.run_all().await.unwrap();
    let stands = world.suspicions().await.pop().unwrap();
    assert_eq!(world.storage.suspects(world.connection, stands.id), []);
    world.decide(Decision::Confirm).await;
    world.source.put_into("valves", 3, 7);
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    assert!(contents(&world, "valves")[&3].contains("\"7/4\""));
    assert_eq!(world.copy().len(), 30);
    // A pass that proves which rows are gone has to be confirmed itself.
    world.source.mend();
    let report = world.run_all().await.unwrap();
    assert_held(&report, &["valves-all"], "held back until pumps");
    assert_eq!(world.copy().len(), 30);
    let anew = world.suspicions().await.pop().unwrap();
    assert_ne!(anew.id, stands.id);
    world.decide(Decision::Confirm).await;
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn a_run_killed_behind_or_within_a_suspect_pass_remembers_the_doubt() {
    for shape in [files(), joining(&Shape::default())] {
        let mut points = 0;
        for call in 1.. {
            let mut died = false;
            for fault in [Fault::Before(call), Fault::After(call)] {
                let world = world(shape.clone());
                world.run(Mode::Full).await.unwrap();
                shrink(&world, 10);
                world.settle();
                world.storage.fail(fault);
                died |= world.run_all().await.is_err();
                world.storage.recover();
                assert_joined(&world);
                for _ in 0..2 {
                    let report = world.run_all().await.unwrap();
                    assert_held(&report, &["valves-all"], "held back until pumps");
                    assert_joined(&world);
                }
                restore(&world);
                world.run_all().await.unwrap();
                let report = world.run_all().await.unwrap();
                assert_eq!(report.outcome, Outcome::Complete, "{fault:?}");
                world.assert_true();
                assert_joined(&world);
            }
            if !died {
                break;
            }
            points += 1;
        }
        assert!(points > 10, "only {points} writes were tried");
    }
}

#[tokio::test]
async fn what_was_relied_on_before_a_kill_is_looked_at_once_more() {
    for shape in [files(), joining(&Shape::default())] {
        for mode in [Mode::Full, Mode::Incremental] {
            for call in 2..40 {
                let world = world(shape.clone());
                world.run(Mode::Full).await.unwrap();
                world.put(3, 4);
                for key in 0..ROWS {
                    world.source.put_into("valves", key, 7);
                }
                world.settle();
                world.storage.fail(Fault::After(call));
                let mut request = world.request(mode);
                request.include_listings = true;
                let died = world.send(request).await.is_err();
                assert_eq!(world.storage.recover(), died);
                // The service is down for a while, and the pumps are not what they were.
                shrink(&world, 10);
                for _ in 0..2 {
                    world.run_all().await.unwrap();
                    assert_joined(&world);
                }
                restore(&world);
                for _ in 0..2 {
                    world.run_all().await.unwrap();
                }
                let report = world.run_all().await.unwrap();
                assert_eq!(report.outcome, Outcome::Complete);
                world.assert_true();
                assert_joined(&world);
                let valves = contents(&world, "valves");
                assert!(valves.values().all(|content| content.contains("\"7/")));
            }
        }
    }
}

#[tokio::test]
async fn a_listing_left_by_another_run_is_not_gone_on_with() {
    let mut shape = joining(&Shape::default());
    // Nothing is read beside the pumps.
    shape.tables.retain(|table| *table != "fans");
    let world = world(shape);
    world.run(Mode::Full).await.unwrap();
    // Changes of pumps take one page; the listing breaks on its fourth.
    world
        .source
        .fail([None, None, None, None, None, Some(forbidden())]);
    let failed = world.run_all().await.unwrap();
    assert_held(&failed, &["valves-all"], "held back until pumps");
    // What its first pages showed is gone now: a little, then more than can be believed.
    world.source.take_from("pumps", 2);
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    world.assert_true();
    assert!(contents(&world, "valves")[&2].contains("\"1/0\""));
    world.source.put_into("pumps", 2, 3);
    world
        .source
        .fail([None, None, None, None, None, Some(forbidden())]);
    world.run_all().await.unwrap();
    for key in 0..11 {
        world.source.take_from("pumps", key);
    }
    let report = world.run_all().await.unwrap();
    assert_held(&report, &["valves-all"], "held back until pumps");
    assert!(contents(&world, "valves")[&3].contains("\"1/4\""));
}

/// Something that happens between runs, and a run.
#[derive(Clone, Debug)]
enum Episode {
    Shrink(u32),
    /// All pumps are others.
    Replace,
    Restore,
    Break(&'static str),
    Mend,
    /// A row cannot be read.
    Spoil(u32, bool),
    Touch(u32, u32),
    Kill(u64, bool),
    Fail(usize),
    Run(bool),
}

fn episode() -> impl Strategy<Value = Episode> {
    prop_oneof![
        3 => (0..18_u32).prop_map(Episode::Shrink),
        1 => Just(Episode::Replace),
        2 => Just(Episode::Restore),
        1 => prop_oneof![Just("pumps-all"), Just("pumps-changes")].prop_map(Episode::Break),
        1 => Just(Episode::Mend),
        1 => (0..ROWS, any::<bool>()).prop_map(|(key, tells)| Episode::Spoil(key, tells)),
        3 => (0..ROWS, 2..9_u32).prop_map(|(key, value)| Episode::Touch(key, value)),
        3 => (1..25_u64, any::<bool>()).prop_map(|(call, before)| Episode::Kill(call, before)),
        1 => (0..20_usize).prop_map(Episode::Fail),
        4 => any::<bool>().prop_map(Episode::Run),
    ]
}

impl Episode {
    async fn happen(self, world: &World) {
        let source = &world.source;
        match self {
            Self::Shrink(keep) => shrink(world, keep),
            Self::Replace => {
                shrink(world, 0);
                (0..ROWS).for_each(|key| source.put_into("pumps", 100 + key, 1));
            }
            Self::Restore => {
                (0..ROWS).for_each(|key| source.take_from("pumps", 100 + key));
                restore(world);
            }
            Self::Break(stream) => source.break_stream(stream, Some(forbidden)),
            Self::Mend => {
                source.break_stream("pumps-all", None);
                source.break_stream("pumps-changes", None);
                source.mend();
            }
            Self::Spoil(key, tells) => source.spoil(key, tells),
            Self::Touch(key, value) => source.put_into("valves", key, value),
            Self::Kill(call, before) => world.storage.fail(if before {
                Fault::Before(call)
            } else {
                Fault::After(call)
            }),
            Self::Fail(after) => {
                source.fail((0..after).map(|_| None).chain([Some(forbidden())]));
            }
            Self::Run(full) => {
                let ended = if full {
                    world.run(Mode::Full).await
                } else {
                    world.run_all().await
                };
                assert!(!matches!(ended, Err(RunError::Fenced(_))));
                world.storage.recover();
            }
        }
        assert_joined(world);
    }
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn nothing_that_befalls_what_is_joined_shows_in_what_it_is_joined_into(
        shape in shape(),
        is_a_file in any::<bool>(),
        episodes in proptest::collection::vec(episode(), 1..24),
    ) {
        let shape = if is_a_file { files() } else { joining(&shape) };
        let world = world(shape);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            assert_joined(&world);
            for episode in episodes {
                episode.happen(&world).await;
            }
            world.source.quiet();
            Episode::Mend.happen(&world).await;
            Episode::Restore.happen(&world).await;
            world.storage.recover();
            world.settle();
            let report = world.accept_all(Mode::Full).await;
            prop_assert_eq!(report.outcome, Outcome::Complete);
            world.assert_true();
            assert_joined(&world);
            prop_assert_eq!(contents(&world, "valves").len(), usize::try_from(ROWS).unwrap());
            world.assert_feed();
            Ok(())
        })?;
    }
}
