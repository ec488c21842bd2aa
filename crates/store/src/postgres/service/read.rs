//! Single records, the change feed, runs, and how far a copy is.

use std::collections::BTreeMap;

use wrenchtime_connector::StreamName;
use wrenchtime_model::{ConnectionId, Resource, RunId};
use wrenchtime_service::storage::{
    ChangesPage, ChangesQuery, GetQuery, RecordCounts, StoredRecord, SyncSnapshot,
};
use wrenchtime_sync::RunState;

use super::list::head;
use crate::codec;
use crate::columns::{LOG_EPOCH, RunColumns, run_state};
use crate::error::Fault;
use crate::postgres::mark::epoch_from;
use crate::postgres::records::{EVENT_COLUMNS, RECORD_COLUMNS, event_with_record, stored_record};
use crate::postgres::sync::RUN;
use crate::postgres::text::Text;
use crate::postgres::{PostgresStore, Tx};

pub(super) async fn get(
    store: &PostgresStore,
    query: &GetQuery,
) -> Result<Option<StoredRecord>, Fault> {
    let raw = if query.include_raw { "d.body" } else { "NULL" };
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {RECORD_COLUMNS}, {raw} FROM records r JOIN connections c ON c.row = r.connection \
         JOIN documents d ON d.connection = r.connection AND d.row = r.document WHERE c.id = $1 AND r.resource = $2 AND r.id = $3"
    )))
    .bind(*query.connection.as_uuid())
    .bind(query.resource.name())
    .bind(*query.id.as_uuid())
    .fetch_optional(&store.inner.readers)
    .await?;
    row.map_or(Ok(None), |row| stored_record(&row, 0))
}

pub(super) async fn changes(
    store: &PostgresStore,
    query: &ChangesQuery,
) -> Result<ChangesPage, Fault> {
    let mut tx = store.read().await?;
    let head = head(&mut tx, query.connection).await?;
    let (columns, join) = if query.include_records {
        (
            RECORD_COLUMNS,
            "LEFT JOIN records r ON r.connection = e.connection AND r.resource = e.resource AND r.id = e.record ",
        )
    } else {
        ("NULL", "")
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {EVENT_COLUMNS}, {columns}, NULL FROM events e {join}WHERE e.connection = $1 AND e.sequence > $2 \
         ORDER BY e.sequence LIMIT $3"
    )))
    .bind(head.row)
    .bind(codec::signed(query.after))
    .bind(i64::from(query.limit) + 1)
    .fetch_all(&mut *tx)
    .await?;
    let epoch: Vec<u8> = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(LOG_EPOCH)
        .fetch_one(&mut *tx)
        .await?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let entries = rows
        .iter()
        .take(limit)
        .map(|row| event_with_record(row, query.connection))
        .collect::<Result<_, _>>()?;
    Ok(ChangesPage {
        entries,
        head: codec::unsigned(head.sequence)?,
        more: rows.len() > limit,
        epoch: epoch_from(&epoch)?,
    })
}

pub(super) async fn sync_snapshot(
    store: &PostgresStore,
    connection: ConnectionId,
) -> Result<SyncSnapshot, Fault> {
    let mut tx = store.read().await?;
    let head = head(&mut tx, connection).await?;
    Ok(SyncSnapshot {
        completed: completed(&mut tx, head.row).await?,
        records: counts(&mut tx, head.row).await?,
        quarantined: quarantined(&mut tx, head.row).await?,
        head: head.time,
        last_success_at: head.succeeded_at.map(codec::instant).transpose()?,
    })
}

async fn completed(
    tx: &mut Tx,
    lane: i64,
) -> Result<BTreeMap<StreamName, chrono::DateTime<chrono::Utc>>, Fault> {
    let rows: Vec<(Text<'static>, i64)> = sqlx::query_as(
        "SELECT stream, completed_at FROM stream_states WHERE connection = $1 AND completed_at IS NOT NULL",
    )
    .bind(lane)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(stream, at)| Ok((StreamName::new(stream.into_string()), codec::instant(at)?)))
        .collect()
}

async fn counts(tx: &mut Tx, lane: i64) -> Result<BTreeMap<Resource, RecordCounts>, Fault> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT resource, live, deleted FROM record_counts WHERE connection = $1")
            .bind(lane)
            .fetch_all(&mut **tx)
            .await?;
    rows.into_iter()
        .map(|(resource, live, deleted)| {
            let counts = RecordCounts {
                live: codec::unsigned(live)?,
                deleted: codec::unsigned(deleted)?,
            };
            Ok((codec::resource(&resource)?, counts))
        })
        .collect()
}

async fn quarantined(tx: &mut Tx, lane: i64) -> Result<BTreeMap<String, u64>, Fault> {
    let rows: Vec<(Text<'static>, i64)> = sqlx::query_as(
        "SELECT entity, count(*) FROM documents WHERE connection = $1 AND quarantine_reason IS NOT NULL GROUP BY entity",
    )
    .bind(lane)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(entity, count)| Ok((entity.into_string(), codec::unsigned(count)?)))
        .collect()
}

pub(super) async fn runs(
    store: &PostgresStore,
    connection: ConnectionId,
    before: Option<RunId>,
    limit: u32,
) -> Result<Vec<RunState>, Fault> {
    let rows: Vec<RunColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{RUN} JOIN connections c ON c.row = r.connection WHERE c.id = $1 AND ($2::uuid IS NULL OR r.id < $2) \
         ORDER BY r.id DESC LIMIT $3"
    )))
    .bind(*connection.as_uuid())
    .bind(before.map(|run| *run.as_uuid()))
    .bind(i64::from(limit))
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter().map(run_state).collect()
}

pub(super) async fn run(
    store: &PostgresStore,
    connection: ConnectionId,
    run: RunId,
) -> Result<Option<RunState>, Fault> {
    let columns: Option<RunColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{RUN} JOIN connections c ON c.row = r.connection WHERE c.id = $1 AND r.id = $2"
    )))
    .bind(*connection.as_uuid())
    .bind(*run.as_uuid())
    .fetch_optional(&store.inner.readers)
    .await?;
    columns.map(run_state).transpose()
}
