//! What waits for somebody: suspicions to be decided, and rows to be tried again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use wrenchtime_connector::{RemoteKey, SortKey, StreamName};
use wrenchtime_model::SuspicionId;

use super::MemoryDocument;
use super::copy::{ConnectionCopy, RowKey};
use crate::{Absence, Decision, Judgement, StoredDocument, Suspicion, UnmappedQuery};

/// The rows that a suspicion has shown.
#[derive(Default)]
pub(super) struct Shown {
    keys: BTreeSet<SortKey>,
    /// A row that was read after this came back.
    observation: i64,
}

impl ConnectionCopy {
    pub(super) fn count_suspect(&self, absence: &Absence, suspicion: SuspicionId) -> u64 {
        let mut suspicions = self.suspicions.values();
        let Some((_, shown)) = suspicions.find(|(one, _)| one.id == suspicion) else {
            return 0;
        };
        let suspect = self.missing(absence).filter(|row| {
            row.observation <= shown.observation && shown.keys.contains(&row.sort_key)
        });
        u64::try_from(suspect.count()).unwrap_or(u64::MAX)
    }

    pub(super) fn unmapped(&self, query: &UnmappedQuery) -> Vec<StoredDocument> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let asked = |key: &RowKey| query.entities.contains(&key.0);
        let tried = |document: &MemoryDocument| document.tried_by != query.not_by;
        self.documents
            .iter()
            .filter(|(key, stored)| asked(key) && !stored.row.gone)
            .filter(|(_, stored)| stored.quarantined.is_some() && tried(stored))
            .take(limit)
            .map(|(_, stored)| StoredDocument {
                document: stored.document.clone(),
                sort_key: stored.row.sort_key.clone(),
                hash: stored.row.hash,
                observation: stored.row.observation,
            })
            .collect()
    }

    pub(super) fn retry_all(&mut self) {
        for stored in self.documents.values_mut() {
            stored.tried_by.clear();
        }
        let issues = self.issues.iter();
        let keys =
            issues.filter_map(|((entity, _), issue)| Some((entity.clone(), issue.key.clone()?)));
        self.unread.extend(keys);
    }

    /// Returns the keys of the rows that a suspicion shows.
    pub(super) fn suspects(&self, suspicion: SuspicionId) -> Vec<RemoteKey> {
        let mut suspicions = self.suspicions.values();
        let Some((one, shown)) = suspicions.find(|(one, _)| one.id == suspicion) else {
            return Vec::new();
        };
        self.live(&one.entity)
            .filter(|row| shown.keys.contains(&row.sort_key))
            .filter(|row| row.observation <= shown.observation)
            .map(|row| row.key.clone())
            .collect()
    }

    pub(super) fn decide(
        &mut self,
        id: SuspicionId,
        decision: Decision,
        now: DateTime<Utc>,
    ) -> Option<Suspicion> {
        let (stream, mut suspicion) = self
            .suspicions
            .iter()
            .find(|(_, (one, _))| one.id == id)
            .map(|(stream, (one, _))| (stream.clone(), one.clone()))?;
        match decision {
            Decision::Reject => {
                self.suspicions.remove(&stream);
            }
            Decision::Confirm => {
                suspicion.confirmed_at.get_or_insert(now);
                let stored = self.suspicions.get_mut(&stream)?;
                stored.0 = suspicion.clone();
            }
        }
        Some(suspicion)
    }

    pub(super) fn judge(&mut self, stream: &StreamName, judgement: Judgement) {
        match judgement {
            Judgement::Keep => {}
            Judgement::Lift => {
                self.suspicions.remove(stream);
            }
            Judgement::Raise {
                mut suspicion,
                missing,
            } => {
                if let Some((before, _)) = self.suspicions.get(stream)
                    && before.id == suspicion.id
                {
                    suspicion.confirmed_at = before.confirmed_at;
                }
                let rows = missing.iter().flat_map(|absence| self.missing(absence));
                let shown = Shown {
                    keys: rows.map(|row| row.sort_key.clone()).collect(),
                    observation: missing.as_ref().map_or(0, |absence| absence.observation),
                };
                self.suspicions.insert(stream.clone(), (suspicion, shown));
            }
        }
    }
}
