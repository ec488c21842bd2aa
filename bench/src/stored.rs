//! What a run of the service left in its database, page by page, to be written again by the bare loop.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use anyhow::{Context, Result, bail};
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Row as _, TypeInfo, ValueRef};

/// The tables that a page is written to, in an order that keeps references whole.
pub(crate) const TABLES: [&str; 3] = ["documents", "records", "events"];

/// How a table's rows find the request that brought them: the service numbers its requests, and a document keeps the
/// number of the one that it came with.
const FROM: [&str; 3] = [
    "SELECT d.entity, d.observation, t.* FROM documents t JOIN documents d ON d.row = t.row ORDER BY t.row",
    "SELECT d.entity, d.observation, t.* FROM records t JOIN documents d ON d.row = t.document ORDER BY t.row",
    "SELECT d.entity, d.observation, t.* FROM events t JOIN records r ON r.connection = t.connection \
     AND r.resource = t.resource AND r.id = t.record JOIN documents d ON d.row = r.document ORDER BY t.sequence",
];

/// A stored value.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

pub(crate) type Row = Vec<Cell>;

/// The rows that one request's reply became, by table in the order of [`TABLES`].
#[derive(Default, Debug)]
pub(crate) struct Batch {
    pub(crate) tables: [Vec<Row>; 3],
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Statements that make the tables and indexes.
    pub(crate) schema: Vec<String>,
    /// The one connection's row, which the others refer to.
    pub(crate) connection: Row,
    /// Names of each table's columns.
    pub(crate) columns: [Vec<String>; 3],
    /// What was written, by entity, in the order of reading.
    pub(crate) batches: BTreeMap<String, VecDeque<Batch>>,
    /// Bytes of documents and records alone.
    pub(crate) bytes: u64,
    /// How many documents, records and events there are.
    pub(crate) rows: [usize; 3],
}

impl Stored {
    /// Reads the database of a service that was stopped.
    pub(crate) async fn read(directory: &Path) -> Result<Self> {
        let file = SqliteConnectOptions::new().filename(directory.join("wrenchtime.db"));
        let mut database = SqliteConnection::connect_with(&file).await?;
        let schema = sqlx::query_scalar(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
             AND tbl_name IN ('connections', 'documents', 'records', 'events') ORDER BY type DESC",
        )
        .fetch_all(&mut database)
        .await?;
        let row = sqlx::query("SELECT * FROM connections")
            .fetch_one(&mut database)
            .await?;
        let mut stored = Self {
            schema,
            connection: cells(&row, 0)?,
            columns: Default::default(),
            batches: BTreeMap::new(),
            bytes: 0,
            rows: [0; 3],
        };
        let mut numbered = BTreeMap::new();
        for (table, query) in FROM.into_iter().enumerate() {
            stored
                .read_table(&mut database, table, query, &mut numbered)
                .await?;
        }
        for ((entity, _), batch) in numbered {
            stored.batches.entry(entity).or_default().push_back(batch);
        }
        let (documents, bytes): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM documents), (SELECT sum(length(CAST(body AS BLOB))) FROM documents) \
             + (SELECT sum(octet_length(envelope) + octet_length(content)) FROM records)",
        )
        .fetch_one(&mut database)
        .await?;
        stored.bytes = u64::try_from(bytes)?;
        if stored.rows[0] != usize::try_from(documents)? {
            bail!(
                "{documents} documents are stored, but {} were found",
                stored.rows[0]
            );
        }
        database.close().await?;
        Ok(stored)
    }

    async fn read_table(
        &mut self,
        database: &mut SqliteConnection,
        table: usize,
        query: &'static str,
        numbered: &mut BTreeMap<(String, i64), Batch>,
    ) -> Result<()> {
        let mut rows = sqlx::query(query).fetch(database);
        while let Some(row) = rows.try_next().await? {
            if self.columns[table].is_empty() {
                let names = row.columns().iter().skip(2);
                self.columns[table] = names.map(|column| column.name().to_owned()).collect();
            }
            let key = (row.try_get(0)?, row.try_get(1)?);
            let batch = numbered.entry(key).or_default();
            batch.tables[table].push(cells(&row, 2)?);
            self.rows[table] += 1;
        }
        Ok(())
    }
}

fn cells(row: &SqliteRow, skip: usize) -> Result<Row> {
    (skip..row.len()).map(|index| cell(row, index)).collect()
}

fn cell(row: &SqliteRow, index: usize) -> Result<Cell> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => Cell::Integer(row.try_get_unchecked(index)?),
        "TEXT" => Cell::Text(row.try_get_unchecked(index)?),
        "BLOB" => Cell::Blob(row.try_get_unchecked(index)?),
        other => bail!("a column holds a {other}, which no table here should"),
    })
}

/// Runs a statement that a database of the service told.
pub(crate) async fn execute(database: &mut SqliteConnection, sql: &str) -> Result<()> {
    // Schemas take no parameters; the text comes from a database that this program had made.
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(database)
        .await
        .with_context(|| sql.to_owned())?;
    Ok(())
}
