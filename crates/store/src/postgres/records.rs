//! Records and events as columns.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, Envelope, Event, EventBody, RecordId, Resource};
use wrenchtime_service::storage::StoredRecord;

use super::text::Text;
use crate::codec;
use crate::columns::{self, EventColumns};
use crate::error::Fault;

/// The columns that [`stored_record`] reads, of records `r`; the last is the raw document or null.
pub(super) const RECORD_COLUMNS: &str = "r.id, r.remote_id, r.created_at, r.modified_at, r.remote_created_at, r.remote_modified_at, r.deleted, \
     r.sequence, r.content";

/// The columns that [`event`] reads, of events `e`.
pub(super) const EVENT_COLUMNS: &str =
    "e.sequence, e.time, e.type, e.resource, e.record, e.initial, e.data";

/// How many columns [`event`] reads.
pub(super) const EVENT_WIDTH: usize = 7;

/// Reads a record from the columns behind `at`: [`RECORD_COLUMNS`] and its source document.
pub(super) fn stored_record(
    row: &PgRow,
    at: usize,
    connection_id: ConnectionId,
    resource: Resource,
) -> Result<StoredRecord, Fault> {
    let remote_created_at: Option<i64> = row.try_get(at + 4)?;
    let remote_modified_at: Option<i64> = row.try_get(at + 5)?;
    let envelope = Envelope {
        id: RecordId::from_uuid(row.try_get(at)?),
        remote_id: row.try_get::<Text<'static>, _>(at + 1)?.into_string(),
        connection_id,
        created_at: codec::timestamp(row.try_get(at + 2)?)?,
        modified_at: codec::timestamp(row.try_get(at + 3)?)?,
        remote_created_at: remote_created_at.map(codec::timestamp).transpose()?,
        remote_modified_at: remote_modified_at.map(codec::timestamp).transpose()?,
        deleted: row.try_get(at + 6)?,
        sequence: codec::unsigned(row.try_get(at + 7)?)?,
    };
    Ok(StoredRecord {
        resource,
        envelope,
        content: row.try_get(at + 8)?,
        raw: row.try_get(at + 9)?,
    })
}

/// Reads an event from the first [`EVENT_WIDTH`] columns.
pub(super) fn event(row: &PgRow, connection_id: ConnectionId) -> Result<Event, Fault> {
    let columns = EventColumns {
        sequence: row.try_get(0)?,
        time: row.try_get(1)?,
        name: row.try_get(2)?,
        resource: row.try_get(3)?,
        record: row.try_get(4)?,
        initial: row.try_get(5)?,
        data: row.try_get(6)?,
    };
    columns::event(columns, connection_id)
}

/// Reads an event and, where it is a record's and the row carries it, the record as it is now.
pub(super) fn event_with_record(
    row: &PgRow,
    connection: ConnectionId,
) -> Result<(Event, Option<StoredRecord>), Fault> {
    let event = event(row, connection)?;
    let id: Option<Uuid> = row.try_get(EVENT_WIDTH)?;
    let record = match (&event.body, id) {
        (EventBody::Record { resource, .. }, Some(_)) => {
            Some(stored_record(row, EVENT_WIDTH, connection, *resource)?)
        }
        _ => None,
    };
    Ok((event, record))
}
