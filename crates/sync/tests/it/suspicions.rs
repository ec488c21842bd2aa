//! Listings that lack too much, and what an operator says of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wrenchtime_connector::Precision;
use wrenchtime_model::{Event, EventBody, EventType, RecordChange, SuspicionId};
use wrenchtime_sync::{Decision, Fault, Mode, Outcome, RunReport, Suspicion};

use crate::source::{Op, Shape};
use crate::support::{World, cases, shape, wait};

const ROWS: u32 = 60;
const FAULT: &str = "stored rows were not listed, too many to believe: none was removed";

fn remove(world: &World, keys: impl IntoIterator<Item = u32>) {
    for key in keys {
        world.source.act(&Op::Remove { key });
    }
    world.settle();
}

fn live(world: &World) -> BTreeSet<u32> {
    world.copy().into_keys().collect()
}

fn truth(world: &World) -> BTreeSet<u32> {
    world.truth().into_keys().collect()
}

fn is_tombstone(event: &Event) -> bool {
    matches!(event.body, EventBody::Record { change, .. } if change == RecordChange::Deleted)
}

/// Returns how many tombstones the feed has told of so far.
fn tombstones(world: &World) -> usize {
    let events = world.storage.events(world.connection);
    events.iter().filter(|event| is_tombstone(event)).count()
}

/// Returns how many runs have told of tombstones since this event of the feed. One that was left and the one after it
/// may both do so in one call, and each is judged by itself.
fn removing_runs(world: &World, since: usize) -> usize {
    let events = world.storage.events(world.connection);
    let runs = events[since..].split(|event| {
        matches!(event.body, EventBody::Lifecycle { event, .. } if event == EventType::SyncCompleted)
    });
    runs.filter(|events| events.iter().any(is_tombstone))
        .count()
}

fn told(world: &World) -> Vec<serde_json::Value> {
    let errors = world.lifecycle().into_iter();
    let errors = errors.filter(|(event, _)| *event == EventType::SystemError);
    errors.map(|(_, data)| data).collect()
}

async fn standing(world: &World) -> Option<Suspicion> {
    let mut all = world.suspicions().await;
    assert!(all.len() < 2);
    all.pop()
}

/// What the engine must make of the listing, thought out anew.
#[derive(Default)]
struct Model {
    standing: Option<Standing>,
    /// All suspicions that ever stood.
    ids: Vec<SuspicionId>,
}

struct Standing {
    id: SuspicionId,
    shown: BTreeSet<u32>,
    confirmed: bool,
}

impl Model {
    /// Tells whether a pass that misses these rows must be suspect.
    fn is_suspect(&self, missing: &BTreeSet<u32>, stored: usize, is_empty: bool) -> bool {
        let confirmed = self.standing.as_ref().filter(|standing| standing.confirmed);
        let gone = confirmed.map_or(0, |standing| standing.shown.intersection(missing).count());
        let (unexpected, left) = (missing.len() - gone, stored - gone);
        (unexpected > 10 && unexpected * 10 > left) || (is_empty && left > 0)
    }

    /// Compares what a run that lists has done with what it had to do.
    async fn check(&mut self, world: &World, (before, report): (&BTreeSet<u32>, &RunReport)) {
        let truth = truth(world);
        let stored: BTreeSet<u32> = before.union(&truth).copied().collect();
        let missing: BTreeSet<u32> = before.difference(&truth).copied().collect();
        let stands = standing(world).await;
        if !self.is_suspect(&missing, stored.len(), truth.is_empty()) {
            assert_eq!(live(world), truth);
            assert_eq!(report.outcome, Outcome::Complete);
            assert_eq!(stands, None);
            self.standing = None;
            return;
        }
        assert_eq!(live(world), stored, "a suspect pass removes nothing");
        assert_eq!(report.outcome, Outcome::Partial);
        assert!(report.progress.faults["pumps-all"].contains(FAULT));
        let stands = stands.unwrap();
        let keys = world
            .storage
            .suspects(world.connection, stands.id)
            .into_iter();
        let shown: BTreeSet<u32> = keys.map(|key| key.as_str().parse().unwrap()).collect();
        assert_eq!(shown, missing);
        let counts = (missing.len() as u64, stored.len() as u64);
        assert_eq!((stands.missing, stands.stored), counts);
        assert_eq!(stands.confirmed_at, None);
        let same = self
            .standing
            .as_ref()
            .filter(|before| !before.confirmed && missing.is_subset(&before.shown));
        match same {
            Some(before) => assert_eq!(stands.id, before.id, "the same is told once"),
            None => {
                assert!(!self.ids.contains(&stands.id), "what is new is told anew");
                self.ids.push(stands.id);
            }
        }
        assert_eq!(told(world).len(), self.ids.len());
        self.standing = Some(Standing {
            id: stands.id,
            shown,
            confirmed: false,
        });
    }
}

#[derive(Clone, Debug)]
enum Episode {
    Remove(u32, u32),
    Put(u32, u32),
    /// Changes alone, as far as nothing else is due.
    Follow,
    List(bool),
    Confirm,
    Reject,
    /// A decision on something that may not stand any more.
    ConfirmOld(usize),
    Kill(u64, bool),
}

fn episode(kills: u32) -> impl Strategy<Value = Episode> {
    prop_oneof![
        4 => (0..ROWS, 1..40_u32).prop_map(|(from, count)| Episode::Remove(from, count)),
        2 => (0..ROWS, 1..30_u32).prop_map(|(from, count)| Episode::Put(from, count)),
        2 => Just(Episode::Follow),
        5 => any::<bool>().prop_map(Episode::List),
        3 => Just(Episode::Confirm),
        2 => Just(Episode::Reject),
        1 => (0..4_usize).prop_map(Episode::ConfirmOld),
        kills => (1..30_u64, any::<bool>()).prop_map(|(call, before)| Episode::Kill(call, before)),
    ]
}

impl Episode {
    /// Does what is done to the source. Tells whether that was it.
    fn befall(&self, world: &World) -> bool {
        match self {
            Self::Remove(from, count) => remove(world, *from..*from + *count),
            Self::Put(from, count) => {
                (*from..*from + *count).for_each(|key| world.put(key, key + 1));
                world.settle();
            }
            _ => return false,
        }
        true
    }

    async fn run(&self, world: &World) -> Option<RunReport> {
        let ended = match self {
            Self::Follow => world.run(Mode::Incremental).await,
            Self::List(full) if *full => world.run(Mode::Full).await,
            _ => world.run_all().await,
        };
        world.storage.recover();
        ended.ok()
    }

    async fn happen(&self, world: &World, model: &mut Model) {
        if self.befall(world) {
            return;
        }
        let (before, tombs) = (live(world), tombstones(world));
        match self {
            Self::Confirm => {
                world.decide(Decision::Confirm).await;
                if let Some(standing) = &mut model.standing {
                    standing.confirmed = true;
                }
            }
            Self::Reject => {
                world.decide(Decision::Reject).await;
                model.standing = None;
            }
            Self::ConfirmOld(number) => {
                let old = model.ids.get(*number).copied();
                let stands = model.standing.as_ref().map(|standing| standing.id);
                if let Some(old) = old.filter(|old| Some(*old) != stands) {
                    let decided = world
                        .storage
                        .decide(world.connection, old, Decision::Confirm);
                    assert_eq!(decided, None);
                }
            }
            _ => {
                let is_confirmed = model.standing.as_ref().is_some_and(|one| one.confirmed);
                let lists =
                    !matches!(self, Self::Follow) || is_confirmed || world.source.shape.token;
                let there = truth(world);
                let report = self.run(world).await.unwrap();
                if lists {
                    model.check(world, (&before, &report)).await;
                    return;
                }
                // What came back is not what was shown any more.
                if let Some(standing) = &mut model.standing {
                    standing.shown.retain(|key| !there.contains(key));
                }
                assert_eq!(live(world), before.union(&there).copied().collect());
            }
        }
        assert_eq!(tombstones(world), tombs, "a decision alone removes nothing");
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn rule_6_no_tombstone_from_any_suspect_pass(
        shape in shape(),
        confirms_by_fetch in any::<bool>(),
        episodes in proptest::collection::vec(episode(0), 1..24),
    ) {
        let mut shape = shape;
        if !confirms_by_fetch && shape.listing == wrenchtime_connector::Yields::Documents {
            shape.changes = Some(wrenchtime_connector::Yields::Documents);
            shape.fetch_limit = None;
        }
        let world = World::with_rows(shape, ROWS);
        let mut model = Model::default();
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for episode in episodes {
                episode.happen(&world, &mut model).await;
                world.assert_feed();
            }
            for episode in [Episode::List(true), Episode::Confirm, Episode::List(false)] {
                episode.happen(&world, &mut model).await;
            }
            world.assert_true();
        });
    }

    #[test]
    fn rule_6_no_tombstone_from_any_suspect_pass_wherever_it_is_killed(
        shape in shape(),
        episodes in proptest::collection::vec(episode(6), 1..24),
    ) {
        let world = World::with_rows(shape, ROWS);
        wait(async {
            world.run(Mode::Full).await.unwrap();
            for episode in episodes {
                if episode.befall(&world) {
                    continue;
                }
                let stands = standing(&world).await.filter(|one| one.confirmed_at.is_some());
                let shown = stands.map(|one| world.storage.suspects(world.connection, one.id));
                let shown: BTreeSet<u32> = shown
                    .unwrap_or_default()
                    .iter()
                    .map(|key| key.as_str().parse().unwrap())
                    .collect();
                let (before, truth) = (live(&world), truth(&world));
                let feed = world.storage.events(world.connection).len();
                match episode {
                    Episode::Confirm => world.decide(Decision::Confirm).await,
                    Episode::Reject => world.decide(Decision::Reject).await,
                    Episode::ConfirmOld(_) => {}
                    Episode::Kill(call, before) => world.storage.fail(if before {
                        Fault::Before(call)
                    } else {
                        Fault::After(call)
                    }),
                    _ => {
                        episode.run(&world).await;
                    }
                }
                let gone: BTreeSet<u32> = before.difference(&live(&world)).copied().collect();
                prop_assert!(gone.is_disjoint(&truth));
                let confirmed = gone.intersection(&shown).count();
                let unexpected = gone.len() - confirmed;
                let left = before.union(&truth).count() - confirmed;
                let runs = removing_runs(&world, feed);
                prop_assert!(unexpected <= 10 * runs || unexpected * 10 <= left * runs);
                world.assert_feed();
            }
            world.storage.recover();
            world.accept_all(Mode::Full).await;
            world.assert_true();
            Ok(())
        })?;
    }
}

/// What vanishes while a listing is left, is missed in part by the one that goes on and in part by the next.
#[tokio::test]
async fn a_listing_that_was_left_and_the_next_are_judged_each_by_itself() {
    let shape = Shape {
        precision: Precision::Millisecond,
        page: 3,
        changes_sorted: false,
        short_pages: true,
        ..Shape::default()
    };
    let world = World::with_rows(shape, ROWS);
    world.run(Mode::Full).await.unwrap();
    world.storage.fail(Fault::After(12));
    world.run(Mode::Full).await.unwrap_err();
    world.storage.recover();
    remove(&world, 11..22);
    let feed = world.storage.events(world.connection).len();
    assert_eq!(world.run_all().await.unwrap().outcome, Outcome::Complete);
    assert_eq!((tombstones(&world), removing_runs(&world, feed)), (11, 2));
    assert_eq!(world.suspicions().await, []);
    world.assert_true();
}

#[tokio::test]
async fn a_confirmed_suspicion_is_acted_upon_by_the_next_run() {
    for token in [false, true] {
        let world = World::with_rows(
            Shape {
                token,
                ..Shape::default()
            },
            ROWS,
        );
        world.run(Mode::Full).await.unwrap();
        remove(&world, 20..ROWS);
        for _ in 0..2 {
            let report = world.run_all().await.unwrap();
            assert_eq!(report.outcome, Outcome::Partial);
            let words = &report.progress.faults["pumps-all"];
            let says = "then confirm that they are gone or reject it";
            assert!(
                words.contains("40 of 60") && words.contains(says),
                "{words}"
            );
        }
        assert_eq!(world.copy().len(), 60);
        let told = told(&world);
        assert_eq!(told.len(), 1, "the same is told once");
        let stands = standing(&world).await.unwrap();
        assert_eq!(told[0]["code"], "suspect_run");
        assert_eq!(told[0]["suspicion"], stands.id.to_string());
        assert_eq!(
            (&told[0]["missing"], &told[0]["stored"]),
            (&40.into(), &60.into())
        );
        assert!(stands.since < stands.found_at);
        // No listing is due, and yet it is read.
        world.decide(Decision::Confirm).await;
        let report = world.run(Mode::Incremental).await.unwrap();
        assert_eq!(report.outcome, Outcome::Complete);
        assert_eq!(world.suspicions().await, []);
        world.assert_true();
    }
}

#[tokio::test]
async fn more_than_was_confirmed_is_suspect_anew() {
    let world = World::with_rows(Shape::default(), ROWS);
    world.run(Mode::Full).await.unwrap();
    remove(&world, 0..20);
    world.run_all().await.unwrap();
    let first = standing(&world).await.unwrap();
    world.decide(Decision::Confirm).await;
    remove(&world, 20..31);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert!(report.progress.faults["pumps-all"].starts_with("31 of 60"));
    assert_eq!(world.copy().len(), 60);
    let second = standing(&world).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!((second.since, second.confirmed_at), (first.since, None));
    // As many as are confirmed, but others.
    world.decide(Decision::Confirm).await;
    (0..31).for_each(|key| world.put(key, key + 1));
    remove(&world, 31..60);
    world.run_all().await.unwrap();
    assert_eq!(world.copy().len(), 60);
    world.decide(Decision::Confirm).await;
    // A few more go with them, as they would without.
    remove(&world, 21..31);
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    world.assert_true();
}

#[tokio::test]
async fn a_rejected_suspicion_is_over_and_the_next_pass_is_judged_anew() {
    let world = World::with_rows(Shape::default(), ROWS);
    world.run(Mode::Full).await.unwrap();
    remove(&world, 0..20);
    world.run_all().await.unwrap();
    world.decide(Decision::Reject).await;
    assert_eq!(world.suspicions().await, []);
    world.run_all().await.unwrap();
    assert_eq!(told(&world).len(), 2, "a pass after it is told anew");
    world.decide(Decision::Reject).await;
    (0..20).for_each(|key| world.put(key, key + 1));
    world.settle();
    let report = world.run_all().await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(tombstones(&world), 0);
    world.assert_true();
}

#[tokio::test]
async fn an_empty_pass_over_a_small_copy_is_suspect_too() {
    for listing_sorted in [true, false] {
        let world = World::with_rows(
            Shape {
                listing_sorted,
                ..Shape::default()
            },
            3,
        );
        world.run(Mode::Full).await.unwrap();
        remove(&world, 0..3);
        let report = world.run(Mode::Full).await.unwrap();
        assert_eq!(report.outcome, Outcome::Partial);
        assert!(report.progress.faults["pumps-all"].starts_with("3 of 3"));
        assert_eq!(world.copy().len(), 3);
        world.decide(Decision::Confirm).await;
        world.run(Mode::Incremental).await.unwrap();
        assert_eq!(world.copy().len(), 0);
    }
}

#[tokio::test]
async fn a_decision_outlasts_a_pass_that_proves_nothing() {
    let world = World::with_rows(Shape::default(), ROWS);
    world.run(Mode::Full).await.unwrap();
    remove(&world, 0..20);
    world.run_all().await.unwrap();
    world.decide(Decision::Confirm).await;
    // A row without a key: any of those that are missing may be this one.
    world.source.spoil(40, false);
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.copy().len(), 60);
    assert!(standing(&world).await.unwrap().confirmed_at.is_some());
    world.source.mend();
    world.run(Mode::Incremental).await.unwrap();
    assert_eq!(world.suspicions().await, []);
    world.assert_true();
}
