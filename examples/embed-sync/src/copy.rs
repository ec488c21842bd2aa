//! The copy of one connection: what all its changes add up to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wrenchtime_connector::{
    ChangeTime, Document, EntityName, RemoteKey, RowIssue, SortKey, StreamName,
};
use wrenchtime_model::{Envelope, Event, RecordId, Resource, RunId, SuspicionId};
use wrenchtime_sync::decide::StoredRecord;
use wrenchtime_sync::{
    Absence, EventClock, KnownRow, Outcome, RunState, StorageError, StoredDocument, StoredRange,
    StreamState, Suspicion, UnmappedQuery,
};

/// An entity and the key of one of its rows.
pub(crate) type Place = (EntityName, SortKey);

/// All that is known of a connection. Changes by [`Copy::apply`] alone.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) epoch: u32,
    /// A run has ended complete or partial.
    pub(crate) was_complete: bool,
    pub(crate) streams: BTreeMap<StreamName, StreamState>,
    pub(crate) rows: BTreeMap<Place, Row>,
    pub(crate) records: BTreeMap<RecordId, Stored>,
    pub(crate) events: Vec<Event>,
    run: Option<RunState>,
    issues: BTreeMap<(EntityName, String), RowIssue>,
    marks: BTreeSet<(RunId, Place)>,
    pub(crate) suspicions: BTreeMap<StreamName, Shown>,
}

/// What stands against a stream, and the rows that it has shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) suspicion: Suspicion,
    pub(crate) keys: BTreeSet<SortKey>,
    /// Rows that were read after this came back.
    pub(crate) observation: i64,
}

/// One change of a copy. Each says what is from now on, so that applying a list of them again does no harm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Epoch(u32),
    Run(RunState),
    Stream(StreamName, StreamState),
    Row(Place, Row),
    Record(Stored),
    Issue(EntityName, RowIssue),
    Mark(RunId, Place),
    ForgetMarks,
    Suspicion(Shown),
    Trust(StreamName),
    Event(Event),
}

/// A source's row with what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) key: RemoteKey,
    pub(crate) version: Option<String>,
    pub(crate) hash: [u8; 32],
    pub(crate) mapped_by: String,
    pub(crate) quarantined: Option<String>,
    /// The mapper that could not map it.
    pub(crate) tried_by: String,
    pub(crate) changed_at: Option<ChangeTime>,
    pub(crate) observation: i64,
    pub(crate) gone: bool,
    /// The records that it makes.
    pub(crate) made: BTreeMap<RecordId, Resource>,
    pub(crate) body: Box<RawValue>,
}

/// A unified record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) envelope: Envelope,
    pub(crate) resource: Resource,
    pub(crate) content: Box<RawValue>,
    pub(crate) content_hash: [u8; 32],
    /// The row that makes it.
    pub(crate) owner: Place,
}

impl Copy {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Epoch(epoch) => self.epoch = epoch,
            Change::Run(run) => {
                let ended = run.finished.map(|(_, outcome)| outcome);
                self.was_complete |= matches!(ended, Some(Outcome::Complete | Outcome::Partial));
                self.run = Some(run);
            }
            Change::Stream(name, state) => {
                self.streams.insert(name, state);
            }
            Change::Row(place, row) => {
                // It was read at last.
                self.issues
                    .remove(&(place.0.clone(), row.key.as_str().to_owned()));
                self.rows.insert(place, row);
            }
            Change::Record(stored) => {
                self.records.insert(stored.envelope.id, stored);
            }
            Change::Issue(entity, issue) => {
                let key = issue.key.as_ref().map_or(&*issue.place, RemoteKey::as_str);
                self.issues.insert((entity, key.to_owned()), issue);
            }
            Change::Mark(run, place) => {
                self.marks.insert((run, place));
            }
            Change::ForgetMarks => self.marks.clear(),
            Change::Suspicion(shown) => {
                let stream = shown.suspicion.stream.clone();
                self.suspicions.insert(stream, shown);
            }
            Change::Trust(stream) => {
                self.suspicions.remove(&stream);
            }
            Change::Event(event) => self.events.push(event),
        }
    }

    pub(crate) fn left_run(&self) -> Option<&RunState> {
        self.run.as_ref().filter(|run| run.finished.is_none())
    }

    pub(crate) fn run_under_way(&self, id: RunId) -> Result<RunState, StorageError> {
        let run = self.left_run().filter(|run| run.id == id).cloned();
        run.ok_or_else(|| StorageError::Corrupt(format!("run {id} is not under way")))
    }

    pub(crate) fn event_clock(&self) -> EventClock {
        let last = self.events.last();
        EventClock {
            sequence: last.map_or(0, |event| event.sequence),
            time: last.map(|event| event.time),
        }
    }

    pub(crate) fn issues(&self) -> impl Iterator<Item = (&EntityName, &RowIssue)> {
        self.issues
            .iter()
            .map(|((entity, _), issue)| (entity, issue))
    }

    pub(crate) fn known(&self, entity: &EntityName, keys: &[SortKey]) -> Vec<KnownRow> {
        let row = |key: &SortKey| {
            let row = self.rows.get(&(entity.clone(), key.clone()))?;
            Some(row.known(key))
        };
        keys.iter().filter_map(row).collect()
    }

    pub(crate) fn range(&self, range: &StoredRange) -> Vec<KnownRow> {
        self.live(&range.entity)
            .skip_while(|(key, _)| range.after.as_ref().is_some_and(|after| *key <= after))
            .take_while(|(key, _)| range.up_to.as_ref().is_none_or(|up_to| *key <= up_to))
            .take(usize::try_from(range.limit).unwrap_or(usize::MAX))
            .map(|(key, row)| row.known(key))
            .collect()
    }

    /// Returns rows that a listing did not show, in key order.
    pub(crate) fn missing<'c>(
        &'c self,
        absence: &'c Absence,
    ) -> impl Iterator<Item = (&'c SortKey, &'c Row)> {
        self.live(&absence.entity).filter(|(key, row)| {
            let place = (absence.entity.clone(), (*key).clone());
            let is_marked = self.marks.contains(&(absence.run, place));
            row.observation <= absence.observation && is_marked != absence.by_seen
        })
    }

    /// Returns rows that could not be mapped and were tried by another mapper.
    pub(crate) fn unmapped(&self, query: &UnmappedQuery) -> Vec<StoredDocument> {
        self.rows
            .iter()
            .filter(|((entity, _), row)| !row.gone && query.entities.contains(entity))
            .filter(|(_, row)| row.quarantined.is_some() && row.tried_by != query.not_by)
            .take(usize::try_from(query.limit).unwrap_or(usize::MAX))
            .map(|((entity, key), row)| row.stored(entity, key))
            .collect()
    }

    /// Returns what stands under this id.
    pub(crate) fn suspicion(&self, id: SuspicionId) -> Option<&Shown> {
        let mut all = self.suspicions.values();
        all.find(|shown| shown.suspicion.id == id)
    }

    /// Counts rows that a listing did not show and that a suspicion has shown.
    pub(crate) fn count_suspect(&self, absence: &Absence, id: SuspicionId) -> usize {
        let Some(shown) = self.suspicion(id) else {
            return 0;
        };
        self.missing(absence)
            .filter(|(key, row)| row.observation <= shown.observation && shown.keys.contains(*key))
            .count()
    }

    /// Returns an entity's rows that are not gone, in key order.
    pub(crate) fn live(&self, entity: &EntityName) -> impl Iterator<Item = (&SortKey, &Row)> {
        let first = (entity.clone(), SortKey::from_stored(""));
        let entity = entity.clone();
        self.rows
            .range(first..)
            .take_while(move |((of, _), _)| *of == entity)
            .map(|((_, key), row)| (key, row))
            .filter(|(_, row)| !row.gone)
    }
}

impl Row {
    fn stored(&self, entity: &EntityName, sort_key: &SortKey) -> StoredDocument {
        let document = Document::new(entity.clone(), self.key.clone(), self.body.clone())
            .with_version(self.version.clone())
            .with_changed_at(self.changed_at.clone());
        StoredDocument {
            document,
            sort_key: sort_key.clone(),
            hash: self.hash,
            observation: self.observation,
        }
    }

    pub(crate) fn known(&self, sort_key: &SortKey) -> KnownRow {
        KnownRow {
            key: self.key.clone(),
            sort_key: sort_key.clone(),
            version: self.version.clone(),
            hash: self.hash,
            mapped_by: self.mapped_by.clone(),
            observation: self.observation,
            gone: self.gone,
            resources: self.made.values().copied().collect(),
        }
    }
}

impl Stored {
    pub(crate) fn decisive(&self) -> StoredRecord {
        StoredRecord {
            content_hash: self.content_hash,
            resource: self.resource,
            deleted: self.envelope.deleted,
        }
    }
}
