//! The bare loop: the least that anybody would do to bring the same rows from the same source into the same tables.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite};

use crate::place::Place;
use crate::postgres::{Target, Way};
use crate::process::Usage;
use crate::source::{Asked, Source};
use crate::stored::{Batch, Cell, Row, Stored, TABLES, execute};

/// As many as a usual page holds. With twenty parameters a row it stays below SQLite's 32,766 for a statement.
const ROWS_AT_ONCE: usize = 500;
/// As fast as any of the ways there are, and with the least to decide.
const POSTGRES_WAY: Way = Way::Copy;

/// What the bare loop took.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Bare {
    /// Seconds from the first request to the last commit.
    pub(crate) seconds: f64,
    /// Seconds of processor time of the whole process.
    pub(crate) cpu: f64,
    /// Bytes handed to the disk.
    pub(crate) written: u64,
    /// Seconds in which requests were under way.
    pub(crate) fetching: f64,
    /// Seconds of parsing.
    pub(crate) parsing: f64,
    /// Seconds from the beginning of transactions to their end.
    pub(crate) writing: f64,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, rename = "Entities")]
    entities: Vec<&'a RawValue>,
}

/// The database that the bare loop writes to, by one connection.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(Target),
}

impl Database {
    async fn open(place: &Place, stored: &Stored) -> Result<Self> {
        Ok(match place.database() {
            None => Self::Sqlite(open(place, stored).await?),
            Some(_) => Self::Postgres(Target::open(place, stored, POSTGRES_WAY).await?),
        })
    }

    async fn insert(&mut self, stored: &Stored, batch: &Batch) -> Result<()> {
        match self {
            Self::Sqlite(database) => insert(database, stored, batch).await,
            Self::Postgres(target) => target.insert(batch).await,
        }
    }

    async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(database) => Ok(database.close().await?),
            Self::Postgres(target) => target.close().await,
        }
    }
}

/// Asks for the same as the service did, and writes the same rows to a database in an empty place.
pub(crate) async fn run(
    client: &reqwest::Client,
    source: &Source,
    requests: &[Asked],
    stored: &Stored,
    place: &Place,
) -> Result<Bare> {
    let mut database = Database::open(place, stored).await?;
    let mut left: BTreeMap<&str, VecDeque<&Batch>> = stored
        .batches
        .iter()
        .map(|(entity, batches)| (entity.as_str(), batches.iter().collect()))
        .collect();
    let mut bare = Bare::default();
    let before = Usage::own()?;
    let begun = Instant::now();
    let mut requests = requests
        .iter()
        .filter(|asked| asked.path.contains("/query/"));
    let mut ahead = fetch(client, source, requests.next()).await?;
    while let Some((asked, reply, took)) = ahead.take() {
        bare.fetching += took.as_secs_f64();
        let write = async {
            let parsing = Instant::now();
            let rows = parse(&reply).with_context(|| asked.path.clone())?;
            bare.parsing += parsing.elapsed().as_secs_f64();
            if let Some(batch) = batch_of(asked, rows, &mut left) {
                let writing = Instant::now();
                database.insert(stored, batch).await?;
                bare.writing += writing.elapsed().as_secs_f64();
            }
            anyhow::Ok(())
        };
        let (written, next) = tokio::join!(write, fetch(client, source, requests.next()));
        written?;
        ahead = next?;
    }
    bare.seconds = begun.elapsed().as_secs_f64();
    let after = Usage::own()?;
    bare.cpu = after.cpu - before.cpu;
    bare.written = after.written - before.written;
    database.close().await?;
    if left.values().any(|batches| !batches.is_empty()) {
        bail!("the bare loop did not write all that the service had written");
    }
    Ok(bare)
}

/// Every option is the store's own (`sqlite/open.rs` there), so that both sides do the same work.
async fn open(place: &Place, stored: &Stored) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(place.directory().join("bare.db"))
        .create_if_missing(true)
        .page_size(8192)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "4096")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();
    let mut database = SqliteConnection::connect_with(&options).await?;
    for statement in &stored.schema {
        execute(&mut database, statement).await?;
    }
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO connections ");
    push_rows(&mut query, std::slice::from_ref(&stored.connection));
    query.build().execute(&mut database).await?;
    Ok(database)
}

async fn fetch<'a>(
    client: &reqwest::Client,
    source: &Source,
    asked: Option<&'a Asked>,
) -> Result<Option<(&'a Asked, Bytes, Duration)>> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let begun = Instant::now();
    let url = format!(
        "{}{}",
        source.address.url,
        asked.path.trim_start_matches('/')
    );
    let request = client
        .post(url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(asked.body.clone());
    let reply = request.send().await?.error_for_status()?.bytes().await?;
    Ok(Some((asked, reply, begun.elapsed())))
}

/// Reads a page's envelope and leaves its rows as they are. Returns how many there are.
fn parse(reply: &[u8]) -> Result<usize> {
    let page: Page<'_> = serde_json::from_str(std::str::from_utf8(reply)?)?;
    Ok(black_box(page.entities).len())
}

/// Returns what the rows of a reply become. Only whole rows of the tables that are read become something; of the
/// rest, parts were joined to them.
fn batch_of<'s>(
    asked: &Asked,
    rows: usize,
    left: &mut BTreeMap<&str, VecDeque<&'s Batch>>,
) -> Option<&'s Batch> {
    let entity = asked.path.rsplit('/').next()?;
    let is_whole = asked.body.contains(r#""Properties":["*""#);
    if rows == 0 || !is_whole {
        return None;
    }
    left.get_mut(entity)?.pop_front()
}

async fn insert(database: &mut SqliteConnection, stored: &Stored, batch: &Batch) -> Result<()> {
    let mut transaction = database.begin_with("BEGIN IMMEDIATE").await?;
    for (table, rows) in batch.tables.iter().enumerate() {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let columns = stored.columns[table].join(", ");
            let mut query =
                QueryBuilder::<Sqlite>::new(format!("INSERT INTO {} ({columns}) ", TABLES[table]));
            push_rows(&mut query, rows);
            query.build().execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

fn push_rows(query: &mut QueryBuilder<Sqlite>, rows: &[Row]) {
    query.push_values(rows, |mut values, row| {
        for cell in row {
            match cell {
                Cell::Null => values.push_bind(None::<i64>),
                Cell::Integer(number) => values.push_bind(*number),
                Cell::Text(text) => values.push_bind(text.as_str()),
                Cell::Blob(bytes) => values.push_bind(bytes.as_slice()),
            };
        }
    });
}
