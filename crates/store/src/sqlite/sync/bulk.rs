//! A page's rows, read and written many at a time.

use std::collections::BTreeMap;

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use wrenchtime_connector::{EntityName, SortKey};
use wrenchtime_model::{RecordId, Resource};
use wrenchtime_sync::Written;

use super::KEYS_AT_ONCE;
use super::known::push_keys;
use super::parts::parts;
use crate::codec;
use crate::error::Fault;
use crate::page::{
    DocumentEffect, Page, RecordEffect, RecordEvent, RecordKey, Stored, StoredDocument,
    StoredRecord,
};
use crate::shown;

const RECORD: &str = "SELECT resource, document, content_hash, envelope FROM records ";

type RecordColumns = (String, i64, Vec<u8>, String);

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
    for (resource, document, hash, envelope) in rows {
        let record = StoredRecord {
            document,
            content_hash: codec::hash(&hash)?,
            envelope: shown::envelope(&envelope)?,
        };
        let key = (codec::resource(&resource)?, record.envelope.id);
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
    for documents in parts(&page.documents) {
        write_documents(tx, lane, documents).await?;
    }
    let contents: Vec<&RecordEffect<'_>> = page
        .records
        .iter()
        .filter(|record| record.is_new_content)
        .collect();
    for records in parts(&contents) {
        write_records(tx, lane, records).await?;
    }
    let others = page.records.iter().filter(|record| !record.is_new_content);
    let (gone, touched): (Vec<_>, Vec<_>) = others.partition(|record| record.envelope.deleted);
    for records in parts(&gone) {
        mark_gone(tx, lane, records).await?;
    }
    for records in parts(&touched) {
        touch(tx, lane, records).await?;
    }
    for events in parts(&page.events) {
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
         delivery_date, envelope, content) ",
    );
    let rows = records
        .iter()
        .filter_map(|effect| Some((effect, effect.write?)))
        .map(|(effect, write)| {
            let envelope_part = shown::envelope_part(&effect.envelope)?;
            let content_part = shown::content_part(&write.record.content)?;
            Ok((effect, write, envelope_part, content_part))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    query.push_values(
        rows,
        |mut row, (effect, write, envelope_part, content_part)| {
            let envelope = &effect.envelope;
            row.push_bind(lane)
                .push_bind(effect.key.0.name())
                .push_bind(*envelope.id.as_uuid())
                .push_bind(effect.document)
                .push_bind(envelope.remote_id.as_str())
                .push_bind(write.content_hash.as_slice())
                .push_bind(envelope.created_at.as_micros())
                .push_bind(envelope.modified_at.as_micros())
                .push_bind(codec::optional_micros(envelope.remote_created_at))
                .push_bind(codec::optional_micros(envelope.remote_modified_at))
                .push_bind(envelope.deleted)
                .push_bind(codec::signed(envelope.sequence));
            push_facets(&mut row, effect);
            row.push_bind(envelope_part).push_bind(content_part);
        },
    );
    query.push(
        " ON CONFLICT (connection, resource, id) DO UPDATE SET document = excluded.document, \
         remote_id = excluded.remote_id, content_hash = excluded.content_hash, modified_at = excluded.modified_at, \
         remote_created_at = excluded.remote_created_at, remote_modified_at = excluded.remote_modified_at, \
         deleted = excluded.deleted, sequence = excluded.sequence, status = excluded.status, \
         asset_id = excluded.asset_id, due_at = excluded.due_at, completed_at = excluded.completed_at, \
         order_date = excluded.order_date, delivery_date = excluded.delivery_date, envelope = excluded.envelope, \
         content = excluded.content",
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

/// Adds the text around the content to each.
fn with_envelopes<'e>(
    effects: &[&'e RecordEffect<'e>],
) -> Result<Vec<(&'e RecordEffect<'e>, String)>, Fault> {
    let effects = effects.iter();
    effects
        .map(|effect| Ok((*effect, shown::envelope_part(&effect.envelope)?)))
        .collect()
}

async fn mark_gone(
    tx: &mut SqliteConnection,
    lane: i64,
    records: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "WITH gone (resource, id, document, sequence, time, remote_created_at, remote_modified_at, envelope) AS (",
    );
    let rows = with_envelopes(records)?;
    query.push_values(rows, |mut row, (effect, envelope_part)| {
        let envelope = &effect.envelope;
        row.push_bind(effect.key.0.name())
            .push_bind(*envelope.id.as_uuid())
            .push_bind(effect.document)
            .push_bind(codec::signed(envelope.sequence))
            .push_bind(envelope.modified_at.as_micros())
            .push_bind(codec::optional_micros(envelope.remote_created_at))
            .push_bind(codec::optional_micros(envelope.remote_modified_at))
            .push_bind(envelope_part);
    });
    query.push(
        ") UPDATE records SET deleted = 1, document = gone.document, sequence = gone.sequence, modified_at = gone.time, \
         remote_created_at = gone.remote_created_at, remote_modified_at = gone.remote_modified_at, \
         envelope = gone.envelope FROM gone WHERE records.connection = ",
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
         completed_at, order_date, delivery_date, envelope) AS (",
    );
    let rows = with_envelopes(records)?;
    query.push_values(rows, |mut row, (effect, envelope_part)| {
        let envelope = &effect.envelope;
        row.push_bind(effect.key.0.name())
            .push_bind(*envelope.id.as_uuid())
            .push_bind(effect.document)
            .push_bind(codec::optional_micros(envelope.remote_created_at))
            .push_bind(codec::optional_micros(envelope.remote_modified_at));
        push_facets(&mut row, effect);
        row.push_bind(envelope_part);
    });
    query.push(
        ") UPDATE records SET document = touched.document, remote_created_at = touched.remote_created_at, \
         remote_modified_at = touched.remote_modified_at, status = touched.status, asset_id = touched.asset_id, \
         due_at = touched.due_at, completed_at = touched.completed_at, order_date = touched.order_date, \
         delivery_date = touched.delivery_date, envelope = touched.envelope FROM touched WHERE records.connection = ",
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
    query.build().execute(tx).await?;
    Ok(())
}
