//! Formats of the database, each a file, forward only.

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::open::Place;
use crate::OpenError;
use crate::columns::LOG_EPOCH;

/// From an empty schema to this release's format. A released file is never changed; the next format is a new file.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/postgres/0001_initial.sql")];
/// Everything stands in a schema of this name, so that a database may hold other things as well.
pub(super) const SCHEMA: &str = "wrenchtime";
/// Processes that start at once take turns by it: `WRNC` in ASCII, and what the lock is for.
const LOCK: i64 = 0x5752_4e43_0000_0001;

/// What stands in the schema.
enum Found {
    /// There is none.
    NoSchema,
    /// It is empty.
    Empty,
    /// Tables of this format.
    Format(usize),
    /// Tables of others.
    Foreign,
}

/// Brings the database to this release's format, or leaves it as it was.
pub(super) async fn migrate(connection: &mut PgConnection, place: &Place) -> Result<(), OpenError> {
    let refused = |source| place.refused(source);
    // A look first: who finds nothing to do waits for nobody and writes nothing.
    if check(connection, place).await? == Some(MIGRATIONS.len()) {
        return Ok(());
    }
    // Whatever is the default here: behind the lock, what was committed before it must be seen.
    let mut tx = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await
        .map_err(refused)?;
    // Another process may be at it, and its migration may take long.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .execute(&mut *tx)
        .await
        .map_err(refused)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await
        .map_err(refused)?;
    let found = check(&mut tx, place).await?;
    if found.is_none() {
        sqlx::raw_sql("CREATE SCHEMA wrenchtime")
            .execute(&mut *tx)
            .await
            .map_err(refused)?;
    }
    let from = found.unwrap_or(0);
    if from == 0 {
        let sql = "CREATE TABLE formats (format integer PRIMARY KEY, reached_at timestamptz NOT NULL DEFAULT now())";
        sqlx::raw_sql(sql)
            .execute(&mut *tx)
            .await
            .map_err(refused)?;
    }
    for (number, migration) in (1_i32..).zip(MIGRATIONS).skip(from) {
        sqlx::raw_sql(*migration)
            .execute(&mut *tx)
            .await
            .map_err(refused)?;
        sqlx::query("INSERT INTO formats (format) VALUES ($1)")
            .bind(number)
            .execute(&mut *tx)
            .await
            .map_err(refused)?;
    }
    draw_epoch(&mut tx).await.map_err(refused)?;
    tx.commit().await.map_err(refused)?;
    if from < MIGRATIONS.len() {
        tracing::info!(from, to = MIGRATIONS.len(), "database format raised");
    }
    Ok(())
}

async fn draw_epoch(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(LOG_EPOCH)
        .bind(Uuid::new_v4().as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Returns the format of the schema: 0 when it is empty, nothing when there is none.
async fn check(connection: &mut PgConnection, place: &Place) -> Result<Option<usize>, OpenError> {
    let known = MIGRATIONS.len();
    let found = look(connection)
        .await
        .map_err(|source| place.refused(source))?;
    match found {
        Found::NoSchema => Ok(None),
        Found::Empty => Ok(Some(0)),
        Found::Format(found) if (1..=known).contains(&found) => Ok(Some(found)),
        Found::Format(found) => Err(OpenError::NewerDatabase {
            database: place.to_string(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: u32::try_from(known).unwrap_or(u32::MAX),
        }),
        Found::Foreign => Err(OpenError::ForeignSchema {
            database: place.to_string(),
            schema: SCHEMA,
        }),
    }
}

async fn look(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    let (has_schema, tables, is_ours): (bool, i64, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1), \
         (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1), \
         EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = 'formats')",
    )
    .bind(SCHEMA)
    .fetch_one(&mut *connection)
    .await?;
    if !has_schema {
        return Ok(Found::NoSchema);
    }
    if tables == 0 {
        return Ok(Found::Empty);
    }
    if !is_ours {
        return Ok(Found::Foreign);
    }
    let format: Option<i32> = sqlx::query_scalar("SELECT max(format) FROM formats")
        .fetch_one(connection)
        .await?;
    Ok(match format.map(usize::try_from) {
        Some(Ok(format)) => Found::Format(format),
        _ => Found::Foreign,
    })
}
