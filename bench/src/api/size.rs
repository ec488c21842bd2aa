//! What a filled store takes on the disk.

use anyhow::Result;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::place::{Place, Store};

/// Parts of a store that take fewer bytes than this for each row are left out of the list.
const LEAST: f64 = 5.0;

/// Prints bytes for each row, of each table and index.
pub(super) async fn print(place: &Place, store: Store, rows: u32) -> Result<()> {
    let parts = match store {
        Store::Sqlite => sqlite(place).await?,
        Store::Postgres => postgres(place).await?,
    };
    let rows = f64::from(rows);
    let each = |bytes: i64| bytes as f64 / rows;
    let all: i64 = parts.iter().map(|(_, bytes)| bytes).sum();
    println!(
        "{} disk at {rows} rows: {:.0} bytes for each",
        store.name(),
        each(all)
    );
    let told: Vec<String> = parts
        .iter()
        .filter(|(_, bytes)| each(*bytes) >= LEAST)
        .map(|(name, bytes)| format!("{name} {:.0}", each(*bytes)))
        .collect();
    println!("{} disk of each: {}", store.name(), told.join(", "));
    Ok(())
}

async fn sqlite(place: &Place) -> Result<Vec<(String, i64)>> {
    let file = SqliteConnectOptions::new()
        .filename(place.directory().join("wrenchtime.db"))
        .read_only(true);
    let mut database = SqliteConnection::connect_with(&file).await?;
    let parts = sqlx::query_as(
        "SELECT name, sum(pgsize) AS bytes FROM dbstat WHERE aggregate = TRUE GROUP BY name ORDER BY bytes DESC",
    )
    .fetch_all(&mut database)
    .await?;
    database.close().await?;
    Ok(parts)
}

async fn postgres(place: &Place) -> Result<Vec<(String, i64)>> {
    let mut database = place.connect().await?;
    // What is too long for a row stands in a table of its own, which is counted with the row's.
    let parts = sqlx::query_as(
        "SELECT c.relname::text, (pg_table_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n \
         ON n.oid = c.relnamespace WHERE n.nspname = 'wrenchtime' AND c.relkind IN ('r', 'i') ORDER BY 2 DESC",
    )
    .fetch_all(&mut database)
    .await?;
    database.close().await?;
    Ok(parts)
}
