//! The copy of one connection.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use wrenchtime_connector::{EntityName, RemoteKey, RowIssue, SortKey, StreamName};
use wrenchtime_model::{
    ConnectionId, Envelope, Event, EventBody, EventType, RecordChange, RecordId, Resource, RunId,
    Timestamp,
};

use super::decisions::Shown;
use super::{MemoryDocument, MemoryRecord, Writes};
use crate::decide::{self, StoredRecord, Verdict};
use crate::{
    Absence, DocumentWrite, EventClock, KnownRow, LifecycleEvent, Marks, Mode, NewRun, Outcome,
    PageCommit, PageOutcome, RecordWrite, Removal, RunFinish, RunProgress, RunReport, RunStart,
    RunState, StorageError, StoredRange, StreamState, Suspicion, Written,
};

pub(super) type RowKey = (EntityName, SortKey);

pub(super) struct ConnectionCopy {
    connection: ConnectionId,
    pub(super) epoch: u32,
    pub(super) states: BTreeMap<StreamName, StreamState>,
    pub(super) documents: BTreeMap<RowKey, MemoryDocument>,
    pub(super) events: Vec<Event>,
    pub(super) issues: BTreeMap<(EntityName, String), RowIssue>,
    records: BTreeMap<RecordId, Stored>,
    /// The records that each document makes.
    made: BTreeMap<RowKey, BTreeSet<RecordId>>,
    clock: EventClock,
    run: Option<RunState>,
    was_complete: bool,
    marks: BTreeSet<(RunId, EntityName, SortKey)>,
    /// Rows that could not be read and are to be read again.
    pub(super) unread: BTreeSet<(EntityName, RemoteKey)>,
    /// What stands against each stream, and the rows that it has shown.
    pub(super) suspicions: BTreeMap<StreamName, (Suspicion, Shown)>,
}

struct Stored {
    record: MemoryRecord,
    content_hash: [u8; 32],
    /// The document that makes it.
    owner: RowKey,
}

/// What one write leaves behind.
struct Change<'w> {
    now: DateTime<Utc>,
    initial: bool,
    outcome: PageOutcome,
    writes: &'w mut Writes,
}

impl ConnectionCopy {
    pub(super) fn new(connection: ConnectionId) -> Self {
        Self {
            connection,
            epoch: 0,
            states: BTreeMap::new(),
            documents: BTreeMap::new(),
            events: Vec::new(),
            issues: BTreeMap::new(),
            records: BTreeMap::new(),
            clock: EventClock {
                sequence: 0,
                time: None,
            },
            run: None,
            was_complete: false,
            made: BTreeMap::new(),
            marks: BTreeSet::new(),
            unread: BTreeSet::new(),
            suspicions: BTreeMap::new(),
        }
    }

    pub(super) fn records(&self) -> Vec<MemoryRecord> {
        let records = self.records.values();
        records.map(|stored| stored.record.clone()).collect()
    }

    pub(super) fn begin_run(&mut self, new: &NewRun) -> RunStart {
        let left = self.run.take().filter(|run| run.finished.is_none());
        let goes_on = |run: &RunState| new.mode == Mode::Incremental || run.mode == Mode::Full;
        let run = left.filter(goes_on).unwrap_or_else(|| {
            // Marks of a run that is not gone on with.
            self.marks.clear();
            RunState {
                id: new.id,
                mode: new.mode,
                started_at: new.started_at,
                progress: RunProgress::default(),
                finished: None,
            }
        });
        self.run = Some(run.clone());
        RunStart {
            initial: run.mode == Mode::Full && !self.was_complete,
            run,
        }
    }

    pub(super) fn range(&self, range: &StoredRange) -> Vec<KnownRow> {
        let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
        self.live(&range.entity)
            .filter(|row| {
                let behind = range.after.as_ref().is_none_or(|key| row.sort_key > *key);
                let within = range.up_to.as_ref().is_none_or(|key| row.sort_key <= *key);
                behind && within
            })
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn count_missing(&self, absence: &Absence) -> (u64, u64) {
        let missing = self.missing(absence).count();
        let live = self.live(&absence.entity).count();
        let number = |count| u64::try_from(count).unwrap_or(u64::MAX);
        (number(missing), number(live))
    }

    pub(super) fn missing<'c>(
        &'c self,
        absence: &'c Absence,
    ) -> impl Iterator<Item = &'c KnownRow> {
        self.live(&absence.entity).filter(|row| {
            let mark = (absence.run, absence.entity.clone(), row.sort_key.clone());
            let marked = self.marks.contains(&mark);
            row.observation <= absence.observation && marked != absence.by_seen
        })
    }

    pub(super) fn commit(
        &mut self,
        commit: PageCommit,
        now: DateTime<Utc>,
        writes: &mut Writes,
    ) -> PageOutcome {
        let mut change = Change::new(now, commit.initial, writes);
        for write in commit.documents {
            self.write_document(&commit.entity, write, &mut change);
        }
        for key in commit.reread {
            let place = (commit.entity.clone(), key.as_str().to_owned());
            self.issues.remove(&place);
            self.unread.remove(&(commit.entity.clone(), key));
        }
        for issue in commit.issues {
            let place = issue.key.as_ref().map_or(&*issue.place, |key| key.as_str());
            let place = (commit.entity.clone(), place.to_owned());
            self.issues.insert(place, issue);
        }
        if let Marks::Absent(keys) | Marks::Seen(keys) = commit.marks {
            for key in keys {
                self.marks.insert((commit.run, commit.entity.clone(), key));
            }
        }
        self.judge(&commit.stream, commit.judgement);
        for LifecycleEvent { event, data } in commit.events {
            self.log(EventBody::Lifecycle { event, data }, now, change.writes);
        }
        self.checkpoint(commit.stream, commit.state, commit.progress, change)
    }

    pub(super) fn remove(
        &mut self,
        removal: &Removal,
        now: DateTime<Utc>,
        writes: &mut Writes,
    ) -> PageOutcome {
        let mut change = Change::new(now, removal.initial, writes);
        for key in &removal.keys {
            let key = (removal.entity.clone(), key.clone());
            let Some(document) = self.documents.get_mut(&key) else {
                continue;
            };
            let row = &mut document.row;
            if row.gone || decide::is_stale(row.observation, removal.observation) {
                continue;
            }
            row.gone = true;
            row.observation = removal.observation;
            row.resources.clear();
            change.writes.documents += 1;
            self.drop_records(&key, &BTreeSet::new(), &mut change);
        }
        change.outcome
    }

    pub(super) fn finish_run(
        &mut self,
        finish: &RunFinish,
        now: DateTime<Utc>,
        writes: &mut Writes,
    ) -> Result<RunReport, StorageError> {
        let Some(run) = self.run.as_mut().filter(|run| run.id == finish.run) else {
            let words = format!("run {} is not the one under way", finish.run);
            return Err(StorageError::Corrupt(words));
        };
        run.finished = Some((finish.finished_at, finish.outcome));
        run.progress = finish.progress.clone();
        let report = RunReport::new(run, finish);
        let data = serde_json::to_value(&report)
            .map_err(|error| StorageError::Corrupt(error.to_string()))?;
        self.was_complete |= matches!(finish.outcome, Outcome::Complete | Outcome::Partial);
        self.marks.clear();
        let own = match finish.outcome {
            Outcome::Complete | Outcome::Partial => Some(EventType::SyncCompleted),
            Outcome::Failed => Some(EventType::SyncFailed),
            Outcome::Cancelled => None,
        };
        if let Some(event) = own {
            self.log(EventBody::Lifecycle { event, data }, now, writes);
        }
        Ok(report)
    }

    pub(super) fn live(&self, entity: &EntityName) -> impl Iterator<Item = &KnownRow> {
        let first = (entity.clone(), SortKey::from_stored(""));
        let entity = entity.clone();
        self.documents
            .range(first..)
            .take_while(move |((of, _), _)| *of == entity)
            .map(|(_, document)| &document.row)
            .filter(|row| !row.gone)
    }

    fn checkpoint(
        &mut self,
        stream: StreamName,
        state: StreamState,
        mut progress: RunProgress,
        change: Change<'_>,
    ) -> PageOutcome {
        self.states.insert(stream, state);
        progress.add(&change.outcome);
        if let Some(run) = &mut self.run {
            run.progress = progress;
        }
        change.outcome
    }

    fn write_document(
        &mut self,
        entity: &EntityName,
        write: DocumentWrite,
        change: &mut Change<'_>,
    ) {
        let key = (entity.clone(), write.sort_key.clone());
        let mut resources = Vec::new();
        if let Some(before) = self.documents.get(&key) {
            if decide::is_stale(before.row.observation, write.observation) {
                change.outcome.stale += 1;
                return;
            }
            resources.clone_from(&before.row.resources);
        }
        let (mapped_by, tried_by, quarantined) = match write.written {
            Written::Quarantined { by, reason } => (String::new(), by, Some(reason)),
            Written::Mapped { by, records } => {
                resources = records.iter().map(|made| made.record.resource).collect();
                let kept = records.iter().map(|made| made.record.id).collect();
                self.drop_records(&key, &kept, change);
                self.made.insert(key.clone(), kept);
                for record in records {
                    self.write_record(&key, record, change);
                }
                (by, String::new(), None)
            }
        };
        change.writes.documents += 1;
        let row = KnownRow {
            key: write.document.key.clone(),
            sort_key: write.sort_key,
            version: write.document.version.clone(),
            hash: write.hash,
            mapped_by,
            observation: write.observation,
            gone: write.document.deleted,
            resources,
        };
        let document = MemoryDocument {
            document: write.document,
            row,
            quarantined,
            tried_by,
        };
        self.documents.insert(key, document);
    }

    fn write_record(&mut self, owner: &RowKey, write: RecordWrite, change: &mut Change<'_>) {
        let made = write.record;
        let stored = self.records.get(&made.id);
        let before = stored.map(|stored| StoredRecord {
            content_hash: stored.content_hash,
            resource: stored.record.resource,
            deleted: stored.record.envelope.deleted,
        });
        let verdict = decide::verdict(before.as_ref(), &write.content_hash, made.resource);
        let resource_before = before.map(|stored| stored.resource);
        let first_stored = stored.map(|stored| stored.record.envelope.created_at);
        let mut place = stored.map(|stored| {
            let envelope = &stored.record.envelope;
            (envelope.sequence, envelope.modified_at)
        });
        for (kind, resource) in verdict.events(resource_before, made.resource) {
            place = Some(self.tell(kind, resource, made.id, change));
        }
        change.count(verdict, resource_before, made.resource);
        let Some((sequence, modified_at)) = place else {
            return;
        };
        let envelope = Envelope {
            id: made.id,
            remote_id: made.remote_key.as_str().to_owned(),
            connection_id: self.connection,
            created_at: first_stored.unwrap_or(modified_at),
            modified_at,
            remote_created_at: made.remote_created_at,
            remote_modified_at: made.remote_modified_at,
            deleted: false,
            sequence,
        };
        let stored = Stored {
            record: MemoryRecord {
                envelope,
                resource: made.resource,
                content: made.content,
            },
            content_hash: write.content_hash,
            owner: owner.clone(),
        };
        self.records.insert(made.id, stored);
    }

    /// Marks as gone what a document made before and does not make now.
    fn drop_records(&mut self, owner: &RowKey, kept: &BTreeSet<RecordId>, change: &mut Change<'_>) {
        for id in self.made.remove(owner).unwrap_or_default() {
            // Another document may make the record by now.
            let is_its = |stored: &&Stored| stored.owner == *owner && !kept.contains(&id);
            let Some(resource) = self
                .records
                .get(&id)
                .filter(is_its)
                .map(|stored| stored.record.resource)
            else {
                continue;
            };
            let (sequence, modified_at) = self.tell(RecordChange::Deleted, resource, id, change);
            *change.outcome.deleted.entry(resource).or_default() += 1;
            change.writes.records += 1;
            if let Some(stored) = self.records.get_mut(&id) {
                let envelope = &mut stored.record.envelope;
                envelope.deleted = true;
                envelope.sequence = sequence;
                envelope.modified_at = modified_at;
            }
        }
    }

    fn tell(
        &mut self,
        change: RecordChange,
        resource: Resource,
        record_id: RecordId,
        cause: &mut Change<'_>,
    ) -> (u64, Timestamp) {
        let body = EventBody::Record {
            change,
            resource,
            record_id,
            initial: cause.initial,
        };
        self.log(body, cause.now, cause.writes)
    }

    fn log(
        &mut self,
        body: EventBody,
        now: DateTime<Utc>,
        writes: &mut Writes,
    ) -> (u64, Timestamp) {
        let (sequence, time) = self.clock.tick(now);
        writes.events += 1;
        self.events.push(Event {
            sequence,
            connection_id: self.connection,
            time,
            body,
        });
        (sequence, time)
    }
}

impl<'w> Change<'w> {
    fn new(now: DateTime<Utc>, initial: bool, writes: &'w mut Writes) -> Self {
        Self {
            now,
            initial,
            outcome: PageOutcome::default(),
            writes,
        }
    }

    fn count(&mut self, verdict: Verdict, before: Option<Resource>, now: Resource) {
        let outcome = &mut self.outcome;
        let count = match verdict {
            Verdict::Keep => {
                *outcome.unchanged.entry(now).or_default() += 1;
                return;
            }
            Verdict::Create => &mut outcome.created,
            Verdict::Change => &mut outcome.changed,
            Verdict::Move => {
                if let Some(before) = before {
                    *outcome.deleted.entry(before).or_default() += 1;
                }
                &mut outcome.created
            }
        };
        *count.entry(now).or_default() += 1;
        self.writes.records += 1;
    }
}
