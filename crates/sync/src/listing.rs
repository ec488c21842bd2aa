//! Rows that are gone: what a complete listing does not show.

use std::collections::HashSet;

use wrenchtime_connector::{EntityInfo, RemoteKey, SortKey, StreamInfo};
use wrenchtime_model::SuspicionId;

use crate::apply::Terms;
use crate::flight;
use crate::ledger::Tally;
use crate::task::{Content, Stop, Task};
use crate::verdict::{Judged, Loss, Verdict, is_confirmed, told};
use crate::{Absence, Judgement, KnownRow, Marks, Pass, StoredRange, StreamState, Suspicion};

/// How many stored rows are looked at in one go.
const BATCH: u32 = 500;
/// How many marks go into a commit of their own before the page's.
const MARKS: usize = 5_000;

/// Compares one listing with the copy.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) entity: &'a EntityInfo,
    pub(crate) stream: &'a StreamInfo,
}

/// The rows that a page shows.
#[derive(Debug)]
pub(crate) struct Shown<'p> {
    /// In the order of the page.
    pub(crate) keys: &'p [SortKey],
    /// Of rows that cannot be read. They are there all the same.
    pub(crate) unreadable: &'p [SortKey],
    /// Shown, but not there any more when they were to be read.
    pub(crate) vanished: &'p HashSet<SortKey>,
    pub(crate) last: bool,
}

impl Comparison<'_> {
    /// Returns what a page says of rows beside those on it. Notes in the pass when absence proves nothing any more.
    ///
    /// Marks that are too many for one commit are committed here, with `state` as it was before the page.
    pub(crate) async fn marks(
        &self,
        task: &Task<'_>,
        (pass, state): (&mut Pass, &StreamState),
        shown: &Shown<'_>,
    ) -> Result<Marks, Stop> {
        let seen: HashSet<&SortKey> = shown
            .keys
            .iter()
            .chain(shown.unreadable)
            .filter(|key| !shown.vanished.contains(*key))
            .collect();
        if !self.stream.sorted {
            return Ok(Marks::Seen(seen.into_iter().cloned().collect()));
        }
        if !follows(pass.position.as_ref(), shown.keys) {
            tracing::warn!(stream = %self.stream.name, "a listing declared as sorted is not");
            pass.blind = true;
        }
        let from = pass.position.clone();
        if let Some(largest) = shown.keys.iter().chain(shown.unreadable).max() {
            pass.position = Some(
                pass.position
                    .take()
                    .map_or_else(|| largest.clone(), |position| position.max(largest.clone())),
            );
        }
        // Of an empty pass every row is missing: no need to mark them.
        let empty = pass.rows == 0;
        let nothing_passed = pass.position.is_none() && !shown.last;
        if pass.blind || empty || nothing_passed {
            return Ok(Marks::None);
        }
        let up_to = if shown.last {
            None
        } else {
            pass.position.clone()
        };
        self.absent(task, state, (from, up_to), &seen).await
    }

    /// Merges a range of the copy with what was seen of it.
    async fn absent(
        &self,
        task: &Task<'_>,
        state: &StreamState,
        (mut after, up_to): (Option<SortKey>, Option<SortKey>),
        seen: &HashSet<&SortKey>,
    ) -> Result<Marks, Stop> {
        let mut absent = Vec::new();
        loop {
            let range = StoredRange {
                entity: self.entity.name.clone(),
                after: after.clone(),
                up_to: up_to.clone(),
                limit: BATCH,
            };
            let storage = &task.engine.storage;
            let rows = storage.known_range(task.request.connection, range).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.sort_key.clone());
            let full = rows.len() >= BATCH as usize;
            let keys = rows.into_iter().map(|row| row.sort_key);
            absent.extend(keys.filter(|key| !seen.contains(key)));
            if absent.len() >= MARKS {
                let mut content = Content::new(Tally::new(self.entity));
                content.marks = Marks::Absent(std::mem::take(&mut absent));
                task.commit(self.entity, &self.stream.name, state.clone(), content)
                    .await?;
            }
            if !full {
                break;
            }
        }
        Ok(if absent.is_empty() {
            Marks::None
        } else {
            Marks::Absent(absent)
        })
    }

    /// Takes rows out of the copy that a complete pass did not show, unless it cannot be believed.
    pub(crate) async fn settle(
        &self,
        task: &Task<'_>,
        pass: &Pass,
        state: &StreamState,
    ) -> Result<Judged, Stop> {
        let absence = self.absence(pass);
        let storage = &task.engine.storage;
        let connection = task.request.connection;
        let (missing, stored) = storage.count_missing(connection, &absence).await?;
        let standing = self.standing(task).await?;
        let shown = match &standing {
            Some(one) => storage.count_suspect(connection, &absence, one.id).await?,
            None => 0,
        };
        let confirmed = standing.as_ref().is_some_and(is_confirmed);
        let loss = Loss {
            missing,
            stored,
            is_empty: pass.rows == 0,
        };
        // As if the rows that are gone for sure were gone already.
        let is_suspect = loss.without(if confirmed { shown } else { 0 }).is_suspect();
        if is_suspect {
            let standing = standing.map(|one| (one, shown == missing));
            return Ok(self.doubt(task, (&loss, Some(absence)), standing).await);
        }
        if missing > 0 {
            self.take_out(task, &absence, state).await?;
        }
        Ok(Judged::settled(standing.is_some()))
    }

    /// Judges a complete pass in which absence proves nothing, for the sake of what its rows are joined into: by how
    /// many of the stored rows it cannot have shown.
    pub(crate) async fn judge(
        &self,
        task: &Task<'_>,
        pass: &Pass,
        unstored: u64,
    ) -> Result<Judged, Stop> {
        let absence = self.absence(pass);
        let storage = &task.engine.storage;
        // All that was shown is stored by now, but for rows that could not be read.
        let (_, stored) = storage
            .count_missing(task.request.connection, &absence)
            .await?;
        let loss = Loss {
            missing: stored.saturating_sub(pass.rows.saturating_sub(unstored)),
            stored,
            is_empty: pass.rows == 0,
        };
        let standing = self.standing(task).await?;
        if !loss.is_suspect() {
            return Ok(Judged::settled(standing.is_some()));
        }
        let confirmed = standing.as_ref().filter(|one| is_confirmed(one));
        let accepted = confirmed.map_or(0, |one| one.missing.min(loss.missing));
        if !loss.without(accepted).is_suspect() {
            // The rows stay until a pass proves that they are gone, and so does what was said of them.
            return Ok(Judged::settled(false));
        }
        let standing = standing.map(|one| {
            let as_many = loss.missing <= one.missing;
            (one, as_many)
        });
        Ok(self.doubt(task, (&loss, None), standing).await)
    }

    fn absence(&self, pass: &Pass) -> Absence {
        Absence {
            run: pass.run,
            entity: self.entity.name.clone(),
            // An empty pass marks nothing: it missed all there is.
            by_seen: !self.stream.sorted || pass.rows == 0,
            observation: pass.observation,
        }
    }

    async fn standing(&self, task: &Task<'_>) -> Result<Option<Suspicion>, Stop> {
        let storage = &task.engine.storage;
        let all = storage.suspicions(task.request.connection).await?;
        let name = &self.stream.name;
        Ok(all.into_iter().find(|one| one.stream == *name))
    }

    /// Puts the listing under suspicion. What stands comes with whether it has shown all that is missing.
    async fn doubt(
        &self,
        task: &Task<'_>,
        (loss, absence): (&Loss, Option<Absence>),
        standing: Option<(Suspicion, bool)>,
    ) -> Judged {
        let Loss {
            missing, stored, ..
        } = *loss;
        let name = &self.stream.name;
        let words = format!(
            "{missing} of {stored} stored rows were not listed, too many to believe: none was removed. Look at the \
             source, then confirm that they are gone or reject it"
        );
        task.fault(name, words).await;
        let now = task.engine.clock.now();
        let since = standing.as_ref().map_or(now, |(one, _)| one.since);
        let same = standing
            .filter(|(one, has_shown)| *has_shown && !is_confirmed(one))
            .map(|(one, _)| one.id);
        let verdict = Verdict::Suspect;
        if absence.is_none() && same.is_some() {
            return Judged {
                verdict,
                judgement: Judgement::Keep,
                event: None,
            };
        }
        let suspicion = Suspicion {
            id: same.unwrap_or_else(SuspicionId::new),
            stream: name.clone(),
            entity: self.entity.name.clone(),
            run: task.run,
            since,
            found_at: now,
            missing,
            stored,
            confirmed_at: None,
        };
        Judged {
            verdict,
            event: same.is_none().then(|| told(&suspicion)),
            judgement: Judgement::Raise {
                suspicion,
                missing: absence,
            },
        }
    }

    async fn take_out(
        &self,
        task: &Task<'_>,
        absence: &Absence,
        state: &StreamState,
    ) -> Result<(), Stop> {
        let storage = &task.engine.storage;
        let connection = task.request.connection;
        let mut after: Option<SortKey> = None;
        loop {
            let rows = storage
                .missing(connection, absence, after.as_ref(), BATCH)
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.sort_key.clone());
            let gone = self.confirm(task, rows, state).await?;
            if !gone.is_empty() {
                task.remove(self.entity, gone, absence.observation).await?;
            }
        }
    }

    /// Asks for missing rows by key where the source can be asked so, takes over those that are there after all,
    /// and returns the others.
    async fn confirm(
        &self,
        task: &Task<'_>,
        missing: Vec<KnownRow>,
        state: &StreamState,
    ) -> Result<Vec<SortKey>, Stop> {
        let mut gone = missing;
        if self.entity.fetch_limit.is_some() {
            let keys: Vec<RemoteKey> = gone.iter().map(|row| row.key.clone()).collect();
            let mut admission = task.admit(flight::unseen_rows(keys.len())).await?;
            let found = task.fetch_rows(self.entity, &keys, &mut admission).await?;
            let unreadable: HashSet<&RemoteKey> = found
                .unreadable
                .iter()
                .filter_map(|issue| issue.key.as_ref())
                .collect();
            gone.retain(|row| {
                !found.documents.contains_key(&row.key) && !unreadable.contains(&row.key)
            });
            let rows = found.documents.into_values().collect();
            let mut batch = task.differing(self.entity, rows, Terms::default()).await?;
            batch.tally.requests(found.requests);
            let mut content = Content::new(batch.tally);
            content.tally.unreadable(found.unreadable.len());
            content.documents = batch.writes;
            content.issues = found.unreadable;
            content.admission = Some(admission);
            task.commit(self.entity, &self.stream.name, state.clone(), content)
                .await?;
        }
        Ok(gone.into_iter().map(|row| row.sort_key).collect())
    }
}

fn follows(position: Option<&SortKey>, keys: &[SortKey]) -> bool {
    let first = keys.first();
    let behind = position
        .zip(first)
        .is_none_or(|(position, first)| first > position);
    behind && keys.is_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_follows_when_its_keys_rise_from_behind_the_last() {
        let key = SortKey::from_stored;
        assert!(follows(None, &[]));
        assert!(follows(Some(&key("b")), &[]));
        assert!(follows(Some(&key("b")), &[key("c"), key("d")]));
        assert!(!follows(Some(&key("b")), &[key("b")]));
        assert!(!follows(None, &[key("d"), key("c")]));
    }
}
