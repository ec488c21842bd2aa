//! Lists of records.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Encode, QueryBuilder, Row, Sqlite, Type};
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::error::Fault;
use crate::shown::{Rows, list_page, texts};
use crate::sqlite::SqliteStore;
use crate::sqlite::records::RECORD_COLUMNS;

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
    let row = sql.build().fetch_optional(&store.inner.readers).await?;
    let row = row.ok_or(Fault::NoConnection(query.connection))?;
    let head = codec::timestamp(row.try_get(0)?)?;
    let done: Option<&str> = row.try_get(1)?;
    let done: Vec<&str> = done.into_iter().flat_map(str::lines).collect();
    let mut streams = query.complete_when.iter();
    let complete = streams.all(|stream| done.contains(&stream.as_str()));
    let raw = query
        .include_raw
        .then(|| texts(row.try_get(5)?, numbers(&row, 6)?));
    let rows = Rows {
        places: numbers(&row, 2)?,
        records: texts(row.try_get(3)?, numbers(&row, 4)?)?,
        raw: raw.transpose()?,
    };
    list_page(query, rows, (head, complete))
}

/// Reads numbers with commas between them.
fn numbers(row: &SqliteRow, column: usize) -> Result<Vec<i64>, Fault> {
    let text: Option<&str> = row.try_get(column)?;
    let numbers = text.into_iter().flat_map(|text| text.split(','));
    numbers
        .map(|number| {
            let number = number.parse();
            number.map_err(|_| Fault::Corrupt("a list of numbers has another text".to_owned()))
        })
        .collect()
}

/// Asks for the event clock, the streams that were complete, a line each, and a page: places, texts of records and how
/// many bytes each has, and the same of source documents. Few and large values are what makes it fast.
fn select(query: &ListQuery) -> QueryBuilder<Sqlite> {
    let place = match query.order {
        ListOrder::Creation(_) => "r.created_at",
        ListOrder::Sequence(_) => "r.sequence",
    };
    let (raws, raw, join) = if query.include_raw {
        (
            ", group_concat(p.raw), group_concat(octet_length(p.raw))",
            ", d.body AS raw",
            "JOIN documents d ON d.row = r.document ",
        )
    } else {
        ("", "", "")
    };
    let mut sql = QueryBuilder::new(format!(
        "SELECT c.last_time, (SELECT group_concat(s.stream, char(10)) FROM stream_states s WHERE s.connection = c.row \
         AND s.completed_at IS NOT NULL), page.* FROM connections c, (SELECT group_concat(p.place), \
         group_concat(p.record), group_concat(octet_length(p.record)){raws} FROM (SELECT {place} AS place, \
         {RECORD_COLUMNS} AS record{raw} FROM records r {join}WHERE r.connection = "
    ));
    push_lane(&mut sql, query.connection);
    sql.push(" AND r.resource = ")
        .push_bind(query.resource.name());
    if !query.include_deleted {
        sql.push(" AND r.deleted = 0");
    }
    push_filter(&mut sql, query);
    let plain = plain_order(query);
    match query.order {
        ListOrder::Creation(after) => {
            if let Some(after) = after {
                sql.push(format_args!(" AND {plain}r.created_at > "));
                sql.push_bind(after.as_micros());
            }
            sql.push(format_args!(" ORDER BY {plain}r.created_at"));
        }
        ListOrder::Sequence(after) => {
            if let Some(after) = after {
                push_behind(&mut sql, query, codec::signed(after));
            }
            // The same order as by sequence, and the one that has an index.
            sql.push(format_args!(" ORDER BY {plain}r.modified_at"));
        }
    }
    sql.push(" LIMIT 0 + ")
        .push_bind(i64::from(query.limit) + 1);
    sql.push(") p) page WHERE c.id = ");
    sql.push_bind(*query.connection.as_uuid());
    sql
}

/// Adds the row number of a connection, found once for the whole statement.
fn push_lane(sql: &mut QueryBuilder<Sqlite>, connection: ConnectionId) {
    sql.push("(SELECT row FROM connections WHERE id = ");
    sql.push_bind(*connection.as_uuid());
    sql.push(")");
}

/// Returns what stands before the columns that lists are ordered by. A key of the source has a handful of records: a plus
/// keeps SQLite from walking through all others in their order.
fn plain_order(query: &ListQuery) -> &'static str {
    if query.filter.remote_id.is_some() {
        "+"
    } else {
        ""
    }
}

/// Adds that a record changed behind this sequence. The event's instant lets the index begin there; where the event
/// is not kept any more, the sequence alone decides.
fn push_behind(sql: &mut QueryBuilder<Sqlite>, query: &ListQuery, after: i64) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND ").push(plain_order(query));
    sql.push("r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ");
    push_lane(sql, query.connection);
    sql.push(" AND e.sequence = ").push_bind(after);
    sql.push("), -9223372036854775808)");
}

fn push_filter(sql: &mut QueryBuilder<Sqlite>, query: &ListQuery) {
    let filter: &RecordFilter = &query.filter;
    // A plus keeps SQLite from sorting all open orders where a few recent changes are asked for.
    let plain = match query.order {
        ListOrder::Creation(_) => plain_order(query),
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
        let plain = match column {
            "r.modified_at" => plain_order(query),
            _ => plain,
        };
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

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Execute};
    use wrenchtime_model::{RecordId, Resource};

    use super::*;
    use crate::sqlite::migrate::MIGRATIONS;

    fn query(order: ListOrder, set: impl Fn(&mut RecordFilter)) -> ListQuery {
        let mut filter = RecordFilter::default();
        set(&mut filter);
        ListQuery {
            connection: ConnectionId::new(),
            resource: Resource::WorkOrder,
            filter,
            include_deleted: false,
            include_raw: false,
            order,
            limit: 100,
            complete_when: Vec::new(),
        }
    }

    /// Returns how a list finds its records, and whether it sorts them.
    async fn plan(query: &ListQuery) -> (String, bool) {
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for migration in MIGRATIONS {
            sqlx::raw_sql(*migration)
                .execute(&mut database)
                .await
                .unwrap();
        }
        let mut sql = select(query);
        let explained = format!("EXPLAIN QUERY PLAN {}", sql.build().sql().as_str());
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(explained))
            .fetch_all(&mut database)
            .await
            .unwrap();
        let mut steps = steps.into_iter().map(|(.., step)| step);
        let sorts = steps.clone().any(|step| step.contains("TEMP B-TREE"));
        let step =
            steps.find_map(|step| Some(step.strip_prefix("SEARCH r USING INDEX ")?.to_owned()));
        let step = step.unwrap();
        (step.split(' ').next().unwrap().to_owned(), sorts)
    }

    #[tokio::test]
    async fn lists_read_no_more_than_they_show() {
        let time = Timestamp::from_micros(7).unwrap();
        let by_creation = |place: Option<Timestamp>| ListOrder::Creation(place);
        let asset = RecordId::from_uuid(uuid::Uuid::nil());
        let cases = [
            (query(by_creation(None), |_| {}), "records_by_creation"),
            (
                query(by_creation(Some(time)), |_| {}),
                "records_by_creation",
            ),
            (
                query(by_creation(Some(time)), |filter| {
                    filter.status = vec!["open".to_owned()]
                }),
                "records_by_status",
            ),
            (
                query(by_creation(Some(time)), |filter| {
                    filter.asset_id = Some(asset)
                }),
                "records_by_asset",
            ),
            (
                query(ListOrder::Sequence(Some(7)), |_| {}),
                "records_by_change",
            ),
            (
                query(ListOrder::Sequence(None), |filter| {
                    filter.modified.from = Some(time)
                }),
                "records_by_change",
            ),
            (
                query(ListOrder::Sequence(None), |filter| {
                    filter.modified.from = Some(time);
                    filter.status = vec!["open".to_owned()];
                }),
                "records_by_change",
            ),
        ];
        for (query, index) in cases {
            assert_eq!(plan(&query).await, (index.to_owned(), false), "{query:?}");
        }
    }

    #[tokio::test]
    async fn a_key_of_the_source_finds_its_records_without_a_walk_through_the_others() {
        for order in [ListOrder::Creation(None), ListOrder::Sequence(Some(7))] {
            let query = query(order, |filter| {
                filter.remote_id = Some("7".to_owned());
                filter.modified.from = Timestamp::from_micros(7);
                filter.created.from = Timestamp::from_micros(7);
            });
            let expected = ("records_by_remote_id".to_owned(), true);
            assert_eq!(plan(&query).await, expected, "{query:?}");
        }
    }
}
