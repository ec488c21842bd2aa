//! A page's rows, read and written many at a time.

use std::collections::BTreeMap;

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;
use wrenchtime_connector::{EntityName, SortKey};
use wrenchtime_model::{RecordId, Resource};
use wrenchtime_sync::Written;

use super::KEYS_AT_ONCE;
use super::known::push_keys;
use crate::codec;
use crate::error::Fault;
use crate::page::{
    DocumentEffect, Page, RecordEffect, RecordEvent, RecordKey, Stored, StoredDocument,
    StoredRecord,
};

/// With nineteen parameters in the widest row, a statement stays below SQLite's 32,766.
const ROWS_AT_ONCE: usize = 1_500;

const RECORD: &str = "SELECT resource, id, document, content_hash, deleted, remote_created_at, remote_modified_at FROM records ";

type RecordColumns = (String, Uuid, i64, Vec<u8>, bool, Option<i64>, Option<i64>);

/// Reads the documents with these keys, and their records.
pub(super) async fn documents<'k>(
    tx: &mut SqliteConnection,
    lane: i64,
    entity: &EntityName,
    keys: impl Iterator<Item = &'k SortKey>,
) -> Result<Stored, Fault> {
    let mut stored = Stored::default();
    let keys: Vec<&str> = keys.map(SortKey::as_str).collect();
    for keys in keys.chunks(KEYS_AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT row, sort_key, observation, gone, mapped_by, resources FROM documents WHERE connection = ",
        );
        query.push_bind(lane);
        query.push(" AND entity = ").push_bind(entity.as_str());
        push_keys(&mut query, " AND sort_key IN (", keys.iter().copied());
        let rows: Vec<(i64, String, i64, bool, String, String)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *tx)
            .await?;
        for (row, sort_key, observation, gone, mapped_by, resources) in rows {
            let document = StoredDocument {
                row,
                observation,
                gone,
                mapped_by,
                resources: codec::resources_from_text(&resources)?,
            };
            stored
                .documents
                .insert(SortKey::from_stored(sort_key), document);
        }
    }
    let rows: Vec<i64> = stored
        .documents
        .values()
        .map(|document| document.row)
        .collect();
    for rows in rows.chunks(KEYS_AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(RECORD);
        query.push("WHERE document IN (");
        let mut list = query.separated(", ");
        for row in rows {
            list.push_bind(*row);
        }
        query.push(")");
        take_records(tx, &mut query, &mut stored).await?;
    }
    Ok(stored)
}

/// Adds the records with these keys that other documents have made.
pub(super) async fn records(
    tx: &mut SqliteConnection,
    lane: i64,
    keys: impl Iterator<Item = RecordKey>,
    stored: &mut Stored,
) -> Result<(), Fault> {
    let mut wanted: BTreeMap<Resource, Vec<RecordId>> = BTreeMap::new();
    for (resource, id) in keys.filter(|key| !stored.records.contains_key(key)) {
        wanted.entry(resource).or_default().push(id);
    }
    for (resource, ids) in wanted {
        for ids in ids.chunks(KEYS_AT_ONCE) {
            let mut query = QueryBuilder::<Sqlite>::new(RECORD);
            query.push("WHERE connection = ").push_bind(lane);
            query.push(" AND resource = ").push_bind(resource.name());
            query.push(" AND id IN (");
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id.as_uuid());
            }
            query.push(")");
            take_records(tx, &mut query, stored).await?;
        }
    }
    Ok(())
}

async fn take_records(
    tx: &mut SqliteConnection,
    query: &mut QueryBuilder<Sqlite>,
    stored: &mut Stored,
) -> Result<(), Fault> {
    let rows: Vec<RecordColumns> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(tx)
        .await?;
    for (resource, id, document, hash, deleted, created, modified) in rows {
        let record = StoredRecord {
            document,
            content_hash: codec::hash(&hash)?,
            deleted,
            remote_created_at: created.map(codec::timestamp).transpose()?,
            remote_modified_at: modified.map(codec::timestamp).transpose()?,
        };
        let key = (codec::resource(&resource)?, RecordId::from_uuid(id));
        stored.records.insert(key, record);
    }
    Ok(())
}

/// Returns the row number that the next new document gets.
pub(super) async fn next_document(tx: &mut SqliteConnection) -> Result<i64, Fault> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(row) FROM documents")
        .fetch_one(tx)
        .await?;
    Ok(last.unwrap_or(0) + 1)
}

/// Writes all that a page decided on.
pub(super) async fn write(
    tx: &mut SqliteConnection,
    lane: i64,
    page: &Page<'_>,
    initial: bool,
) -> Result<(), Fault> {
    for documents in page.documents.chunks(ROWS_AT_ONCE) {
        write_documents(tx, lane, documents).await?;
    }
    let contents: Vec<&RecordEffect<'_>> = page
        .records
        .iter()
        .filter(|record| record.is_new_content)
        .collect();
    for records in contents.chunks(ROWS_AT_ONCE) {
        write_records(tx, lane, records).await?;
    }
    let others = page.records.iter().filter(|record| !record.is_new_content);
    let (gone, touched): (Vec<_>, Vec<_>) = others.partition(|record| record.change.is_some());
    for records in gone.chunks(ROWS_AT_ONCE) {
        mark_gone(tx, lane, records).await?;
    }
    for records in touched.chunks(ROWS_AT_ONCE) {
        touch(tx, lane, records).await?;
    }
    for events in page.events.chunks(ROWS_AT_ONCE) {
        write_events(tx, lane, events, initial).await?;
    }
    for (resource, (live, deleted)) in &page.counts {
        sqlx::query(
            "INSERT INTO record_counts (connection, resource, live, deleted) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET live = live + excluded.live, deleted = deleted + excluded.deleted",
        )
        .bind(lane)
        .bind(resource.name())
        .bind(live)
        .bind(deleted)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn write_documents(
    tx: &mut SqliteConnection,
    lane: i64,
    documents: &[DocumentEffect<'_>],
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO documents (row, connection, entity, sort_key, key, version, hash, mapped_by, observation, gone, \
         resources, changed_at, changed_text, quarantine_reason, tried_by, body) ",
    );
    query.push_values(documents, |mut row, effect| {
        let write = effect.write;
        let document = &write.document;
        let (mapped_by, quarantined) = match &write.written {
            Written::Mapped { by, .. } => (by.as_str(), None),
            Written::Quarantined { by, reason } => ("", Some((by, reason))),
        };
        let changed = document.changed_at.as_ref();
        row.push_bind(effect.row)
            .push_bind(lane)
            .push_bind(document.entity.as_str())
            .push_bind(write.sort_key.as_str())
            .push_bind(document.key.as_str())
            .push_bind(document.version.as_deref())
            .push_bind(write.hash.as_slice())
            .push_bind(mapped_by)
            .push_bind(write.observation)
            .push_bind(document.deleted)
            .push_bind(codec::resources_to_text(&effect.resources))
            .push_bind(changed.map(|changed| codec::micros(changed.at)))
            .push_bind(changed.map(|changed| changed.text.as_str()))
            .push_bind(quarantined.map(|(_, reason)| reason.as_str()))
            .push_bind(quarantined.map(|(by, _)| by.as_str()))
            .push_bind(document.body.get());
    });
    query.push(
        " ON CONFLICT (row) DO UPDATE SET key = excluded.key, version = excluded.version, hash = excluded.hash, \
         mapped_by = excluded.mapped_by, observation = excluded.observation, gone = excluded.gone, \
         resources = excluded.resources, changed_at = excluded.changed_at, changed_text = excluded.changed_text, \
         quarantine_reason = excluded.quarantine_reason, tried_by = excluded.tried_by, body = excluded.body",
    );
    execute(tx, &mut query).await
}

async fn write_records(
    tx: &mut SqliteConnection,
    lane: i64,
    records: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO records (connection, resource, id, document, remote_id, content_hash, created_at, modified_at, \
         remote_created_at, remote_modified_at, deleted, sequence, status, asset_id, due_at, completed_at, order_date, \
         delivery_date, content) ",
    );
    let complete = records
        .iter()
        .filter_map(|effect| Some((effect, effect.write?, effect.change?)));
    query.push_values(complete, |mut row, (effect, write, (sequence, time))| {
        let record = &write.record;
        row.push_bind(lane)
            .push_bind(record.resource.name())
            .push_bind(*record.id.as_uuid())
            .push_bind(effect.document)
            .push_bind(record.remote_key.as_str())
            .push_bind(write.content_hash.as_slice())
            .push_bind(time.as_micros())
            .push_bind(time.as_micros())
            .push_bind(codec::optional_micros(record.remote_created_at))
            .push_bind(codec::optional_micros(record.remote_modified_at))
            .push_bind(effect.deleted)
            .push_bind(codec::signed(sequence));
        push_facets(&mut row, effect);
        row.push_bind(record.content.get());
    });
    query.push(
        " ON CONFLICT (connection, resource, id) DO UPDATE SET document = excluded.document, \
         remote_id = excluded.remote_id, content_hash = excluded.content_hash, modified_at = excluded.modified_at, \
         remote_created_at = excluded.remote_created_at, remote_modified_at = excluded.remote_modified_at, \
         deleted = excluded.deleted, sequence = excluded.sequence, status = excluded.status, \
         asset_id = excluded.asset_id, due_at = excluded.due_at, completed_at = excluded.completed_at, \
         order_date = excluded.order_date, delivery_date = excluded.delivery_date, content = excluded.content",
    );
    execute(tx, &mut query).await
}

fn push_facets(row: &mut Separated<'_, Sqlite, &str>, effect: &RecordEffect<'_>) {
    let facets = effect.write.map(|write| &write.record.facets);
    row.push_bind(facets.and_then(|facets| facets.status.as_deref()))
        .push_bind(
            facets
                .and_then(|facets| facets.asset_id)
                .map(|id| *id.as_uuid()),
        )
        .push_bind(codec::optional_micros(
            facets.and_then(|facets| facets.due_at),
        ))
        .push_bind(codec::optional_micros(
            facets.and_then(|facets| facets.completed_at),
        ))
        .push_bind(codec::day(facets.and_then(|facets| facets.order_date)))
        .push_bind(codec::day(facets.and_then(|facets| facets.delivery_date)));
}

async fn mark_gone(
    tx: &mut SqliteConnection,
    lane: i64,
    records: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new("WITH gone (resource, id, sequence, time) AS (");
    query.push_values(
        records
            .iter()
            .filter_map(|effect| Some((effect, effect.change?))),
        |mut row, (effect, (sequence, time))| {
            row.push_bind(effect.key.0.name())
                .push_bind(*effect.key.1.as_uuid())
                .push_bind(codec::signed(sequence))
                .push_bind(time.as_micros());
        },
    );
    query.push(
        ") UPDATE records SET deleted = 1, sequence = gone.sequence, modified_at = gone.time FROM gone \
         WHERE records.connection = ",
    );
    query.push_bind(lane);
    query.push(" AND records.resource = gone.resource AND records.id = gone.id");
    execute(tx, &mut query).await
}

/// The content is as stored; what stands around it is not.
async fn touch(
    tx: &mut SqliteConnection,
    lane: i64,
    records: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "WITH touched (resource, id, document, remote_created_at, remote_modified_at, status, asset_id, due_at, \
         completed_at, order_date, delivery_date) AS (",
    );
    query.push_values(
        records
            .iter()
            .filter_map(|effect| Some((effect, effect.write?))),
        |mut row, (effect, write)| {
            row.push_bind(effect.key.0.name())
                .push_bind(*effect.key.1.as_uuid())
                .push_bind(effect.document)
                .push_bind(codec::optional_micros(write.record.remote_created_at))
                .push_bind(codec::optional_micros(write.record.remote_modified_at));
            push_facets(&mut row, effect);
        },
    );
    query.push(
        ") UPDATE records SET document = touched.document, remote_created_at = touched.remote_created_at, \
         remote_modified_at = touched.remote_modified_at, status = touched.status, asset_id = touched.asset_id, \
         due_at = touched.due_at, completed_at = touched.completed_at, order_date = touched.order_date, \
         delivery_date = touched.delivery_date FROM touched WHERE records.connection = ",
    );
    query.push_bind(lane);
    query.push(" AND records.resource = touched.resource AND records.id = touched.id");
    execute(tx, &mut query).await
}

async fn write_events(
    tx: &mut SqliteConnection,
    lane: i64,
    events: &[RecordEvent],
    initial: bool,
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO events (connection, sequence, time, type, resource, record, initial) ",
    );
    query.push_values(events, |mut row, event| {
        row.push_bind(lane)
            .push_bind(codec::signed(event.sequence))
            .push_bind(event.time.as_micros())
            .push_bind(wrenchtime_model::EventType::from(event.change).name())
            .push_bind(event.key.0.name())
            .push_bind(*event.key.1.as_uuid())
            .push_bind(initial);
    });
    execute(tx, &mut query).await
}

async fn execute(tx: &mut SqliteConnection, query: &mut QueryBuilder<Sqlite>) -> Result<(), Fault> {
    // As many texts as there are page sizes: keeping them prepared would push out the others.
    query.build().persistent(false).execute(tx).await?;
    Ok(())
}
