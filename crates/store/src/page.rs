//! What a page changes, decided from what is stored. Pure: whichever database it is, the answer is the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use wrenchtime_connector::SortKey;
use wrenchtime_model::{ConnectionId, Envelope, RecordChange, RecordId, Resource, Timestamp};
use wrenchtime_sync::decide::{self, Verdict};
use wrenchtime_sync::{DocumentWrite, EventClock, PageOutcome, RecordWrite, Written};

/// What tells a record from others of its connection.
pub(crate) type RecordKey = (Resource, RecordId);

/// What is stored of the documents and records that a page may touch.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) documents: HashMap<SortKey, StoredDocument>,
    pub(crate) records: HashMap<RecordKey, StoredRecord>,
}

/// A document as stored, as far as decisions need it.
#[derive(Clone, Debug)]
pub(crate) struct StoredDocument {
    pub(crate) row: i64,
    pub(crate) observation: i64,
    pub(crate) gone: bool,
    pub(crate) mapped_by: String,
    pub(crate) resources: Vec<Resource>,
}

/// A record as stored, as far as decisions need it.
#[derive(Clone, Debug)]
pub(crate) struct StoredRecord {
    /// The row of the document that made it last.
    pub(crate) document: i64,
    pub(crate) content_hash: [u8; 32],
    pub(crate) envelope: Envelope,
}

/// A page being decided, and in the end what is to be written.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    stored: Stored,
    /// Records by the row of their document. A record that moved stays in its old list too.
    owned: HashMap<i64, Vec<RecordKey>>,
    next_row: i64,
    connection: ConnectionId,
    now: DateTime<Utc>,
    document_places: HashMap<SortKey, usize>,
    record_places: HashMap<RecordKey, usize>,
    /// The connection's event clock after the page.
    pub(crate) clock: EventClock,
    /// Documents to write, each once.
    pub(crate) documents: Vec<DocumentEffect<'a>>,
    /// Records to write, each once.
    pub(crate) records: Vec<RecordEffect<'a>>,
    /// Events to write, in order.
    pub(crate) events: Vec<RecordEvent>,
    /// By how much the numbers of live and deleted records change.
    pub(crate) counts: BTreeMap<Resource, (i64, i64)>,
    /// What the caller is told.
    pub(crate) outcome: PageOutcome,
}

/// A document to write.
#[derive(Debug)]
pub(crate) struct DocumentEffect<'a> {
    pub(crate) row: i64,
    pub(crate) write: &'a DocumentWrite,
    pub(crate) resources: Vec<Resource>,
}

/// A record to write.
#[derive(Debug)]
pub(crate) struct RecordEffect<'a> {
    pub(crate) key: RecordKey,
    pub(crate) document: i64,
    pub(crate) envelope: Envelope,
    /// What else it is now, where a document said it.
    pub(crate) write: Option<&'a RecordWrite>,
    /// The content is another than the stored one, or there was none.
    pub(crate) is_new_content: bool,
}

/// A record's event.
#[derive(Debug)]
pub(crate) struct RecordEvent {
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) change: RecordChange,
    pub(crate) key: RecordKey,
}

impl<'a> Page<'a> {
    /// Begins a page of a connection over what is stored. New documents get rows from `next_row` on.
    pub(crate) fn new(
        connection: ConnectionId,
        stored: Stored,
        next_row: i64,
        clock: EventClock,
        now: DateTime<Utc>,
    ) -> Self {
        let mut owned: HashMap<i64, Vec<RecordKey>> = HashMap::new();
        for (key, record) in &stored.records {
            owned.entry(record.document).or_default().push(*key);
        }
        Self {
            stored,
            owned,
            next_row,
            connection,
            now,
            document_places: HashMap::new(),
            record_places: HashMap::new(),
            clock,
            documents: Vec::new(),
            records: Vec::new(),
            events: Vec::new(),
            counts: BTreeMap::new(),
            outcome: PageOutcome::default(),
        }
    }

    /// Decides one document. One key may come several times.
    pub(crate) fn write(&mut self, write: &'a DocumentWrite) {
        let before = self.stored.documents.get(&write.sort_key).cloned();
        if before
            .as_ref()
            .is_some_and(|before| decide::is_stale(before.observation, write.observation))
        {
            self.outcome.stale += 1;
            return;
        }
        let row = before.as_ref().map_or(self.next_row, |before| before.row);
        self.next_row = self.next_row.max(row + 1);
        let mut mapped_by = "";
        let resources = match &write.written {
            Written::Quarantined { .. } => {
                before.map(|before| before.resources).unwrap_or_default()
            }
            Written::Mapped { by, records } => {
                mapped_by = by;
                let is_other_mapper = before.is_none_or(|before| before.mapped_by != *by);
                let records: &[RecordWrite] = if write.document.deleted { &[] } else { records };
                let made = records.iter().map(|made| made.record.id).collect();
                self.retire(row, &made);
                for record in records {
                    self.write_record(row, record, is_other_mapper);
                }
                records.iter().map(|made| made.record.resource).collect()
            }
        };
        self.stored.documents.insert(
            write.sort_key.clone(),
            StoredDocument {
                row,
                observation: write.observation,
                gone: write.document.deleted,
                mapped_by: mapped_by.to_owned(),
                resources: resources.clone(),
            },
        );
        self.keep_document(DocumentEffect {
            row,
            write,
            resources,
        });
    }

    /// Marks the live records of a document as gone, except these.
    pub(crate) fn retire(&mut self, document: i64, except: &BTreeSet<RecordId>) {
        let mut keys = self.owned.get(&document).cloned().unwrap_or_default();
        keys.sort_unstable_by_key(|(resource, id)| (*id, *resource));
        keys.dedup();
        for key in keys.into_iter().filter(|key| !except.contains(&key.1)) {
            let is_live = self
                .stored
                .records
                .get(&key)
                .is_some_and(|record| record.document == document && !record.envelope.deleted);
            if is_live {
                let change = self.event(RecordChange::Deleted, key);
                self.mark_gone(key, change);
            }
        }
    }

    fn write_record(&mut self, document: i64, write: &'a RecordWrite, is_other_mapper: bool) {
        let key = key_of(write);
        let (resource, id) = key;
        let before = self.standing(key);
        let known = before
            .as_ref()
            .map(|(resource, before)| decide::StoredRecord {
                content_hash: before.content_hash,
                resource: *resource,
                deleted: before.envelope.deleted,
            });
        let verdict = decide::verdict(known.as_ref(), &write.content_hash, resource);
        let mut place = None;
        for (change, resource) in verdict.events(known.map(|known| known.resource), resource) {
            let happened = self.event(change, (resource, id));
            if change == RecordChange::Deleted {
                self.mark_gone((resource, id), happened);
            } else {
                place = Some(happened);
            }
        }
        let exact = self.stored.records.get(&key).cloned();
        match verdict {
            Verdict::Create | Verdict::Move => {
                self.count(resource, 1, if exact.is_some() { -1 } else { 0 });
                *self.outcome.created.entry(resource).or_default() += 1;
            }
            Verdict::Change => *self.outcome.changed.entry(resource).or_default() += 1,
            Verdict::Keep => *self.outcome.unchanged.entry(resource).or_default() += 1,
        }
        let envelope = self.envelope(write, exact.as_ref(), place);
        let is_as_stored =
            exact.is_some_and(|exact| exact.document == document && exact.envelope == envelope);
        let record = StoredRecord {
            document,
            content_hash: write.content_hash,
            envelope: envelope.clone(),
        };
        self.stored.records.insert(key, record);
        self.owned.entry(document).or_default().push(key);
        if !is_as_stored || is_other_mapper {
            let effect = self.effect(key, document, envelope);
            effect.write = Some(write);
            effect.is_new_content |= place.is_some();
        }
    }

    /// Returns what is to stand around a record's content, at its new place in the feed if it has one.
    fn envelope(
        &self,
        write: &RecordWrite,
        exact: Option<&StoredRecord>,
        place: Option<(u64, Timestamp)>,
    ) -> Envelope {
        let stored = exact.map(|exact| &exact.envelope);
        let kept = stored.map(|stored| (stored.sequence, stored.modified_at));
        // What neither was stored nor has an event is not to be had from a verdict.
        let (sequence, modified_at) = place
            .or(kept)
            .unwrap_or((self.clock.sequence, Timestamp::from(self.now)));
        let mapped = &write.record;
        Envelope {
            id: mapped.id,
            remote_id: mapped.remote_key.as_str().to_owned(),
            connection_id: self.connection,
            created_at: stored.map_or(modified_at, |stored| stored.created_at),
            modified_at,
            remote_created_at: mapped.remote_created_at,
            remote_modified_at: mapped.remote_modified_at,
            deleted: false,
            sequence,
        }
    }

    /// Returns the record that an incoming one is compared with: the live one of this id, whichever resource it is,
    /// else the one that is gone.
    fn standing(&self, key: RecordKey) -> Option<(Resource, StoredRecord)> {
        let exact = self.stored.records.get(&key);
        if let Some(exact) = exact.filter(|exact| !exact.envelope.deleted) {
            return Some((key.0, exact.clone()));
        }
        let elsewhere = Resource::ALL.into_iter().find_map(|resource| {
            let record = self.stored.records.get(&(resource, key.1))?;
            (!record.envelope.deleted).then(|| (resource, record.clone()))
        });
        elsewhere.or_else(|| exact.map(|exact| (key.0, exact.clone())))
    }

    fn mark_gone(&mut self, key: RecordKey, (sequence, modified_at): (u64, Timestamp)) {
        let Some(record) = self.stored.records.get_mut(&key) else {
            return;
        };
        record.envelope.deleted = true;
        record.envelope.sequence = sequence;
        record.envelope.modified_at = modified_at;
        let (document, envelope) = (record.document, record.envelope.clone());
        *self.outcome.deleted.entry(key.0).or_default() += 1;
        self.count(key.0, -1, 1);
        self.effect(key, document, envelope);
    }

    fn effect(
        &mut self,
        key: RecordKey,
        document: i64,
        envelope: Envelope,
    ) -> &mut RecordEffect<'a> {
        let next = self.records.len();
        let place = *self.record_places.entry(key).or_insert(next);
        if place == next {
            self.records.push(RecordEffect {
                key,
                document,
                envelope: envelope.clone(),
                write: None,
                is_new_content: false,
            });
        }
        let effect = &mut self.records[place];
        effect.document = document;
        effect.envelope = envelope;
        effect
    }

    fn keep_document(&mut self, effect: DocumentEffect<'a>) {
        let next = self.documents.len();
        let place = *self
            .document_places
            .entry(effect.write.sort_key.clone())
            .or_insert(next);
        if place == next {
            self.documents.push(effect);
        } else {
            self.documents[place] = effect;
        }
    }

    fn event(&mut self, change: RecordChange, key: RecordKey) -> (u64, Timestamp) {
        let (sequence, time) = self.clock.tick(self.now);
        self.events.push(RecordEvent {
            sequence,
            time,
            change,
            key,
        });
        (sequence, time)
    }

    fn count(&mut self, resource: Resource, live: i64, deleted: i64) {
        let counts = self.counts.entry(resource).or_default();
        counts.0 += live;
        counts.1 += deleted;
    }
}

/// Returns what tells this record from others.
pub(crate) fn key_of(write: &RecordWrite) -> RecordKey {
    (write.record.resource, write.record.id)
}
