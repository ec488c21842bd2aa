//! The event logs as the dispatcher reads them.

use wrenchtime_model::ConnectionId;
use wrenchtime_webhooks::{PendingEvent, PendingLog};

use crate::codec;
use crate::error::Fault;
use crate::shown::json;
use crate::sqlite::records::{EVENT_COLUMNS, RECORD_COLUMNS, event_with_record};
use crate::sqlite::{SqliteStore, connection};

pub(super) async fn pending(store: &SqliteStore, limit: u32) -> Result<Vec<PendingLog>, Fault> {
    let rows: Vec<(uuid::Uuid, i64, i64)> = sqlx::query_as(
        "SELECT id, fanned_out, last_sequence FROM connections WHERE last_sequence > fanned_out ORDER BY last_time LIMIT 0 + ?",
    )
    .bind(limit)
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter()
        .map(|(id, from, to)| {
            Ok(PendingLog {
                connection: ConnectionId::from_uuid(id),
                from: codec::unsigned(from)?,
                to: codec::unsigned(to)?,
            })
        })
        .collect()
}

pub(super) async fn after(
    store: &SqliteStore,
    connection: ConnectionId,
    after: u64,
    limit: u32,
) -> Result<Vec<PendingEvent>, Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok(Vec::new());
    };
    // A message tells of neighbours: none may stand on both sides of where an endpoint's events begin.
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {EVENT_COLUMNS}, {RECORD_COLUMNS}, NULL FROM events e \
         LEFT JOIN records r ON r.connection = e.connection AND r.resource = e.resource AND r.id = e.record \
         WHERE e.connection = ?1 AND e.sequence > ?2 AND e.sequence <= ifnull((SELECT min(s.sequence) \
         FROM webhook_starts s WHERE s.connection = ?1 AND s.sequence > ?2), {MAX}) ORDER BY e.sequence LIMIT 0 + ?3",
        MAX = i64::MAX
    )))
    .bind(lane)
    .bind(codec::signed(after))
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            let (event, record) = event_with_record(row, connection)?;
            let record = record.map(json).transpose()?;
            Ok(PendingEvent { event, record })
        })
        .collect()
}
