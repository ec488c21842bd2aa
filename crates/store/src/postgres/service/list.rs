//! Lists of records.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Encode, Postgres, QueryBuilder, Row, Type};
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::text::Text;
use crate::shown::{Rows, list_page};

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
    let mut sql = select(query);
    // One statement is one snapshot, and one round trip. Each row tells of the connection, also one without a record.
    let mut found = sql.build().fetch_all(&store.inner.readers).await?;
    let first = found.first().ok_or(Fault::NoConnection(query.connection))?;
    let head = codec::timestamp(first.try_get(0)?)?;
    let done: Vec<Text<'static>> = first.try_get(1)?;
    let mut streams = query.complete_when.iter();
    let complete = streams.all(|stream| done.iter().any(|name| name.0 == stream.as_str()));
    if first.try_get::<Option<i64>, _>(2)?.is_none() {
        found.clear();
    }
    list_page(query, rows(query, &found)?, (head, complete))
}

fn rows(query: &ListQuery, found: &[PgRow]) -> Result<Rows, Fault> {
    let mut order: Vec<(i64, &PgRow)> = Vec::new();
    for row in found {
        order.push((row.try_get(2)?, row));
    }
    // They are in order, but no database promises it of a query around a query.
    order.sort_by_key(|(place, _)| *place);
    let mut rows = Rows::new(query);
    for (place, row) in order {
        let record = [row.try_get(3)?, row.try_get(4)?];
        let raw = query.include_raw.then(|| row.try_get(5)).transpose()?;
        rows.push(place, record, raw);
    }
    Ok(rows)
}

/// Asks for the event clock, the streams that were complete, and the rows of a page: the place of each, the two parts of its
/// text, and its source document if it is wanted.
fn select(query: &ListQuery) -> QueryBuilder<Postgres> {
    let place = match query.order {
        ListOrder::Creation(_) => "r.created_at",
        ListOrder::Sequence(_) => "r.sequence",
    };
    let (raw, join) = if query.include_raw {
        (
            ", d.body",
            "JOIN documents d ON d.connection = r.connection AND d.row = r.document ",
        )
    } else {
        ("", "")
    };
    let mut sql = QueryBuilder::new(format!(
        "SELECT c.last_time, ARRAY(SELECT s.stream FROM stream_states s WHERE s.connection = c.row \
         AND s.completed_at IS NOT NULL), page.* FROM connections c LEFT JOIN (SELECT {place} AS place, r.envelope, \
         r.content{raw} FROM records r {join}WHERE r.connection = "
    ));
    push_lane(&mut sql, query.connection);
    sql.push(" AND r.resource = ")
        .push_bind(query.resource.name());
    if !query.include_deleted {
        sql.push(" AND NOT r.deleted");
    }
    push_filter(&mut sql, query);
    match query.order {
        ListOrder::Creation(after) => {
            if let Some(after) = after {
                sql.push(" AND r.created_at > ")
                    .push_bind(after.as_micros());
            }
            sql.push(" ORDER BY r.created_at");
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
    sql.push(") page ON TRUE WHERE c.id = ");
    sql.push_bind(*query.connection.as_uuid());
    sql
}

/// Adds the row number of a connection, found once for the whole statement.
fn push_lane(sql: &mut QueryBuilder<Postgres>, connection: ConnectionId) {
    sql.push("(SELECT row FROM connections WHERE id = ");
    sql.push_bind(*connection.as_uuid());
    sql.push(")");
}

/// Adds that a record changed behind this sequence. The event's instant lets the index begin there; where the event
/// is not kept any more, the sequence alone decides.
fn push_behind(sql: &mut QueryBuilder<Postgres>, connection: ConnectionId, after: i64) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ");
    push_lane(sql, connection);
    sql.push(" AND e.sequence = ").push_bind(after);
    sql.push("), -9223372036854775808)");
}

fn push_filter(sql: &mut QueryBuilder<Postgres>, query: &ListQuery) {
    let filter: &RecordFilter = &query.filter;
    // What no index has as it stands here keeps PostgreSQL from sorting all open orders where a few recent changes are
    // asked for.
    let is_by_index = matches!(query.order, ListOrder::Creation(_));
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
