//! Formats of the database, each a file, forward only.

use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::open::refused;
use crate::OpenError;
use crate::columns::LOG_EPOCH;

/// From an empty file to this release's format. A released file is never changed; the next format is a new file.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("../../migrations/sqlite/0001_initial.sql")];
/// Marks the file as ours: `WRNC` in ASCII.
const APPLICATION_ID: i64 = 0x5752_4e43;

/// Brings the database to this release's format, or leaves it as it was.
pub(super) async fn migrate(writer: &SqlitePool, file: &Path) -> Result<(), OpenError> {
    let database = |source| refused(file, source);
    // Nobody else writes: the directory is locked.
    let mut tx = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(database)?;
    let found = check(&mut tx, file).await?;
    for migration in MIGRATIONS.iter().skip(found) {
        sqlx::raw_sql(*migration)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
    }
    if found < MIGRATIONS.len() {
        seal(&mut tx).await.map_err(database)?;
        tracing::info!(
            from = found,
            to = MIGRATIONS.len(),
            "database format raised"
        );
    }
    tx.commit().await.map_err(database)
}

/// Returns the format of the file; 0 when it is empty.
async fn check(connection: &mut SqliteConnection, file: &Path) -> Result<usize, OpenError> {
    let path = || file.to_owned();
    let (application, version, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) \
         FROM pragma_application_id a, pragma_user_version v",
    )
    .fetch_one(connection)
    .await
    .map_err(|source| refused(file, source))?;
    let is_empty = application == 0 && version == 0 && tables == 0;
    if is_empty {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path() });
    }
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(found) if (1..=known).contains(&found) => Ok(found),
        _ => Err(OpenError::Newer {
            path: path(),
            found: u32::try_from(version).unwrap_or(u32::MAX),
            known: u32::try_from(known).unwrap_or(u32::MAX),
        }),
    }
}

async fn seal(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // A pragma takes no parameters; both values are numbers of this file.
    let pragmas = format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
        MIGRATIONS.len()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas))
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(LOG_EPOCH)
        .bind(Uuid::new_v4())
        .execute(connection)
        .await?;
    Ok(())
}
