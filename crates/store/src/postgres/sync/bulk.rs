//! A page's rows, read and written many at a time: an array for each column, whatever the number of rows.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use uuid::Uuid;
use wrenchtime_connector::{EntityName, SortKey};
use wrenchtime_model::{EventType, Facets};
use wrenchtime_sync::{RecordWrite, Written};

use super::known::indexed;
use crate::codec;
use crate::error::Fault;
use crate::page::{
    DocumentEffect, Page, RecordEffect, RecordEvent, RecordKey, Stored, StoredDocument,
    StoredRecord,
};
use crate::postgres::text::{Text, optional};
use crate::shown;

const RECORD: &str = "SELECT r.resource, r.document, r.content_hash, r.envelope FROM records r ";

type RecordColumns = (String, i64, Vec<u8>, String);

/// Reads the documents with these keys, and their records.
pub(super) async fn documents<'k>(
    tx: &mut PgConnection,
    lane: i64,
    entity: &EntityName,
    keys: impl Iterator<Item = &'k SortKey>,
) -> Result<Stored, Fault> {
    type Row = (i64, Text<'static>, i64, bool, Text<'static>, String);
    let mut stored = Stored::default();
    let wanted: HashSet<&SortKey> = keys.collect();
    if wanted.is_empty() {
        return Ok(stored);
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT row, sort_key, observation, gone, mapped_by, resources FROM documents \
         WHERE connection = $1 AND entity = $2 AND left(sort_key, 500) = ANY($3)",
    )
    .bind(lane)
    .bind(Text::new(entity.as_str()))
    .bind(indexed(wanted.iter().copied()))
    .fetch_all(&mut *tx)
    .await?;
    for (row, sort_key, observation, gone, mapped_by, resources) in rows {
        let sort_key = SortKey::from_stored(sort_key.into_string());
        if !wanted.contains(&sort_key) {
            continue;
        }
        let document = StoredDocument {
            row,
            observation,
            gone,
            mapped_by: mapped_by.into_string(),
            resources: codec::resources_from_text(&resources)?,
        };
        stored.documents.insert(sort_key, document);
    }
    if stored.documents.is_empty() {
        return Ok(stored);
    }
    let of_documents = stored.documents.values();
    let rows: Vec<i64> = of_documents.map(|document| document.row).collect();
    let records: Vec<RecordColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{RECORD} WHERE r.connection = $1 AND r.document = ANY($2)"
    )))
    .bind(lane)
    .bind(rows)
    .fetch_all(tx)
    .await?;
    take_records(records, &mut stored)?;
    Ok(stored)
}

/// Adds the records with these keys that other documents have made.
pub(super) async fn records(
    tx: &mut PgConnection,
    lane: i64,
    keys: impl Iterator<Item = RecordKey>,
    stored: &mut Stored,
) -> Result<(), Fault> {
    let (resources, ids): (Vec<&str>, Vec<Uuid>) = keys
        .filter(|key| !stored.records.contains_key(key))
        .map(|(resource, id)| (resource.name(), *id.as_uuid()))
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let records: Vec<RecordColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{RECORD} JOIN UNNEST($2::text[], $3::uuid[]) AS wanted (resource, id) \
         ON r.resource = wanted.resource AND r.id = wanted.id WHERE r.connection = $1"
    )))
    .bind(lane)
    .bind(resources)
    .bind(ids)
    .fetch_all(tx)
    .await?;
    take_records(records, stored)
}

fn take_records(rows: Vec<RecordColumns>, stored: &mut Stored) -> Result<(), Fault> {
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

/// Writes all that a page decided on.
pub(super) async fn write(
    tx: &mut PgConnection,
    lane: i64,
    page: &Page<'_>,
    initial: bool,
) -> Result<(), Fault> {
    if !page.documents.is_empty() {
        write_documents(tx, lane, &page.documents).await?;
    }
    let (contents, others): (Vec<_>, Vec<_>) = page
        .records
        .iter()
        .partition(|record| record.is_new_content);
    let (gone, touched): (Vec<&RecordEffect<'_>>, Vec<_>) = others
        .into_iter()
        .partition(|record| record.envelope.deleted);
    if !contents.is_empty() {
        write_records(tx, lane, &contents).await?;
    }
    if !gone.is_empty() {
        mark_gone(tx, lane, &gone).await?;
    }
    if !touched.is_empty() {
        touch(tx, lane, &touched).await?;
    }
    if !page.events.is_empty() {
        write_events(tx, lane, &page.events, initial).await?;
    }
    if !page.counts.is_empty() {
        write_counts(tx, lane, page).await?;
    }
    Ok(())
}

/// Collects a column of a page.
fn column<'p, R, V>(rows: &'p [R], value: impl FnMut(&'p R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

async fn write_documents(
    tx: &mut PgConnection,
    lane: i64,
    effects: &[DocumentEffect<'_>],
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO documents (connection, row, entity, sort_key, key, version, hash, mapped_by, observation, gone, \
         resources, changed_at, changed_text, quarantine_reason, tried_by, body) \
         SELECT $1, d.* FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], \
         $8::text[], $9::bigint[], $10::boolean[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::text[], \
         $16::text[]) AS d ON CONFLICT (connection, row) DO UPDATE SET key = excluded.key, version = excluded.version, \
         hash = excluded.hash, mapped_by = excluded.mapped_by, observation = excluded.observation, \
         gone = excluded.gone, resources = excluded.resources, changed_at = excluded.changed_at, \
         changed_text = excluded.changed_text, quarantine_reason = excluded.quarantine_reason, \
         tried_by = excluded.tried_by, body = excluded.body",
    )
    .bind(lane)
    .bind(column(effects, |effect| effect.row))
    .bind(column(effects, |effect| Text::new(effect.write.document.entity.as_str())))
    .bind(column(effects, |effect| Text::new(effect.write.sort_key.as_str())))
    .bind(column(effects, |effect| Text::new(effect.write.document.key.as_str())))
    .bind(column(effects, |effect| optional(effect.write.document.version.as_deref())))
    .bind(column(effects, |effect| effect.write.hash.as_slice()))
    .bind(column(effects, |effect| match &effect.write.written {
        Written::Mapped { by, .. } => Text::new(by),
        Written::Quarantined { .. } => Text::new(""),
    }))
    .bind(column(effects, |effect| effect.write.observation))
    .bind(column(effects, |effect| effect.write.document.deleted))
    .bind(column(effects, |effect| codec::resources_to_text(&effect.resources)))
    .bind(column(effects, |effect| {
        let changed = effect.write.document.changed_at.as_ref();
        changed.map(|changed| codec::micros(changed.at))
    }))
    .bind(column(effects, |effect| {
        let changed = effect.write.document.changed_at.as_ref();
        changed.map(|changed| Text::new(&changed.text))
    }))
    .bind(column(effects, |effect| match &effect.write.written {
        Written::Mapped { .. } => None,
        Written::Quarantined { reason, .. } => Some(Text::new(reason)),
    }))
    .bind(column(effects, |effect| match &effect.write.written {
        Written::Mapped { .. } => None,
        Written::Quarantined { by, .. } => Some(Text::new(by)),
    }))
    .bind(column(effects, |effect| effect.write.document.body.get()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_records(
    tx: &mut PgConnection,
    lane: i64,
    effects: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let rows: Vec<(&RecordEffect<'_>, &RecordWrite)> = effects
        .iter()
        .filter_map(|effect| Some((*effect, effect.write?)))
        .collect();
    let contents = rows
        .iter()
        .map(|(_, write)| shown::content_part(&write.record.content))
        .collect::<Result<Vec<_>, _>>()?;
    let columns = EnvelopeColumns::of(rows.iter().map(|(effect, _)| *effect))?;
    let facets = FacetColumns::of(&column(&rows, |(_, write)| &write.record.facets));
    sqlx::query(
        "INSERT INTO records (connection, resource, id, document, remote_id, content_hash, created_at, modified_at, \
         remote_created_at, remote_modified_at, deleted, sequence, envelope, content, status, asset_id, due_at, \
         completed_at, order_date, delivery_date) \
         SELECT $1, r.* FROM UNNEST($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::bytea[], $7::bigint[], \
         $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::bigint[], $13::text[], $14::text[], \
         $15::text[], $16::uuid[], $17::bigint[], $18::bigint[], $19::text[], $20::text[]) AS r \
         ON CONFLICT (connection, resource, id) DO UPDATE SET document = excluded.document, \
         remote_id = excluded.remote_id, content_hash = excluded.content_hash, modified_at = excluded.modified_at, \
         remote_created_at = excluded.remote_created_at, remote_modified_at = excluded.remote_modified_at, \
         deleted = excluded.deleted, sequence = excluded.sequence, envelope = excluded.envelope, \
         content = excluded.content, status = excluded.status, asset_id = excluded.asset_id, due_at = excluded.due_at, \
         completed_at = excluded.completed_at, order_date = excluded.order_date, \
         delivery_date = excluded.delivery_date",
    )
    .bind(lane)
    .bind(columns.resource)
    .bind(columns.id)
    .bind(column(&rows, |row| row.0.document))
    .bind(column(&rows, |row| Text::new(row.0.envelope.remote_id.as_str())))
    .bind(column(&rows, |row| row.1.content_hash.as_slice()))
    .bind(column(&rows, |row| row.0.envelope.created_at.as_micros()))
    .bind(columns.modified_at)
    .bind(columns.remote_created_at)
    .bind(columns.remote_modified_at)
    .bind(column(&rows, |row| row.0.envelope.deleted))
    .bind(columns.sequence)
    .bind(columns.envelope)
    .bind(contents)
    .bind(facets.status)
    .bind(facets.asset_id)
    .bind(facets.due_at)
    .bind(facets.completed_at)
    .bind(facets.order_date)
    .bind(facets.delivery_date)
    .execute(tx)
    .await?;
    Ok(())
}

/// What stands around records' contents, a column each; the last is all of it as it is shown.
struct EnvelopeColumns {
    resource: Vec<&'static str>,
    id: Vec<Uuid>,
    modified_at: Vec<i64>,
    remote_created_at: Vec<Option<i64>>,
    remote_modified_at: Vec<Option<i64>>,
    sequence: Vec<i64>,
    envelope: Vec<String>,
}

impl EnvelopeColumns {
    fn of<'e>(effects: impl Iterator<Item = &'e RecordEffect<'e>>) -> Result<Self, Fault> {
        let rows: Vec<&RecordEffect<'_>> = effects.collect();
        Ok(Self {
            resource: column(&rows, |row| row.key.0.name()),
            id: column(&rows, |row| *row.key.1.as_uuid()),
            modified_at: column(&rows, |row| row.envelope.modified_at.as_micros()),
            remote_created_at: column(&rows, |row| {
                codec::optional_micros(row.envelope.remote_created_at)
            }),
            remote_modified_at: column(&rows, |row| {
                codec::optional_micros(row.envelope.remote_modified_at)
            }),
            sequence: column(&rows, |row| codec::signed(row.envelope.sequence)),
            envelope: rows
                .iter()
                .map(|row| shown::envelope_part(&row.envelope))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// What lists are filtered by, a column each.
struct FacetColumns<'f> {
    status: Vec<Option<Text<'f>>>,
    asset_id: Vec<Option<Uuid>>,
    due_at: Vec<Option<i64>>,
    completed_at: Vec<Option<i64>>,
    order_date: Vec<Option<String>>,
    delivery_date: Vec<Option<String>>,
}

impl<'f> FacetColumns<'f> {
    fn of(facets: &[&'f Facets]) -> Self {
        Self {
            status: column(facets, |facets| optional(facets.status.as_deref())),
            asset_id: column(facets, |facets| facets.asset_id.map(|id| *id.as_uuid())),
            due_at: column(facets, |facets| codec::optional_micros(facets.due_at)),
            completed_at: column(facets, |facets| codec::optional_micros(facets.completed_at)),
            order_date: column(facets, |facets| codec::day(facets.order_date)),
            delivery_date: column(facets, |facets| codec::day(facets.delivery_date)),
        }
    }
}

async fn mark_gone(
    tx: &mut PgConnection,
    lane: i64,
    effects: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let columns = EnvelopeColumns::of(effects.iter().copied())?;
    sqlx::query(
        "UPDATE records SET deleted = true, document = gone.document, sequence = gone.sequence, \
         modified_at = gone.time, remote_created_at = gone.remote_created_at, \
         remote_modified_at = gone.remote_modified_at, envelope = gone.envelope FROM UNNEST($2::text[], $3::uuid[], \
         $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) \
         AS gone (resource, id, document, sequence, time, remote_created_at, remote_modified_at, envelope) \
         WHERE records.connection = $1 AND records.resource = gone.resource AND records.id = gone.id",
    )
    .bind(lane)
    .bind(columns.resource)
    .bind(columns.id)
    .bind(column(effects, |effect| effect.document))
    .bind(columns.sequence)
    .bind(columns.modified_at)
    .bind(columns.remote_created_at)
    .bind(columns.remote_modified_at)
    .bind(columns.envelope)
    .execute(tx)
    .await?;
    Ok(())
}

/// The content is as stored; what stands around it is not.
async fn touch(
    tx: &mut PgConnection,
    lane: i64,
    effects: &[&RecordEffect<'_>],
) -> Result<(), Fault> {
    let rows: Vec<(&RecordEffect<'_>, &RecordWrite)> = effects
        .iter()
        .filter_map(|effect| Some((*effect, effect.write?)))
        .collect();
    let columns = EnvelopeColumns::of(rows.iter().map(|(effect, _)| *effect))?;
    let facets = FacetColumns::of(&column(&rows, |(_, write)| &write.record.facets));
    sqlx::query(
        "UPDATE records SET document = touched.document, remote_created_at = touched.remote_created_at, \
         remote_modified_at = touched.remote_modified_at, envelope = touched.envelope, status = touched.status, \
         asset_id = touched.asset_id, due_at = touched.due_at, completed_at = touched.completed_at, \
         order_date = touched.order_date, delivery_date = touched.delivery_date FROM UNNEST($2::text[], $3::uuid[], \
         $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::uuid[], $10::bigint[], $11::bigint[], \
         $12::text[], $13::text[]) AS touched (resource, id, document, remote_created_at, remote_modified_at, \
         envelope, status, asset_id, due_at, completed_at, order_date, delivery_date) \
         WHERE records.connection = $1 AND records.resource = touched.resource AND records.id = touched.id",
    )
    .bind(lane)
    .bind(columns.resource)
    .bind(columns.id)
    .bind(column(&rows, |row| row.0.document))
    .bind(columns.remote_created_at)
    .bind(columns.remote_modified_at)
    .bind(columns.envelope)
    .bind(facets.status)
    .bind(facets.asset_id)
    .bind(facets.due_at)
    .bind(facets.completed_at)
    .bind(facets.order_date)
    .bind(facets.delivery_date)
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_events(
    tx: &mut PgConnection,
    lane: i64,
    events: &[RecordEvent],
    initial: bool,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO events (connection, sequence, time, type, resource, record, initial) \
         SELECT $1, e.*, $2 FROM UNNEST($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::uuid[]) AS e",
    )
    .bind(lane)
    .bind(initial)
    .bind(column(events, |event| codec::signed(event.sequence)))
    .bind(column(events, |event| event.time.as_micros()))
    .bind(column(events, |event| EventType::from(event.change).name()))
    .bind(column(events, |event| event.key.0.name()))
    .bind(column(events, |event| *event.key.1.as_uuid()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_counts(tx: &mut PgConnection, lane: i64, page: &Page<'_>) -> Result<(), Fault> {
    let counts: Vec<_> = page.counts.iter().collect();
    sqlx::query(
        "INSERT INTO record_counts AS c (connection, resource, live, deleted) \
         SELECT $1, n.* FROM UNNEST($2::text[], $3::bigint[], $4::bigint[]) AS n \
         ON CONFLICT (connection, resource) \
         DO UPDATE SET live = c.live + excluded.live, deleted = c.deleted + excluded.deleted",
    )
    .bind(lane)
    .bind(column(&counts, |(resource, _)| resource.name()))
    .bind(column(&counts, |(_, (live, _))| *live))
    .bind(column(&counts, |(_, (_, deleted))| *deleted))
    .execute(tx)
    .await?;
    Ok(())
}
