//! Lists of records.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Encode, QueryBuilder, Sqlite, Type};
use wrenchtime_connector::StreamName;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::error::Fault;
use crate::sqlite::SqliteStore;
use crate::sqlite::records::{RECORD_COLUMNS, stored_record};

/// What a reader sees of a connection in one snapshot.
pub(super) struct Head {
    pub(super) row: i64,
    pub(super) sequence: i64,
    pub(super) time: Timestamp,
    pub(super) succeeded_at: Option<i64>,
}

pub(super) async fn head(tx: &mut SqliteConnection, id: ConnectionId) -> Result<Head, Fault> {
    let columns: Option<(i64, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT row, last_sequence, last_time, succeeded_at FROM connections WHERE id = ?",
    )
    .bind(*id.as_uuid())
    .fetch_optional(tx)
    .await?;
    let (row, sequence, time, succeeded_at) = columns.ok_or(Fault::NoConnection(id))?;
    Ok(Head {
        row,
        sequence,
        time: codec::timestamp(time)?,
        succeeded_at,
    })
}

pub(super) async fn list(store: &SqliteStore, query: &ListQuery) -> Result<ListPage, Fault> {
    let mut tx = store.read().await?;
    let head = head(&mut tx, query.connection).await?;
    let complete = is_complete(&mut tx, head.row, &query.complete_when).await?;
    let mut sql = select(query, head.row);
    let rows = sql.build().persistent(false).fetch_all(&mut *tx).await?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    let rows = rows
        .iter()
        .take(limit)
        .map(|row| stored_record(row, 0, query.connection, query.resource))
        .collect::<Result<_, _>>()?;
    Ok(ListPage {
        rows,
        more,
        head: head.time,
        complete,
    })
}

async fn is_complete(
    tx: &mut SqliteConnection,
    lane: i64,
    streams: &[StreamName],
) -> Result<bool, Fault> {
    let done: Vec<String> = sqlx::query_scalar(
        "SELECT stream FROM stream_states WHERE connection = ? AND completed_at IS NOT NULL",
    )
    .bind(lane)
    .fetch_all(tx)
    .await?;
    Ok(streams
        .iter()
        .all(|stream| done.iter().any(|name| name == stream.as_str())))
}

fn select(query: &ListQuery, lane: i64) -> QueryBuilder<Sqlite> {
    let (raw, join) = if query.include_raw {
        ("d.body", "JOIN documents d ON d.row = r.document ")
    } else {
        ("NULL", "")
    };
    let mut sql = QueryBuilder::new(format!(
        "SELECT {RECORD_COLUMNS}, {raw} FROM records r {join}WHERE r.connection = "
    ));
    sql.push_bind(lane);
    sql.push(" AND r.resource = ")
        .push_bind(query.resource.name());
    if !query.include_deleted {
        sql.push(" AND r.deleted = 0");
    }
    push_filter(&mut sql, query);
    match query.order {
        ListOrder::Id(after) => {
            if let Some(after) = after {
                sql.push(" AND r.id > ").push_bind(*after.as_uuid());
            }
            sql.push(" ORDER BY r.id");
        }
        ListOrder::Sequence(after) => {
            if let Some(after) = after {
                push_behind(&mut sql, lane, codec::signed(after));
            }
            // The same order as by sequence, and the one that has an index.
            sql.push(" ORDER BY r.modified_at");
        }
    }
    sql.push(" LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql
}

/// Adds that a record changed behind this sequence. The event's instant lets the index begin there; where the event
/// is not kept any more, the sequence alone decides.
fn push_behind(sql: &mut QueryBuilder<Sqlite>, lane: i64, after: i64) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ");
    sql.push_bind(lane);
    sql.push(" AND e.sequence = ").push_bind(after);
    sql.push("), -9223372036854775808)");
}

fn push_filter(sql: &mut QueryBuilder<Sqlite>, query: &ListQuery) {
    let filter: &RecordFilter = &query.filter;
    // A plus keeps SQLite from sorting all open orders where a few recent changes are asked for.
    let plain = match query.order {
        ListOrder::Id(_) => "",
        ListOrder::Sequence(_) => "+",
    };
    let instants = [
        ("r.modified_at", filter.modified),
        ("r.created_at", filter.created),
        ("r.remote_modified_at", filter.remote_modified),
        ("r.remote_created_at", filter.remote_created),
        ("r.due_at", filter.due),
        ("r.completed_at", filter.completed),
    ];
    for (column, range) in instants {
        let plain = if column == "r.modified_at" { "" } else { plain };
        push_range(sql, (plain, column), range, |instant| instant.as_micros());
    }
    let days = [
        ("r.order_date", filter.order_date),
        ("r.delivery_date", filter.delivery_date),
    ];
    for (column, range) in days {
        push_range(sql, (plain, column), range, |day| day.to_string());
    }
    if !filter.status.is_empty() {
        sql.push(" AND ").push(plain).push("r.status IN (");
        let mut list = sql.separated(", ");
        for status in &filter.status {
            list.push_bind(status.as_str());
        }
        sql.push(")");
    }
    if let Some(asset) = filter.asset_id {
        sql.push(" AND ").push(plain).push("r.asset_id = ");
        sql.push_bind(*asset.as_uuid());
    }
    if let Some(remote_id) = &filter.remote_id {
        sql.push(" AND r.remote_id = ")
            .push_bind(remote_id.as_str());
    }
}

fn push_range<T, V>(
    sql: &mut QueryBuilder<Sqlite>,
    (plain, column): (&str, &str),
    range: Range<T>,
    value: impl Fn(T) -> V,
) where
    V: for<'v> Encode<'v, Sqlite> + Type<Sqlite>,
{
    if let Some(from) = range.from {
        sql.push(" AND ").push(plain).push(column).push(" >= ");
        sql.push_bind(value(from));
    }
    if let Some(before) = range.before {
        sql.push(" AND ").push(plain).push(column).push(" < ");
        sql.push_bind(value(before));
    }
}
