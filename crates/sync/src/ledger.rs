//! What a run has counted so far.

use std::collections::BTreeMap;

use wrenchtime_connector::{EntityInfo, Error, StreamName};
use wrenchtime_model::Resource;

use crate::{Counts, PageOutcome, RunProgress, RunState};

/// Counts, faults and how they make an outcome.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) progress: RunProgress,
    /// The first error of a stream.
    pub(crate) error: Option<Error>,
}

impl Ledger {
    /// Goes on with what a run counted before. Streams that are read again get another chance.
    pub(crate) fn resume(run: &RunState, done: u32, left: u32) -> Self {
        let mut progress = run.progress.clone();
        progress.streams_done = done;
        progress.streams_total = done + left;
        Self {
            progress,
            error: None,
        }
    }

    pub(crate) fn add(&mut self, tally: Tally) {
        for (resource, counts) in tally.counts {
            let total = self.progress.resources.entry(resource).or_default();
            total.fetched += counts.fetched;
            total.unchanged += counts.unchanged;
            total.quarantined += counts.quarantined;
            total.drifted += counts.drifted;
            total.requests += counts.requests;
            total.seconds += counts.seconds;
        }
    }

    pub(crate) fn add_outcome(&mut self, outcome: &PageOutcome) {
        self.progress.add(outcome);
    }

    pub(crate) fn fault(&mut self, stream: &StreamName, words: String, error: Option<Error>) {
        self.progress.faults.insert(stream.to_string(), words);
        if self.error.is_none() {
            self.error = error;
        }
    }

    pub(crate) fn nothing_quarantined(&self) -> bool {
        let mut counts = self.progress.resources.values();
        counts.all(|counts| counts.quarantined == 0)
    }
}

impl RunProgress {
    /// Adds what a commit changed. A store does so before it writes the progress of a commit.
    pub fn add(&mut self, outcome: &PageOutcome) {
        type Field = fn(&mut Counts) -> &mut u64;
        let fields: [(&BTreeMap<Resource, u64>, Field); 4] = [
            (&outcome.created, |counts| &mut counts.created),
            (&outcome.changed, |counts| &mut counts.changed),
            (&outcome.unchanged, |counts| &mut counts.unchanged),
            (&outcome.deleted, |counts| &mut counts.deleted),
        ];
        for (by_resource, field) in fields {
            for (resource, number) in by_resource {
                *field(self.resources.entry(*resource).or_default()) += number;
            }
        }
    }
}

/// What one page adds to the counts, beside what the store finds out.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Where rows count that belong to no resource, and requests.
    first: Option<Resource>,
    counts: BTreeMap<Resource, Counts>,
}

impl Tally {
    pub(crate) fn new(entity: &EntityInfo) -> Self {
        Self {
            first: entity.resources.first().copied(),
            counts: BTreeMap::new(),
        }
    }

    /// Counts a row that was read whole.
    pub(crate) fn fetched(&mut self, resources: &[Resource]) {
        self.each(resources, |counts| counts.fetched += 1);
    }

    /// Counts a row that needs no writing.
    pub(crate) fn unchanged(&mut self, resources: &[Resource]) {
        self.each(resources, |counts| counts.unchanged += 1);
    }

    /// Counts a row that could not be mapped.
    pub(crate) fn quarantined(&mut self, resources: &[Resource]) {
        self.each(resources, |counts| counts.quarantined += 1);
    }

    /// Counts rows that could not even be read.
    pub(crate) fn unreadable(&mut self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.each(&[], |counts| counts.quarantined += rows);
    }

    /// Counts a row of which a stream of changes should have told.
    pub(crate) fn drifted(&mut self, resources: &[Resource]) {
        self.each(resources, |counts| counts.drifted += 1);
    }

    /// Returns what is counted, by resource.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&Resource, &Counts)> {
        self.counts.iter()
    }

    pub(crate) fn has_quarantined(&self) -> bool {
        self.counts.values().any(|counts| counts.quarantined > 0)
    }

    pub(crate) fn requests(&mut self, requests: u64) {
        self.each(&[], |counts| counts.requests += requests);
    }

    pub(crate) fn seconds(&mut self, seconds: f64) {
        self.each(&[], |counts| counts.seconds += seconds);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (resource, counts) in other.counts {
            let total = self.counts.entry(resource).or_default();
            total.fetched += counts.fetched;
            total.unchanged += counts.unchanged;
            total.quarantined += counts.quarantined;
            total.drifted += counts.drifted;
            total.requests += counts.requests;
            total.seconds += counts.seconds;
        }
    }

    fn each(&mut self, resources: &[Resource], add: impl Fn(&mut Counts)) {
        let mut distinct = resources.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.is_empty() {
            distinct.extend(self.first);
        }
        for resource in distinct {
            add(self.counts.entry(resource).or_default());
        }
    }
}
