//! Rules 5 and 7: the process may die at any moment, and another may take over.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use wrenchtime_connector::{Deletes, Document, EntityName, KeyOrder, RemoteKey, Yields};
use wrenchtime_model::{RecordChange, RunId};
use wrenchtime_sync::{
    DocumentWrite, Fault, Judgement, Marks, Mode, NewRun, Outcome, PageCommit, RunError,
    RunProgress, Storage, StorageError, StreamState, Written,
};

use crate::source::{Asked, Op, Shape};
use crate::support::{ALL, World, cases, script, shape, wait};

fn shapes() -> Vec<Shape> {
    let stubs = Shape {
        listing: Yields::Stubs,
        changes: Some(Yields::Stubs),
        ..Shape::default()
    };
    let unsorted = Shape {
        listing_sorted: false,
        changes_sorted: false,
        ..Shape::default()
    };
    let unfetchable = Shape {
        fetch_limit: None,
        ..Shape::default()
    };
    vec![Shape::default(), stubs, unsorted, unfetchable]
}

/// A first sync, a few changes of each kind, a run with listings; killed at one of its writes, if any.
async fn history(shape: Shape, fault: Option<Fault>) -> (World, bool) {
    let world = World::with_rows(shape, 14);
    let mut killed = false;
    if let Some(fault) = fault {
        world.storage.fail(fault);
    }
    for round in 0..2 {
        if round == 1 {
            for op in [
                Op::Put {
                    key: 2,
                    value: 90,
                    delay: 0,
                },
                Op::Put {
                    key: 30,
                    value: 91,
                    delay: 0,
                },
                Op::Remove { key: 5 },
                Op::Remove { key: 13 },
                Op::Flag { key: 7 },
                Op::Child { key: 8, child: 3 },
            ] {
                world.source.act(&op);
            }
            world.settle();
        }
        loop {
            let run = if round == 0 {
                world.run(Mode::Full).await
            } else {
                world.run_all().await
            };
            match run {
                Ok(_) => break,
                Err(RunError::Storage(_)) if !killed => {
                    assert!(world.storage.recover());
                    killed = true;
                }
                Err(other) => panic!("another error: {other}"),
            }
        }
    }
    if killed && !world.source.shape.listing_sorted {
        // What an attempt that was left saw cannot be told from what is there, so the next listing decides.
        world.run_all().await.unwrap();
    }
    (world, killed)
}

fn created(world: &World) -> usize {
    let events = world.storage.events(world.connection);
    let created =
        |event: &&wrenchtime_model::Event| event.body.event_type() == RecordChange::Created.into();
    events.iter().filter(created).count()
}

#[tokio::test]
async fn rule_5_killed_at_any_write_the_end_is_the_same() {
    for shape in shapes() {
        let (unbroken, _) = history(shape.clone(), None).await;
        unbroken.assert_true();
        let mut points = 0;
        for call in 1.. {
            let mut killed = false;
            for fault in [Fault::Before(call), Fault::After(call)] {
                let (world, was_killed) = history(shape.clone(), Some(fault)).await;
                killed |= was_killed;
                world.assert_true();
                assert_eq!(created(&world), created(&unbroken), "{fault:?}");
                let events = |world: &World| {
                    let events = world.storage.events(world.connection);
                    events
                        .iter()
                        .filter(|event| !event.body.event_type().name().starts_with("sync"))
                        .count()
                };
                assert_eq!(events(&world), events(&unbroken), "{fault:?} of {shape:?}");
            }
            if !killed {
                break;
            }
            points += 1;
        }
        assert!(points > 15, "only {points} writes were tried");
    }
}

#[tokio::test]
async fn rule_5_at_most_the_pages_in_flight_are_read_again() {
    let world = World::with_rows(Shape::default(), 40);
    world.storage.fail(Fault::After(8));
    world.run(Mode::Full).await.unwrap_err();
    world.storage.recover();
    let first = world.source.asked();
    let report = world.run(Mode::Full).await.unwrap();
    let second = world.source.asked();
    let again: Vec<&Asked> = second
        .iter()
        .filter(|asked| first.contains(asked))
        .collect();
    assert!(again.len() <= 2, "{again:?}");
    // What the first process counted is not lost.
    let created: u64 = report
        .progress
        .resources
        .values()
        .map(|counts| counts.created)
        .sum();
    assert_eq!(created, 40);
    world.assert_true();
}

#[tokio::test]
async fn rule_5_what_went_between_death_and_the_next_run_is_gone_after_one_more() {
    for token in [true, false] {
        for call in 2..8 {
            let shape = Shape {
                changes: None,
                listing_sorted: false,
                deletes: Deletes::Absent,
                fetch_limit: None,
                token,
                ..Shape::default()
            };
            let world = World::with_rows(shape, 14);
            world.run(Mode::Full).await.unwrap();
            world.put(1, 60);
            // Begun because the interval is over: nobody asks for listings below.
            world.clock.advance(Duration::from_secs(25 * 60 * 60));
            world.storage.fail(Fault::After(call));
            let died = world.run(Mode::Incremental).await.is_err();
            assert_eq!(world.storage.recover(), died);
            world.source.act(&Op::Remove { key: 0 });
            world.source.act(&Op::Remove { key: 9 });
            if world.state("pumps-all").await.pass.is_none() {
                // The listing had come to its end.
                world.clock.advance(Duration::from_secs(25 * 60 * 60));
            }
            world.run(Mode::Incremental).await.unwrap();
            world.run(Mode::Incremental).await.unwrap();
            world.assert_true();
            // Then all is as it should be: a token counts again, the interval too.
            world.source.asked();
            world.run(Mode::Incremental).await.unwrap();
            assert_eq!(world.source.asked().len(), usize::from(token));
        }
    }
}

#[tokio::test]
async fn rule_5_a_run_that_dies_twice_in_an_unsorted_listing_believes_no_mark() {
    let shape = Shape {
        tables: vec!["pumps", "valves"],
        changes: None,
        listing_sorted: false,
        deletes: Deletes::Absent,
        fetch_limit: None,
        token: true,
        ..Shape::default()
    };
    for call in 1..16 {
        let world = World::with_rows(shape.clone(), 10);
        for key in 0..10 {
            world.source.put_into("valves", key, 1);
        }
        world.run(Mode::Full).await.unwrap();
        world.put(1, 60);
        world.storage.fail(Fault::After(3));
        world.run(Mode::Incremental).await.unwrap_err();
        world.storage.recover();
        world.source.act(&Op::Remove { key: 0 });
        // The second death comes before, at and after the end of the first table.
        world.storage.fail(Fault::After(call));
        let died = world.run(Mode::Incremental).await.is_err();
        assert_eq!(world.storage.recover(), died);
        world.run(Mode::Incremental).await.unwrap();
        world.run(Mode::Incremental).await.unwrap();
        world.assert_true();
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn rule_5_killed_again_and_again_while_the_source_lives(
        shape in shape(),
        script in script(ALL, 50),
        deaths in proptest::collection::vec((1..12_u64, any::<bool>()), 1..8),
        ends_with in prop_oneof![Just(Mode::Full), Just(Mode::Incremental)],
    ) {
        let world = World::new(shape);
        world.source.script(script);
        wait(async {
            for (call, before) in deaths {
                let fault = if before { Fault::Before(call) } else { Fault::After(call) };
                world.storage.fail(fault);
                let ended = world.run_all().await;
                prop_assert_eq!(world.storage.recover(), ended.is_err());
                world.assert_feed();
            }
            world.source.quiet();
            world.settle();
            world.accept_all(ends_with).await;
            world.assert_true();
            Ok(())
        })?;
    }

    #[test]
    fn rule_7_an_older_observation_never_overwrites(
        order in Just((1..=6_i64).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let world = World::new(Shape::default());
        wait(async {
            let storage = &world.storage;
            let fence = storage.acquire(world.connection).await.unwrap();
            let new = NewRun {
                id: RunId::new(),
                mode: Mode::Full,
                started_at: "2031-05-01T00:00:00Z".parse().unwrap(),
            };
            let run = storage.begin_run(&fence, new).await.unwrap().run.id;
            let mut stale = 0;
            for observation in &order {
                let commit = one_document(run, *observation);
                stale += storage.commit(&fence, commit).await.unwrap().stale;
            }
            let documents = storage.documents(world.connection);
            prop_assert_eq!(documents[0].row.observation, 6);
            let body = documents[0].document.body.get().to_owned();
            prop_assert_eq!(body, "6");
            let mut largest = 0;
            let late = order.iter().filter(|number| {
                largest = largest.max(**number);
                **number < largest
            });
            prop_assert_eq!(stale, late.count() as u64);
            Ok(())
        })?;
    }
}

fn one_document(run: RunId, observation: i64) -> PageCommit {
    let entity = EntityName::from_static("pumps");
    let key = RemoteKey::new("1");
    let body = serde_json::value::to_raw_value(&observation).unwrap();
    let document = Document::new(entity.clone(), key.clone(), body);
    PageCommit {
        run,
        stream: wrenchtime_connector::StreamName::from_static("pumps-all"),
        entity,
        state: StreamState::default(),
        documents: vec![DocumentWrite {
            hash: document.hash(),
            document,
            sort_key: KeyOrder::Numeric.sort_key(&key),
            observation,
            written: Written::Mapped {
                by: "1".to_owned(),
                records: Vec::new(),
            },
        }],
        issues: Vec::new(),
        reread: Vec::new(),
        marks: Marks::None,
        judgement: Judgement::Keep,
        events: Vec::new(),
        initial: false,
        progress: RunProgress::default(),
    }
}

#[tokio::test]
async fn rule_7_numbers_are_drawn_before_requests_and_rise_over_fences() {
    let world = World::with_rows(Shape::default(), 6);
    world.run(Mode::Full).await.unwrap();
    let before = world.storage.documents(world.connection);
    world.put(2, 44);
    world.run(Mode::Incremental).await.unwrap();
    let after = world.storage.documents(world.connection);
    for (old, new) in before.iter().zip(&after) {
        let changed = old.row.key.as_str() == "2";
        assert_eq!(new.row.observation > old.row.observation, changed);
        // The second run has a fence of its own.
        assert_eq!(new.row.observation >> 31, if changed { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_runner_that_was_replaced_writes_nothing_more() {
    let world = Arc::new(World::with_rows(Shape::default(), 20));
    let storage = Arc::clone(&world.storage);
    let connection = world.connection;
    world.source.at_request(3, move |_| {
        wait_elsewhere(async move {
            storage.acquire(connection).await.unwrap();
        });
    });
    let error = world.run(Mode::Full).await.unwrap_err();
    assert!(matches!(error, RunError::Fenced(of) if of == connection));
    let written = world.storage.writes();
    let fence = wrenchtime_sync::Fence {
        connection,
        epoch: 1,
    };
    let refused = world
        .storage
        .commit(&fence, one_document(RunId::new(), 1))
        .await;
    assert!(matches!(refused, Err(StorageError::Fenced(_))));
    assert_eq!(world.storage.writes().documents, written.documents);
    world.run(Mode::Full).await.unwrap();
    world.assert_true();
}

fn wait_elsewhere(future: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(move || wait(future)).join().unwrap();
}

/// What was read long before a run was left is older than what somebody asks for now.
#[tokio::test]
async fn a_run_on_demand_that_goes_on_with_an_old_one_shows_what_is_there_now() {
    for call in 1..30 {
        let shape = Shape {
            tables: vec!["pumps", "valves"],
            ..Shape::default()
        };
        let world = World::with_rows(shape, 12);
        for key in 0..12 {
            world.source.put_into("valves", key, 1);
        }
        world.run(Mode::Full).await.unwrap();
        world.storage.fail(Fault::After(call));
        let died = world.run_all().await.is_err();
        world.storage.recover();
        world.put(3, 80);
        world.clock.advance(Duration::from_secs(2 * 86_400));
        let report = world.run_all().await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        assert_eq!(
            world.copy(),
            world.truth(),
            "killed after write {call}: {died}"
        );
    }
}
