//! Rows that are gone: what a complete listing does not show.

use std::collections::HashSet;

use serde_json::json;
use wrenchtime_connector::{EntityInfo, RemoteKey, SortKey, StreamInfo};
use wrenchtime_model::EventType;

use crate::ledger::Tally;
use crate::task::{Content, Stop, Task};
use crate::{Absence, KnownRow, LifecycleEvent, Marks, Pass, StoredRange, StreamState};

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
        // An empty pass is suspect as a whole: no need to mark every row.
        let empty = pass.rows == 0 && !task.request.accept_deletes;
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

    /// Takes rows out of the copy that a complete pass did not show. Returns whether the pass can be believed.
    pub(crate) async fn settle(
        &self,
        task: &Task<'_>,
        pass: &Pass,
        state: &StreamState,
    ) -> Result<Verdict, Stop> {
        let absence = self.absence(pass);
        let storage = &task.engine.storage;
        let counts = storage
            .count_missing(task.request.connection, &absence)
            .await?;
        let verdict = self.verdict(task, pass, counts).await;
        if verdict == Verdict::Settled && counts.0 > 0 {
            self.take_out(task, &absence, state).await?;
        }
        Ok(verdict)
    }

    /// Judges a complete pass in which absence proves nothing, for the sake of what its rows are joined into: by how
    /// many of the stored rows it cannot have shown.
    pub(crate) async fn judge(
        &self,
        task: &Task<'_>,
        pass: &Pass,
        deleted: u64,
    ) -> Result<Verdict, Stop> {
        let absence = self.absence(pass);
        let storage = &task.engine.storage;
        // All that was shown is stored by now, but for rows that could not be read.
        let (_, stored) = storage
            .count_missing(task.request.connection, &absence)
            .await?;
        let missing = stored.saturating_sub(pass.rows.saturating_sub(deleted));
        Ok(self.verdict(task, pass, (missing, stored)).await)
    }

    fn absence(&self, pass: &Pass) -> Absence {
        Absence {
            run: pass.run,
            entity: self.entity.name.clone(),
            by_seen: !self.stream.sorted,
            observation: pass.observation,
        }
    }

    async fn verdict(
        &self,
        task: &Task<'_>,
        pass: &Pass,
        (missing, stored): (u64, u64),
    ) -> Verdict {
        let empty = pass.rows == 0 && stored > 0;
        if task.request.accept_deletes || !(is_suspect(missing, stored) || empty) {
            return Verdict::Settled;
        }
        let missing = if empty { stored } else { missing };
        self.complain(task, missing, stored).await;
        Verdict::Suspect
    }

    async fn complain(&self, task: &Task<'_>, missing: u64, stored: u64) {
        let name = &self.stream.name;
        let words = format!(
            "{missing} of {stored} stored rows were not listed, too many to believe: none was removed. Look at the \
             source; if they are gone indeed, sync again with `accept_deletes`"
        );
        let data = json!({
            "code": "suspect_run",
            "stream": name.as_str(),
            "entity": self.entity.name.as_str(),
            "missing": missing,
            "stored": stored,
        });
        let event = EventType::SystemError;
        let event = LifecycleEvent { event, data };
        task.complain(name, words, event).await;
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
            let found = task.fetch_rows(self.entity, &keys).await?;
            let unreadable: HashSet<&RemoteKey> = found
                .unreadable
                .iter()
                .filter_map(|issue| issue.key.as_ref())
                .collect();
            gone.retain(|row| {
                !found.documents.contains_key(&row.key) && !unreadable.contains(&row.key)
            });
            let rows = found.documents.into_values().collect();
            let mut batch = task.differing(self.entity, rows).await?;
            batch.tally.requests(found.requests);
            let mut content = Content::new(batch.tally);
            content.tally.unreadable(found.unreadable.len());
            content.documents = batch.writes;
            content.issues = found.unreadable;
            task.commit(self.entity, &self.stream.name, state.clone(), content)
                .await?;
        }
        Ok(gone.into_iter().map(|row| row.sort_key).collect())
    }
}

/// Whether a complete pass can be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It can, and the copy agrees with it.
    Settled,
    /// So much is missing that an operator has to say.
    Suspect,
}

/// Tells whether more than 10 % and more than 10 rows are missing.
fn is_suspect(missing: u64, stored: u64) -> bool {
    missing > 10 && missing.saturating_mul(10) > stored
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
    fn more_than_ten_and_more_than_a_tenth_is_suspect() {
        assert!(!is_suspect(0, 0));
        assert!(!is_suspect(10, 10));
        assert!(is_suspect(11, 11));
        assert!(is_suspect(11, 109));
        assert!(!is_suspect(11, 110));
    }

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
