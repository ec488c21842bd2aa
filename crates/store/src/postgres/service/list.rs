//! Lists of records.

use sqlx::postgres::PgConnection;
use sqlx::{Encode, Postgres, QueryBuilder, Type};
use wrenchtime_connector::StreamName;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::records::{RECORD_COLUMNS, stored_record};
use crate::postgres::text::Text;

/// What a reader sees of a connection in one snapshot.
pub(super) struct Head {
    pub(super) row: i64,
    pub(super) sequence: i64,
    pub(super) time: Timestamp,
    pub(super) succeeded_at: Option<i64>,
}

pub(super) async fn head(tx: &mut PgConnection, id: ConnectionId) -> Result<Head, Fault> {
    let columns: Option<(i64, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT row, last_sequence, last_time, succeeded_at FROM connections WHERE id = $1",
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

pub(super) async fn list(store: &PostgresStore, query: &ListQuery) -> Result<ListPage, Fault> {
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
    tx: &mut PgConnection,
    lane: i64,
    streams: &[StreamName],
) -> Result<bool, Fault> {
    let done: Vec<Text<'static>> = sqlx::query_scalar(
        "SELECT stream FROM stream_states WHERE connection = $1 AND completed_at IS NOT NULL",
    )
    .bind(lane)
    .fetch_all(tx)
    .await?;
    Ok(streams
        .iter()
        .all(|stream| done.iter().any(|name| name.0 == stream.as_str())))
}

fn select(query: &ListQuery, lane: i64) -> QueryBuilder<Postgres> {
    let (raw, join) = if query.include_raw {
        (
            "d.body",
            "JOIN documents d ON d.connection = r.connection AND d.row = r.document ",
        )
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
        sql.push(" AND NOT r.deleted");
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
fn push_behind(sql: &mut QueryBuilder<Postgres>, lane: i64, after: i64) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ");
    sql.push_bind(lane);
    sql.push(" AND e.sequence = ").push_bind(after);
    sql.push("), -9223372036854775808)");
}

fn push_filter(sql: &mut QueryBuilder<Postgres>, query: &ListQuery) {
    let filter: &RecordFilter = &query.filter;
    // What no index has as it stands here keeps PostgreSQL from sorting all open orders where a few recent changes are
    // asked for.
    let is_by_index = matches!(query.order, ListOrder::Id(_));
    let instants = [
        ("r.created_at", filter.created),
        ("r.remote_modified_at", filter.remote_modified),
        ("r.remote_created_at", filter.remote_created),
        ("r.due_at", filter.due),
        ("r.completed_at", filter.completed),
    ];
    push_range(sql, ("", "r.modified_at"), filter.modified, |instant| {
        instant.as_micros()
    });
    let plain = if is_by_index { "" } else { "+" };
    for (column, range) in instants {
        push_range(sql, (plain, column), range, |instant| instant.as_micros());
    }
    let days = [
        ("r.order_date", filter.order_date),
        ("r.delivery_date", filter.delivery_date),
    ];
    let plain = if is_by_index { "" } else { "'' || " };
    for (column, range) in days {
        push_range(sql, (plain, column), range, |day| day.to_string());
    }
    if !filter.status.is_empty() {
        push_text(sql, ("r.status", is_by_index), &filter.status);
    }
    if let Some(asset) = filter.asset_id {
        sql.push(" AND r.asset_id");
        sql.push(if is_by_index {
            " = "
        } else {
            " IS NOT DISTINCT FROM "
        });
        sql.push_bind(*asset.as_uuid());
    }
    if let Some(remote_id) = &filter.remote_id {
        push_text(sql, ("r.remote_id", true), std::slice::from_ref(remote_id));
    }
}

/// Adds that a column is one of these texts: by the part that its index has, and then by the whole.
fn push_text(
    sql: &mut QueryBuilder<Postgres>,
    (column, is_by_index): (&str, bool),
    texts: &[String],
) {
    let texts: Vec<Text<'static>> = texts.iter().cloned().map(Text::owned).collect();
    match texts.as_slice() {
        // One value leaves the index in order behind it.
        [text] if is_by_index => {
            sql.push(format_args!(" AND left({column}, 500) = "));
            sql.push_bind(text.indexed());
        }
        _ if is_by_index => {
            let parts: Vec<String> = texts.iter().map(Text::indexed).collect();
            sql.push(format_args!(" AND left({column}, 500) = ANY("));
            sql.push_bind(parts).push(")");
        }
        _ => {}
    }
    sql.push(format_args!(" AND {column} = ANY("));
    sql.push_bind(texts).push(")");
}

fn push_range<T, V>(
    sql: &mut QueryBuilder<Postgres>,
    (plain, column): (&str, &str),
    range: Range<T>,
    value: impl Fn(T) -> V,
) where
    V: for<'v> Encode<'v, Postgres> + Type<Postgres>,
{
    if let Some(from) = range.from {
        sql.push(format_args!(" AND ({plain}{column}) >= "));
        sql.push_bind(value(from));
    }
    if let Some(before) = range.before {
        sql.push(format_args!(" AND ({plain}{column}) < "));
        sql.push_bind(value(before));
    }
}
