//! Formats of the database.

use std::process::Command;
use std::sync::Arc;

use sqlx::AssertSqlSafe;
use wrenchtime_connector::ManualClock;
use wrenchtime_store::{PostgresOptions, PostgresStore};

use super::PostgresFixture;
use super::database::Database;
use crate::fixture::{Fixture, noon};
use crate::formats::{assert_same_schema, check, fill, is_to_be_written, kept, write};

const NAME: &str = "postgres";

/// Returns a line for each column, index and constraint of ours.
async fn schema(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await;
    sqlx::query_scalar(
        "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, collation_name, \
         identity_generation) FROM information_schema.columns WHERE table_schema = 'wrenchtime' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'wrenchtime' \
         UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
         WHERE connamespace = 'wrenchtime'::regnamespace ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

async fn open(database: &Database) -> PostgresStore {
    let options = PostgresOptions::new(database.url(), Arc::new(ManualClock::new(noon())));
    PostgresStore::open(options).await.unwrap()
}

async fn newest(database: &Database) -> u32 {
    let mut connection = database.connect().await;
    let format: i32 = sqlx::query_scalar("SELECT max(format) FROM wrenchtime.formats")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    format.try_into().unwrap()
}

#[tokio::test]
async fn databases_of_every_format_open() {
    let fixture = PostgresFixture::new().await;
    let made = schema(&fixture.database).await;
    let present = newest(&fixture.database).await;
    if is_to_be_written() {
        fill(fixture.store()).await;
        let mut dump = Command::new("pg_dump");
        dump.args(["--schema=wrenchtime", "--inserts", "--no-owner"]);
        dump.args(["--no-privileges", "--dbname", &fixture.database.plain_url()]);
        write(NAME, present, "", &mut dump);
    }
    let formats = kept(NAME);
    let newest = formats.last().map(|(number, _)| *number);
    assert_eq!(newest, Some(present), "the present format is not kept");
    for (number, statements) in formats {
        let database = Database::new().await;
        let mut connection = database.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .unwrap();
        let store = open(&database).await;
        assert_same_schema(number, &schema(&database).await, &made);
        check::<PostgresFixture>(&store).await;
        store.close().await;
    }
}
