//! A first part of all seeds, and the proof that the oracle can find something.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by breaking off"
)]

use wrenchtime_oracle::{Case, Lab, Paging, Sabotage, StoreKind, search};

/// How many seeds a mistake may take until it is found.
const PATIENCE: u64 = 150;

#[test]
fn seeds_hold_in_memory() {
    search(0..240, (StoreKind::Memory, 2), |_| {}).unwrap();
}

#[test]
fn seeds_hold_on_sqlite() {
    search(240..300, (StoreKind::Sqlite, 1), |_| {}).unwrap();
}

#[test]
fn ties_cost_constant_state_and_an_idle_source_one_page() {
    let ties = wrenchtime_oracle::read_ties(20_000, StoreKind::Sqlite, |_, _| ()).unwrap();
    assert!(ties.requests > 0 && ties.checkpoint > 0);
}

/// Seeds that are not among those of every test run and once did not hold. In 462 a row comes back with its old time behind a first
/// listing that had not met it, in 6746 it is written behind that; in 5072 and 8335 a row cannot be read when
/// a listing first shows it.
const HELD_LATER: &[u64] = &[462, 5072, 6746, 8335];

#[test]
fn seeds_hold_that_once_did_not() {
    for seed in HELD_LATER {
        search(*seed..seed + 1, (StoreKind::Memory, 1), |_| {}).unwrap();
    }
}

/// What a case may hold, as it is written when it is told.
const KINDS: &[&str] = &[
    // Sources.
    "zone: None",
    "zone: Some(America/New_York)",
    "zone: Some(Europe/Berlin)",
    "precision: Millisecond",
    "precision: Second",
    "precision: Minute",
    "precision: Day",
    "coarse: true",
    "coarse: false",
    "lag: 120",
    "skew: -90",
    "skew: 75",
    "tells_time: false",
    "at_once: 2",
    "refuses: true",
    "refuses: false",
    "keys: Numeric",
    "keys: Text",
    "deletes: Never",
    "deletes: Flagged",
    "deletes: Absent",
    "deletes: FlaggedOrAbsent",
    "fetch: None",
    "fetch: Some(3)",
    "quiet_children: true",
    "changes: None",
    "yields: Stubs",
    "sorted: false",
    "short: true",
    "until: true",
    // Rows.
    "Put {",
    "Bulk {",
    "Ahead {",
    "Undated {",
    "Child {",
    "Delete {",
    "marked: true",
    "Restore {",
    "Later(",
    // Answers.
    "TooMany(None)",
    "TooMany(Some(400))",
    "Broken",
    "Refused",
    "Unauthorized",
    "Forbidden",
    "Dropped",
    "TimeOut",
    "CutOff",
    "CutJson",
    "ErrorInside",
    "PageInside",
    "EmptyInside",
    "WrongTotal",
    "Repeated",
    "Twice",
    // Runs, and what lies between them.
    "mode: Incremental",
    "mode: Full",
    "only: Some(1)",
    "listings: true",
    "end: Itself",
    "end: Cancel(",
    "end: Kill(",
    "end: KillAt(Before(",
    "end: KillAt(After(",
    "end: Overtaken(Before(",
    "end: Overtaken(After(",
    "Remap(Meaning { by_name: true",
    "picky: true",
    "Poll(",
    "Restart",
    "Wait(",
];

#[test]
fn the_seeds_of_every_test_run_hold_everything_that_can_be_drawn() {
    let cases = (0..300).map(|seed| format!("{:?}", Case::draw(seed)));
    let told = cases.collect::<String>();
    let paging = Paging::ALL.map(|kind| format!("paging: {kind:?}"));
    let kinds = KINDS.iter().map(|kind| (*kind).to_owned()).chain(paging);
    let missed: Vec<String> = kinds.filter(|kind| !told.contains(kind)).collect();
    assert_eq!(missed, [""; 0]);
}

/// Returns the first seed in which a mistake shows.
fn found(sabotage: Sabotage) -> Option<u64> {
    let mut lab = Lab::open(StoreKind::Memory, Some(sabotage)).unwrap();
    (0..PATIENCE).find(|seed| lab.live(&Case::draw(*seed)).is_err())
}

#[test]
fn every_mistake_is_found() {
    let missed: Vec<Sabotage> = Sabotage::ALL
        .into_iter()
        .filter(|sabotage| {
            let seed = found(*sabotage);
            println!("{sabotage:?}: {seed:?}");
            seed.is_none()
        })
        .collect();
    assert_eq!(missed, [], "in {PATIENCE} seeds");
}

#[test]
fn a_failing_case_is_made_smaller_and_fails_again() {
    let seed = found(Sabotage::LosesPages).unwrap();
    let mut lab = Lab::open(StoreKind::Memory, Some(Sabotage::LosesPages)).unwrap();
    let Err(failure) = lab.try_seed(seed) else {
        panic!("it failed before");
    };
    assert!(failure.case.steps.len() <= 4, "{failure}");
    assert!(lab.live(&failure.case).is_err());
    let told = failure.to_string();
    let again = format!("cargo xtask oracle --first {seed} --seeds 1 --store memory");
    assert!(told.contains(&again), "{told}");
}

#[test]
fn a_seed_is_the_same_history_each_time() {
    for seed in 0..12 {
        let case = Case::draw(seed);
        assert_eq!(case, Case::draw(seed));
        let mut logs = (0..2).map(|_| {
            let mut lab = Lab::open(StoreKind::Memory, None).unwrap();
            let tally = lab.live(&case).unwrap();
            (tally, lab.log())
        });
        let (first, second) = (logs.next().unwrap(), logs.next().unwrap());
        let differs = first.1.iter().zip(&second.1).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.0, second.0, "seed {seed}");
    }
}
