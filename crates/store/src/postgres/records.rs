//! Records and events as columns.

use sqlx::Row;
use sqlx::postgres::PgRow;
use wrenchtime_model::{ConnectionId, Event, EventBody};
use wrenchtime_service::storage::StoredRecord;

use crate::columns::{self, EventColumns};
use crate::error::Fault;

/// The columns that [`stored_record`] reads, of records `r`; behind them stands the raw document or null.
pub(super) const RECORD_COLUMNS: &str = "r.envelope || r.content";

/// The columns that [`event`] reads, of events `e`.
pub(super) const EVENT_COLUMNS: &str =
    "e.sequence, e.time, e.type, e.resource, e.record, e.initial, e.data";

/// How many columns [`event`] reads.
pub(super) const EVENT_WIDTH: usize = 7;

/// Reads a record from the columns behind `at`: [`RECORD_COLUMNS`] and its source document. Nothing where there is none.
pub(super) fn stored_record(row: &PgRow, at: usize) -> Result<Option<StoredRecord>, Fault> {
    let Some(text) = row.try_get(at)? else {
        return Ok(None);
    };
    Ok(Some(StoredRecord {
        text,
        raw: row.try_get(at + 1)?,
    }))
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
    let record = match &event.body {
        EventBody::Record { .. } => stored_record(row, EVENT_WIDTH)?,
        EventBody::Lifecycle { .. } => None,
    };
    Ok((event, record))
}
