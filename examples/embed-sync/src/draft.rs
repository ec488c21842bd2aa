//! One write: what a page, a removal or the end of a run changes in a copy.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use wrenchtime_connector::{EntityName, StreamName};
use wrenchtime_model::{
    ConnectionId, Envelope, Event, EventBody, EventType, RecordChange, RecordId, Resource,
    SuspicionId, Timestamp,
};
use wrenchtime_sync::decide;
use wrenchtime_sync::{
    Decision, DocumentWrite, Judgement, LifecycleEvent, Marks, Mode, NewRun, Outcome, PageCommit,
    PageOutcome, RecordWrite, Removal, RunFinish, RunProgress, RunReport, RunStart, RunState,
    StorageError, Suspicion, Written,
};

use crate::copy::{Change, Copy, Place, Row, Shown, Stored};

/// Changes a copy, and lists the changes for the journal.
///
/// Every method fails before its first change or not at all.
#[derive(Debug)]
pub(crate) struct Draft<'c> {
    copy: &'c mut Copy,
    connection: ConnectionId,
    now: DateTime<Utc>,
    initial: bool,
    outcome: PageOutcome,
    changes: Vec<Change>,
}

impl<'c> Draft<'c> {
    pub(crate) fn new(copy: &'c mut Copy, connection: ConnectionId, now: DateTime<Utc>) -> Self {
        Self {
            copy,
            connection,
            now,
            initial: false,
            outcome: PageOutcome::default(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    pub(crate) fn raise_epoch(&mut self) -> u32 {
        self.put(Change::Epoch(self.copy.epoch + 1));
        self.copy.epoch
    }

    pub(crate) fn begin_run(&mut self, new: &NewRun) -> RunStart {
        let left = self.copy.left_run().cloned();
        let run = match left {
            Some(run) if new.mode == Mode::Incremental || run.mode == Mode::Full => run,
            too_small => {
                if let Some(mut run) = too_small {
                    run.finished = Some((new.started_at, Outcome::Cancelled));
                    self.put(Change::Run(run));
                    self.put(Change::ForgetMarks);
                }
                let run = RunState {
                    id: new.id,
                    mode: new.mode,
                    started_at: new.started_at,
                    progress: RunProgress::default(),
                    finished: None,
                };
                self.put(Change::Run(run.clone()));
                run
            }
        };
        let initial = run.mode == Mode::Full && !self.copy.was_complete;
        RunStart { run, initial }
    }

    pub(crate) fn commit(&mut self, commit: PageCommit) -> Result<PageOutcome, StorageError> {
        let mut run = self.copy.run_under_way(commit.run)?;
        self.initial = commit.initial;
        for write in commit.documents {
            self.write_document(&commit.entity, write);
        }
        for issue in commit.issues {
            self.put(Change::Issue(commit.entity.clone(), issue));
        }
        if let Marks::Absent(keys) | Marks::Seen(keys) = commit.marks {
            for key in keys {
                self.put(Change::Mark(commit.run, (commit.entity.clone(), key)));
            }
        }
        self.judge(&commit.stream, commit.judgement);
        for LifecycleEvent { event, data } in commit.events {
            self.log(EventBody::Lifecycle { event, data });
        }
        self.put(Change::Stream(commit.stream, commit.state));
        run.progress = commit.progress;
        run.progress.add(&self.outcome);
        self.put(Change::Run(run));
        Ok(std::mem::take(&mut self.outcome))
    }

    pub(crate) fn remove(&mut self, removal: Removal) -> PageOutcome {
        self.initial = removal.initial;
        for key in removal.keys {
            let place = (removal.entity.clone(), key);
            let Some(mut row) = self.copy.rows.get(&place).cloned() else {
                continue;
            };
            if row.gone || decide::is_stale(row.observation, removal.observation) {
                continue;
            }
            let made = std::mem::take(&mut row.made);
            row.gone = true;
            row.observation = removal.observation;
            self.put(Change::Row(place.clone(), row));
            self.drop_records(&place, made.into_keys());
        }
        std::mem::take(&mut self.outcome)
    }

    pub(crate) fn finish_run(&mut self, finish: RunFinish) -> Result<RunReport, StorageError> {
        let mut run = self.copy.run_under_way(finish.run)?;
        let report = RunReport::new(&run, &finish);
        let data = serde_json::to_value(&report)
            .map_err(|error| StorageError::Corrupt(error.to_string()))?;
        run.finished = Some((finish.finished_at, finish.outcome));
        run.progress = finish.progress;
        self.put(Change::Run(run));
        self.put(Change::ForgetMarks);
        let own = match finish.outcome {
            Outcome::Complete | Outcome::Partial => Some(EventType::SyncCompleted),
            Outcome::Failed => Some(EventType::SyncFailed),
            Outcome::Cancelled => None,
        };
        if let Some(event) = own {
            self.log(EventBody::Lifecycle { event, data });
        }
        Ok(report)
    }

    /// Decides what stands under this id.
    pub(crate) fn decide(&mut self, id: SuspicionId, decision: Decision) -> Option<Suspicion> {
        let mut shown = self.copy.suspicion(id)?.clone();
        match decision {
            Decision::Confirm => {
                shown.suspicion.confirmed_at.get_or_insert(self.now);
                self.put(Change::Suspicion(shown.clone()));
            }
            Decision::Reject => self.put(Change::Trust(shown.suspicion.stream.clone())),
        }
        Some(shown.suspicion)
    }

    fn judge(&mut self, stream: &StreamName, judgement: Judgement) {
        match judgement {
            Judgement::Keep => {}
            Judgement::Lift => {
                if self.copy.suspicions.contains_key(stream) {
                    self.put(Change::Trust(stream.clone()));
                }
            }
            Judgement::Raise {
                mut suspicion,
                missing,
            } => {
                if let Some(before) = self.copy.suspicion(suspicion.id) {
                    suspicion.confirmed_at = before.suspicion.confirmed_at;
                }
                let rows = missing
                    .iter()
                    .flat_map(|absence| self.copy.missing(absence));
                let shown = Shown {
                    suspicion,
                    keys: rows.map(|(key, _)| key.clone()).collect(),
                    observation: missing.as_ref().map_or(0, |absence| absence.observation),
                };
                self.put(Change::Suspicion(shown));
            }
        }
    }

    fn write_document(&mut self, entity: &EntityName, write: DocumentWrite) {
        let place = (entity.clone(), write.sort_key);
        let mut made = BTreeMap::new();
        if let Some(before) = self.copy.rows.get(&place) {
            if decide::is_stale(before.observation, write.observation) {
                self.outcome.stale += 1;
                return;
            }
            made.clone_from(&before.made);
        }
        let (mapped_by, tried_by, quarantined) = match write.written {
            Written::Quarantined { by, reason } => (String::new(), by, Some(reason)),
            Written::Mapped { by, records } => {
                let made_now = records
                    .iter()
                    .map(|write| (write.record.id, write.record.resource));
                let before = std::mem::replace(&mut made, made_now.collect());
                let dropped = before.into_keys().filter(|id| !made.contains_key(id));
                self.drop_records(&place, dropped);
                for record in records {
                    self.write_record(&place, record);
                }
                (by, String::new(), None)
            }
        };
        let row = Row {
            key: write.document.key,
            version: write.document.version,
            hash: write.hash,
            mapped_by,
            quarantined,
            tried_by,
            changed_at: write.document.changed_at,
            observation: write.observation,
            gone: write.document.deleted,
            made,
            body: write.document.body,
        };
        self.put(Change::Row(place, row));
    }

    fn write_record(&mut self, owner: &Place, write: RecordWrite) {
        let made = write.record;
        let stored = self.copy.records.get(&made.id);
        let before = stored.map(Stored::decisive);
        let created_at = stored.map(|stored| stored.envelope.created_at);
        let mut told = stored.map(|stored| (stored.envelope.sequence, stored.envelope.modified_at));
        let verdict = decide::verdict(before.as_ref(), &write.content_hash, made.resource);
        let resource_before = before.map(|before| before.resource);
        let events = verdict.events(resource_before, made.resource);
        if events.is_empty() {
            *self.outcome.unchanged.entry(made.resource).or_default() += 1;
        }
        for (change, resource) in events {
            told = Some(self.tell(change, resource, made.id));
        }
        // A record that was never stored is always told of.
        let Some((sequence, modified_at)) = told else {
            return;
        };
        let envelope = Envelope {
            id: made.id,
            remote_id: made.remote_key.as_str().to_owned(),
            connection_id: self.connection,
            created_at: created_at.unwrap_or(modified_at),
            modified_at,
            remote_created_at: made.remote_created_at,
            remote_modified_at: made.remote_modified_at,
            deleted: false,
            sequence,
        };
        self.put(Change::Record(Stored {
            envelope,
            resource: made.resource,
            content: made.content,
            content_hash: write.content_hash,
            owner: owner.clone(),
        }));
    }

    /// Marks records as gone, but those that another row makes by now.
    fn drop_records(&mut self, owner: &Place, ids: impl Iterator<Item = RecordId>) {
        for id in ids {
            let stored = self.copy.records.get(&id);
            let Some(mut stored) = stored.filter(|stored| stored.owner == *owner).cloned() else {
                continue;
            };
            let (sequence, modified_at) = self.tell(RecordChange::Deleted, stored.resource, id);
            stored.envelope.deleted = true;
            stored.envelope.sequence = sequence;
            stored.envelope.modified_at = modified_at;
            self.put(Change::Record(stored));
        }
    }

    /// Counts and logs what happened to a record.
    fn tell(
        &mut self,
        change: RecordChange,
        resource: Resource,
        record_id: RecordId,
    ) -> (u64, Timestamp) {
        let counts = match change {
            RecordChange::Created => &mut self.outcome.created,
            RecordChange::Updated => &mut self.outcome.changed,
            RecordChange::Deleted => &mut self.outcome.deleted,
        };
        *counts.entry(resource).or_default() += 1;
        self.log(EventBody::Record {
            change,
            resource,
            record_id,
            initial: self.initial,
        })
    }

    fn log(&mut self, body: EventBody) -> (u64, Timestamp) {
        let (sequence, time) = self.copy.event_clock().tick(self.now);
        self.put(Change::Event(Event {
            sequence,
            connection_id: self.connection,
            time,
            body,
        }));
        (sequence, time)
    }

    fn put(&mut self, change: Change) {
        self.copy.apply(change.clone());
        self.changes.push(change);
    }
}
