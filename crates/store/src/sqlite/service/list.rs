//! Lists of records.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Encode, QueryBuilder, Row, Sqlite, Type};
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::columns::list_page;
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
    let mut sql = select(query);
    // One statement is one snapshot, and one way to the reading thread and back.
    let rows = sql.build().fetch_all(&store.inner.readers).await?;
    let first = rows.first().ok_or(Fault::NoConnection(query.connection))?;
    let head = codec::timestamp(first.try_get(0)?)?;
    let done: Option<&str> = first.try_get(1)?;
    let done: Vec<&str> = done.into_iter().flat_map(str::lines).collect();
    let mut streams = query.complete_when.iter();
    let complete = streams.all(|stream| done.contains(&stream.as_str()));
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        // A page without records is a row without one.
        if row.try_get::<Option<Uuid>, _>(HEAD_WIDTH)?.is_some() {
            page.push(stored_record(
                row,
                HEAD_WIDTH,
                query.connection,
                query.resource,
            )?);
        }
    }
    Ok(list_page(query, page, (head, complete)))
}

/// How many columns of [`select`] stand before those of the record.
const HEAD_WIDTH: usize = 2;

/// Asks for the event clock, the streams that were complete, a line each, and a page of records beside them.
fn select(query: &ListQuery) -> QueryBuilder<Sqlite> {
    let (raw, join) = if query.include_raw {
        ("d.body", "JOIN documents d ON d.row = r.document ")
    } else {
        ("NULL", "")
    };
    let mut sql = QueryBuilder::new(format!(
        "SELECT c.last_time, (SELECT group_concat(s.stream, char(10)) FROM stream_states s WHERE s.connection = c.row \
         AND s.completed_at IS NOT NULL), page.* FROM connections c LEFT JOIN (SELECT {RECORD_COLUMNS}, {raw} \
         FROM records r {join}WHERE r.connection = "
    ));
    push_lane(&mut sql, query.connection);
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
                push_behind(&mut sql, query.connection, codec::signed(after));
            }
            // The same order as by sequence, and the one that has an index.
            sql.push(" ORDER BY r.modified_at");
        }
    }
    sql.push(" LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql.push(") page ON true WHERE c.id = ");
    sql.push_bind(*query.connection.as_uuid());
    sql
}

/// Adds the row number of a connection, found once for the whole statement.
fn push_lane(sql: &mut QueryBuilder<Sqlite>, connection: ConnectionId) {
    sql.push("(SELECT row FROM connections WHERE id = ");
    sql.push_bind(*connection.as_uuid());
    sql.push(")");
}

/// Adds that a record changed behind this sequence. The event's instant lets the index begin there; where the event
/// is not kept any more, the sequence alone decides.
fn push_behind(sql: &mut QueryBuilder<Sqlite>, connection: ConnectionId, after: i64) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ");
    push_lane(sql, connection);
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
