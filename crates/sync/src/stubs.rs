//! Completing keys and versions by the rows themselves, where they differ from what is stored.

use std::collections::{HashMap, HashSet};

use wrenchtime_connector::{EntityInfo, RemoteKey, RowIssue, SortKey, Stub};

use crate::KnownRow;
use crate::admission::Admission;
use crate::apply::{Batch, Row, Terms};
use crate::ledger::Tally;
use crate::task::{Stop, Task};
use crate::window::Window;

/// What became of a page of stubs.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) batch: Batch,
    /// Rows that the page shows and the source then did not have any more.
    pub(crate) vanished: HashSet<SortKey>,
    /// Rows that the source has and could not be read.
    pub(crate) unreadable: Vec<RowIssue>,
}

impl Completed {
    /// What came whole: no row was asked for by itself.
    pub(crate) fn whole(batch: Batch) -> Self {
        Self {
            batch,
            vanished: HashSet::new(),
            unreadable: Vec::new(),
        }
    }
}

/// What the source said of stubs that differ.
struct Answer {
    rows: Vec<Row>,
    missed: Vec<Stub>,
    unreadable: Vec<RowIssue>,
}

impl Task<'_> {
    /// Reads the rows of those stubs that differ from the copy.
    pub(crate) async fn complete(
        &self,
        entity: &EntityInfo,
        (stubs, observation): (Vec<Stub>, i64),
        terms: Terms,
        admission: &mut Admission,
    ) -> Result<Completed, Stop> {
        let stubs = last_of_each(stubs);
        let sort_key = |stub: &Stub| entity.key_order.sort_key(&stub.key);
        let keys: Vec<SortKey> = stubs.iter().map(sort_key).collect();
        let known = self.known(entity, &keys).await?;
        let mut tally = Tally::new(entity);
        let mut wanted: Vec<Stub> = Vec::new();
        let mut outside = 0;
        for (stub, key) in stubs.into_iter().zip(keys) {
            let stays_out = |window: Window| window.leaves_out(stub.changed_at.as_ref());
            if !known.contains_key(&key) && terms.window.is_some_and(stays_out) {
                outside += u64::from(!stub.deleted);
                continue;
            }
            match self.need(&stub, known.get(&key)) {
                Need::Row => wanted.push(stub),
                Need::Nothing(Some(row)) => tally.unchanged(&row.resources),
                Need::Nothing(None) => {}
            }
        }
        let answer = self
            .rows_of(entity, wanted, (&mut tally, admission))
            .await?;
        // By what their stream showed they come in: it may tell of a change of which the row itself does not.
        let covered = terms.covered;
        let terms = Terms {
            covered,
            window: None,
        };
        let mut batch = self.differing(entity, answer.rows, terms).await?;
        batch.tally.merge(tally);
        batch.outside = outside;
        let (flagged, vanished): (Vec<_>, Vec<_>) =
            answer.missed.into_iter().partition(|stub| stub.deleted);
        if !flagged.is_empty() {
            let keys = flagged.iter().map(sort_key).collect();
            self.remove(entity, keys, observation).await?;
        }
        let vanished = vanished.iter().map(sort_key).collect();
        Ok(Completed {
            batch,
            vanished,
            unreadable: answer.unreadable,
        })
    }

    /// Reads the rows of stubs.
    async fn rows_of(
        &self,
        entity: &EntityInfo,
        stubs: Vec<Stub>,
        (tally, admission): (&mut Tally, &mut Admission),
    ) -> Result<Answer, Stop> {
        // Where rows cannot be read by key, a mark of deletion is all there is, and enough.
        let fetched = stubs
            .iter()
            .filter(|stub| entity.fetch_limit.is_some() || !stub.deleted);
        let keys: Vec<RemoteKey> = fetched.map(|stub| stub.key.clone()).collect();
        let mut found = self.fetch_rows(entity, &keys, admission).await?;
        tally.requests(found.requests);
        let unreadable: HashSet<RemoteKey> = found
            .unreadable
            .iter()
            .filter_map(|issue| issue.key.clone())
            .collect();
        let mut rows = Vec::new();
        let mut missed = Vec::new();
        for stub in stubs {
            match found.documents.remove(&stub.key) {
                Some((mut document, observation)) => {
                    document.version = document.version.or(stub.version);
                    rows.push((document, observation));
                }
                None if unreadable.contains(&stub.key) => {}
                None => missed.push(stub),
            }
        }
        Ok(Answer {
            rows,
            missed,
            unreadable: found.unreadable,
        })
    }

    fn need<'k>(&self, stub: &Stub, known: Option<&'k KnownRow>) -> Need<'k> {
        let differs = match known {
            // What never was in the copy need not be taken out of it.
            None => !stub.deleted,
            Some(row) if stub.deleted => !row.gone,
            Some(row) => {
                row.gone
                    || stub.version.is_none()
                    || stub.version != row.version
                    || row.mapped_by != self.request.mapper.version()
            }
        };
        if differs {
            Need::Row
        } else {
            Need::Nothing(known)
        }
    }
}

enum Need<'k> {
    Row,
    Nothing(Option<&'k KnownRow>),
}

/// An action log names a row once for each action.
fn last_of_each(stubs: Vec<Stub>) -> Vec<Stub> {
    let places: HashMap<RemoteKey, usize> = stubs
        .iter()
        .enumerate()
        .map(|(place, stub)| (stub.key.clone(), place))
        .collect();
    let is_last = |(place, stub): &(usize, Stub)| places[&stub.key] == *place;
    let last = stubs.into_iter().enumerate().filter(is_last);
    last.map(|(_, stub)| stub).collect()
}
