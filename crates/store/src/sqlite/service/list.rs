//! Lists of records.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::storage::{ListOrder, ListPage, ListQuery, Range, RecordFilter};

use crate::codec;
use crate::error::Fault;
use crate::shown::{Rows, list_page};
use crate::sqlite::SqliteStore;

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
    let query = query.clone();
    let read = store.inner.direct.read(move |file| page(file, &query));
    read.await
}

fn page(file: &Connection, query: &ListQuery) -> Result<ListPage, Fault> {
    let mut lanes =
        file.prepare_cached("SELECT row, last_time FROM connections WHERE id = ? LIMIT 1")?;
    // As long as it stands there, all is read of one snapshot.
    let mut lanes = lanes.query([blob(query.connection.as_uuid())])?;
    let lane = lanes.next()?.ok_or(Fault::NoConnection(query.connection))?;
    let (lane, head) = (lane.get(0)?, codec::timestamp(lane.get(1)?)?);
    let complete = is_complete(file, lane, query)?;
    let mut rows = Rows::new(query);
    let sql = select(lane, query);
    let mut statement = file.prepare_cached(&sql.text)?;
    let mut found = statement.query(params_from_iter(sql.values))?;
    while let Some(row) = found.next()? {
        let text = |column| Ok::<_, Fault>(row.get_ref(column)?.as_str()?);
        let record = [text(1)?, text(2)?];
        let raw = query.include_raw.then(|| text(3)).transpose()?;
        rows.push(row.get(0)?, record, raw);
    }
    list_page(query, rows, (head, complete))
}

/// Tells whether each of the streams that matter was read to its end once.
fn is_complete(file: &Connection, lane: i64, query: &ListQuery) -> Result<bool, Fault> {
    let mut statement = file.prepare_cached(
        "SELECT count(*) FROM stream_states WHERE connection = ? AND stream = ? AND completed_at IS NOT NULL",
    )?;
    for stream in &query.complete_when {
        let count: i64 = statement.query_row((lane, stream.as_str()), |row| row.get(0))?;
        if count == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A statement, and what is put in for its question marks.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }
}

fn blob(id: &Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// Asks for the places of a page's rows, the two parts of their texts, and their source documents if they are wanted.
fn select(lane: i64, query: &ListQuery) -> Sql {
    let place = match query.order {
        ListOrder::Creation(_) => "r.created_at",
        ListOrder::Sequence(_) => "r.sequence",
    };
    let (raw, join) = if query.include_raw {
        (", d.body", "JOIN documents d ON d.row = r.document ")
    } else {
        ("", "")
    };
    let mut sql = Sql::default();
    sql.push(&format!(
        "SELECT {place}, r.envelope, r.content{raw} FROM records r {join}WHERE r.connection = "
    ));
    sql.push_bind(lane);
    sql.push(" AND r.resource = ")
        .push_bind(query.resource.name().to_owned());
    if !query.include_deleted {
        sql.push(" AND r.deleted = 0");
    }
    push_filter(&mut sql, query);
    let plain = plain_order(query);
    match query.order {
        ListOrder::Creation(after) => {
            if let Some(after) = after {
                sql.push(&format!(" AND {plain}r.created_at > "));
                sql.push_bind(after.as_micros());
            }
            sql.push(&format!(" ORDER BY {plain}r.created_at"));
        }
        ListOrder::Sequence(after) => {
            if let Some(after) = after {
                push_behind(&mut sql, query, (lane, codec::signed(after)));
            }
            // The same order as by sequence, and the one that has an index.
            sql.push(&format!(" ORDER BY {plain}r.modified_at"));
        }
    }
    sql.push(" LIMIT 0 + ")
        .push_bind(i64::from(query.limit) + 1);
    sql
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
fn push_behind(sql: &mut Sql, query: &ListQuery, (lane, after): (i64, i64)) {
    sql.push(" AND r.sequence > ").push_bind(after);
    sql.push(" AND ").push(plain_order(query));
    sql.push("r.modified_at > coalesce((SELECT e.time FROM events e WHERE e.connection = ")
        .push_bind(lane);
    sql.push(" AND e.sequence = ").push_bind(after);
    sql.push("), -9223372036854775808)");
}

fn push_filter(sql: &mut Sql, query: &ListQuery) {
    let filter: &RecordFilter = &query.filter;
    // A plus keeps SQLite from sorting all open orders where a few recent changes are asked for.
    let plain = match query.order {
        ListOrder::Creation(_) => plain_order(query),
        ListOrder::Sequence(_) => "+",
    };
    let instants = [
        ("r.created_at", filter.created),
        ("r.remote_modified_at", filter.remote_modified),
        ("r.remote_created_at", filter.remote_created),
        ("r.due_at", filter.due),
        ("r.completed_at", filter.completed),
    ];
    for (column, range) in instants {
        push_range(sql, (plain, column), range, |instant| instant.as_micros());
    }
    push_modified(sql, query);
    let days = [
        ("r.order_date", filter.order_date),
        ("r.delivery_date", filter.delivery_date),
    ];
    for (column, range) in days {
        push_range(sql, (plain, column), range, |day| day.to_string());
    }
    if !filter.status.is_empty() {
        sql.push(" AND ").push(plain).push("r.status IN (");
        for (number, status) in filter.status.iter().enumerate() {
            sql.push(if number == 0 { "" } else { ", " })
                .push_bind(status.clone());
        }
        sql.push(")");
    }
    if let Some(asset) = filter.asset_id {
        sql.push(" AND ").push(plain).push("r.asset_id = ");
        sql.push_bind(blob(asset.as_uuid()));
    }
    if let Some(remote_id) = &filter.remote_id {
        sql.push(" AND r.remote_id = ").push_bind(remote_id.clone());
    }
}

/// Adds that a record changed within a range.
fn push_modified(sql: &mut Sql, query: &ListQuery) {
    let range = query.filter.modified;
    let plain = match query.order {
        ListOrder::Sequence(_) => plain_order(query),
        // Nothing is sorted then. What was made later was not changed before.
        ListOrder::Creation(_) => {
            let created = Range {
                from: None,
                before: range.before,
            };
            let column = (plain_order(query), "r.created_at");
            push_range(sql, column, created, |instant| instant.as_micros());
            "+"
        }
    };
    push_range(sql, (plain, "r.modified_at"), range, |instant| {
        instant.as_micros()
    });
}

fn push_range<T, V>(
    sql: &mut Sql,
    (plain, column): (&str, &str),
    range: Range<T>,
    value: impl Fn(T) -> V,
) where
    Value: From<V>,
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
    fn plan(query: &ListQuery) -> (String, bool) {
        let database = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            database.execute_batch(migration).unwrap();
        }
        let sql = select(1, query);
        let explained = format!("EXPLAIN QUERY PLAN {}", sql.text);
        let mut explained = database.prepare(&explained).unwrap();
        let steps = explained.query_map(params_from_iter(sql.values), |row| row.get(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        let mut steps = steps.into_iter();
        let sorts = steps.clone().any(|step| step.contains("TEMP B-TREE"));
        let step =
            steps.find_map(|step| Some(step.strip_prefix("SEARCH r USING INDEX ")?.to_owned()));
        let step = step.unwrap();
        (step.split(' ').next().unwrap().to_owned(), sorts)
    }

    #[test]
    fn lists_read_no_more_than_they_show() {
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
                query(by_creation(None), |filter| {
                    filter.modified.before = Some(time)
                }),
                "records_by_creation",
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
            assert_eq!(plan(&query), (index.to_owned(), false), "{query:?}");
        }
    }

    #[test]
    fn a_key_of_the_source_finds_its_records_without_a_walk_through_the_others() {
        for order in [ListOrder::Creation(None), ListOrder::Sequence(Some(7))] {
            let query = query(order, |filter| {
                filter.remote_id = Some("7".to_owned());
                filter.modified.from = Timestamp::from_micros(7);
                filter.created.from = Timestamp::from_micros(7);
            });
            let expected = ("records_by_remote_id".to_owned(), true);
            assert_eq!(plan(&query), expected, "{query:?}");
        }
    }
}
