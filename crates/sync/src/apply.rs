//! From documents that were read to what has to be written.

use std::collections::{HashMap, HashSet};

use wrenchtime_connector::{
    Document, EntityInfo, Error, ErrorKind, MapError, Mapped, SortKey, content_hash,
};
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::Resource;

use crate::coverage::Coverage;
use crate::ledger::Tally;
use crate::task::{Stop, Task};
use crate::window::Window;
use crate::{DocumentWrite, KnownRow, RecordWrite, StoredDocument, Written};

/// Documents that differ from what is stored, mapped.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) writes: Vec<DocumentWrite>,
    pub(crate) tally: Tally,
    /// How many rows stay out of the copy because they changed too long ago.
    pub(crate) outside: u64,
}

/// What the rows of a stream are judged by, beside what the copy has of them.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Terms {
    /// What of them should be known already. The rest of what a listing shows has drifted.
    pub(crate) covered: Option<Coverage>,
    /// Which of them come into the copy.
    pub(crate) window: Option<Window>,
}

/// A document with the number of the request that read it.
pub(crate) type Row = (Document, i64);

impl Task<'_> {
    /// Compares documents with the copy and maps those that differ.
    pub(crate) async fn differing(
        &self,
        entity: &EntityInfo,
        rows: Vec<Row>,
        terms: Terms,
    ) -> Result<Batch, Stop> {
        let rows = last_of_each(entity, rows);
        let keys: Vec<SortKey> = rows.iter().map(|(key, _)| key.clone()).collect();
        let known = self.known(entity, &keys).await?;
        let judge = self.judge(terms);
        let mut batch = Batch {
            writes: Vec::new(),
            tally: Tally::new(entity),
            outside: 0,
        };
        let work = move || {
            for (sort_key, row) in rows {
                let stored = known.get(&sort_key);
                judge.row(sort_key, row, stored, &mut batch);
            }
            batch
        };
        self.apart(work).await
    }

    /// Maps stored documents of an entity again.
    pub(crate) async fn map_again(
        &self,
        entity: &EntityInfo,
        documents: Vec<StoredDocument>,
    ) -> Result<Batch, Stop> {
        let judge = self.judge(Terms::default());
        let mut tally = Tally::new(entity);
        let work = move || {
            let map = |stored: StoredDocument| DocumentWrite {
                written: judge.map(&stored.document).0,
                document: stored.document,
                sort_key: stored.sort_key,
                hash: stored.hash,
                observation: stored.observation,
            };
            documents.into_iter().map(map).collect::<Vec<_>>()
        };
        let writes = self.apart(work).await?;
        for write in &writes {
            if matches!(write.written, Written::Quarantined { .. }) {
                tally.quarantined(&[]);
            }
        }
        let outside = 0;
        Ok(Batch {
            writes,
            tally,
            outside,
        })
    }

    /// Works where nobody else is held up: hashing and mapping a page takes long enough.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stop> {
        failpoint::pass(Point::MapBefore);
        let done = if self.engine.options.maps_in_place {
            work()
        } else {
            tokio::task::spawn_blocking(work).await.map_err(broke_off)?
        };
        failpoint::pass(Point::MapAfter);
        Ok(done)
    }

    fn judge(&self, terms: Terms) -> Judge {
        Judge {
            connection: self.request.connection,
            mapper: std::sync::Arc::clone(&self.request.mapper),
            terms,
        }
    }

    /// Returns what is stored of some rows, by key.
    pub(crate) async fn known(
        &self,
        entity: &EntityInfo,
        keys: &[SortKey],
    ) -> Result<HashMap<SortKey, KnownRow>, Stop> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let storage = &self.engine.storage;
        let rows = storage
            .known(self.request.connection, &entity.name, keys)
            .await?;
        let by_key = rows.into_iter().map(|row| (row.sort_key.clone(), row));
        Ok(by_key.collect())
    }
}

fn broke_off(error: tokio::task::JoinError) -> Stop {
    let message = "map a page: the mapping broke off";
    Stop::Fault(Error::new(ErrorKind::Protocol, message).with_source(error))
}

/// A row may stand on a page twice. The last one counts, where it stands.
fn last_of_each(entity: &EntityInfo, rows: Vec<Row>) -> Vec<(SortKey, Row)> {
    let mut met = HashSet::new();
    let mut last: Vec<_> = rows
        .into_iter()
        .rev()
        .map(|row| (entity.key_order.sort_key(&row.0.key), row))
        .filter(|(key, _)| met.insert(key.clone()))
        .collect();
    last.reverse();
    last
}

struct Judge {
    connection: wrenchtime_model::ConnectionId,
    mapper: std::sync::Arc<dyn wrenchtime_connector::Mapper>,
    terms: Terms,
}

impl Judge {
    fn row(
        &self,
        sort_key: SortKey,
        (document, observation): Row,
        stored: Option<&KnownRow>,
        batch: &mut Batch,
    ) {
        let stays_out = |window: Window| window.leaves_out(document.changed_at.as_ref());
        if stored.is_none() && self.terms.window.is_some_and(stays_out) {
            batch.tally.fetched(&[]);
            batch.outside += u64::from(!document.deleted);
            return;
        }
        let before: &[Resource] = stored.map_or(&[], |row| &row.resources);
        let hash = document.hash();
        let as_stored = stored.filter(|row| is_as_stored(row, &document, &hash));
        if as_stored.is_some_and(|row| document.deleted || row.mapped_by == self.mapper.version()) {
            batch.tally.fetched(before);
            batch.tally.unchanged(before);
            return;
        }
        let (written, resources) = self.map(&document);
        let quarantined = matches!(written, Written::Quarantined { .. });
        let resources = if resources.is_empty() {
            before
        } else {
            &resources
        };
        batch.tally.fetched(resources);
        let covered = self.terms.covered;
        if as_stored.is_none() && covered.is_some_and(|it| it.missed(&document, stored)) {
            batch.tally.drifted(resources);
        }
        if quarantined {
            batch.tally.quarantined(resources);
            if as_stored.is_some_and(|row| row.mapped_by.is_empty()) {
                // It was tried again in vain, and the store knows it all.
                return;
            }
        }
        batch.writes.push(DocumentWrite {
            document,
            sort_key,
            hash,
            observation,
            written,
        });
    }

    fn map(&self, document: &Document) -> (Written, Vec<Resource>) {
        let records = if document.deleted {
            Ok(Vec::new())
        } else {
            self.mapper.map(self.connection, document)
        };
        let records = records.and_then(objects);
        match records {
            Err(error) => {
                let by = self.mapper.version().to_owned();
                let reason = error.reason;
                (Written::Quarantined { by, reason }, Vec::new())
            }
            Ok(records) => {
                let resources = records.iter().map(|record| record.resource).collect();
                let records = records
                    .into_iter()
                    .map(|record| RecordWrite {
                        content_hash: content_hash(&[record.content.get()]),
                        record,
                    })
                    .collect();
                let by = self.mapper.version().to_owned();
                (Written::Mapped { by, records }, resources)
            }
        }
    }
}

/// Lets records through whose content is an object. A mapper that makes anything else of a row cannot map it.
fn objects(records: Vec<Mapped>) -> Result<Vec<Mapped>, MapError> {
    let other = records.iter().find(|record| {
        let content = record.content.get();
        !content.starts_with('{')
    });
    match other {
        Some(record) => Err(MapError {
            reason: format!("the mapping makes a {} that is no object", record.resource),
        }),
        None => Ok(records),
    }
}

/// A document without a version says nothing of it: it does not differ by that.
fn is_as_stored(row: &KnownRow, document: &Document, hash: &[u8; 32]) -> bool {
    let same_version = document.version.is_none() || document.version == row.version;
    row.hash == *hash && row.gone == document.deleted && same_version
}
