//! Listings reconcile the copy with the source, and tell what the streams of changes should have told.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use wrenchtime_connector::Yields;
use wrenchtime_model::EventType;
use wrenchtime_sync::{Mode, Outcome, RunReport};

use crate::source::{Op, Shape};
use crate::support::{ALL, World, cases, script, shape, wait};

fn drifted(report: &RunReport) -> u64 {
    let resources = report.progress.resources.values();
    resources.map(|counts| counts.drifted).sum()
}

/// Gives rows other values without anything that a stream of changes could see.
fn change_unseen(world: &World, keys: &[u32]) {
    let (version, mut tables) = world.source.snapshot();
    let rows = tables.get_mut("pumps").unwrap();
    for key in keys {
        let row = rows.get_mut(key).unwrap();
        row.value += 100;
        row.version = version + 1;
    }
    world.source.restore((version + 1, tables));
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn rule_8_a_source_that_keeps_its_word_does_not_drift(
        shape in shape(), script in script(ALL, 40), full in any::<bool>(),
        history in proptest::option::of(60..600_u64),
    ) {
        let history = history.map(Duration::from_secs);
        let world = World::new(Shape { history, ..shape });
        world.source.script(script);
        wait(async {
            for _ in 0..4 {
                world.run(Mode::Incremental).await.unwrap();
                let report = if full {
                    world.run(Mode::Full).await.unwrap()
                } else {
                    world.run_all().await.unwrap()
                };
                prop_assert_eq!(drifted(&report), 0);
            }
            Ok(())
        })?;
    }

    #[test]
    fn rule_8_what_no_stream_of_changes_told_is_found_and_told(
        listing in prop_oneof![Just(Yields::Documents), Just(Yields::Stubs)],
        keys in proptest::collection::btree_set(0..12_u32, 1..5), full in any::<bool>(),
    ) {
        let world = World::with_rows(Shape { listing, unseen: Vec::new(), ..Shape::default() }, 12);
        let keys: Vec<u32> = keys.into_iter().collect();
        wait(async {
            world.run(Mode::Full).await.unwrap();
            world.settle();
            world.run(Mode::Incremental).await.unwrap();
            change_unseen(&world, &keys);
            let unnoticed = world.run(Mode::Incremental).await.unwrap();
            prop_assert_eq!(drifted(&unnoticed), 0);
            let report = if full {
                world.run(Mode::Full).await.unwrap()
            } else {
                world.run_all().await.unwrap()
            };
            world.assert_true();
            prop_assert_eq!(report.outcome, Outcome::Complete);
            prop_assert_eq!(drifted(&report), u64::try_from(keys.len()).unwrap());
            let told: Vec<_> = world
                .lifecycle()
                .into_iter()
                .filter(|(event, _)| *event == EventType::SystemError)
                .collect();
            prop_assert_eq!(told.len(), 1);
            prop_assert_eq!(&told[0].1["code"], "drift");
            prop_assert_eq!(told[0].1["rows"].as_object().unwrap().values().filter_map(|rows| rows.as_u64()).sum::<u64>(), drifted(&report));
            let again = world.run(Mode::Full).await.unwrap();
            prop_assert_eq!(drifted(&again), 0);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn what_is_declared_as_unseen_is_no_drift() {
    let world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    world.settle();
    world.run(Mode::Incremental).await.unwrap();
    world.source.act(&Op::Child { key: 1, child: 7 });
    let report = world.run_all().await.unwrap();
    world.assert_true();
    assert_eq!(drifted(&report), 0);
    assert_eq!(
        world
            .lifecycle()
            .iter()
            .filter(|(_, data)| data["code"] == json!("drift"))
            .count(),
        0
    );
}
