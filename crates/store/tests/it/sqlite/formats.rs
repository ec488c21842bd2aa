//! Formats of the file.

use std::path::Path;
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection};

use super::{SqliteFixture, intrude, opened};
use crate::fixture::Fixture;
use crate::formats::{assert_same_schema, check, fill, is_to_be_written, kept, write};

const NAME: &str = "sqlite";
/// What a dump leaves out. It takes the number of the format.
const HEAD: &str = "PRAGMA application_id = 1465011779;\nPRAGMA user_version = ";

/// Returns a line for each column and index.
async fn schema(file: &Path) -> Vec<String> {
    let mut connection = intrude(file).await;
    sqlx::query_scalar(
        "SELECT concat_ws(' ', m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk) AS line \
         FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' \
         UNION ALL SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

async fn present(file: &Path) -> u32 {
    let mut connection = intrude(file).await;
    let (application, version): (i64, u32) = sqlx::query_as(
        "SELECT a.application_id, v.user_version FROM pragma_application_id a, pragma_user_version v",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(HEAD.contains(&format!(" {application};")));
    version
}

#[tokio::test]
async fn files_of_every_format_open() {
    let fixture = SqliteFixture::new().await;
    let file = fixture.store.file();
    let made = schema(file).await;
    let present = present(file).await;
    if is_to_be_written() {
        fill(fixture.store()).await;
        fixture.store.close().await;
        let mut dump = Command::new("sqlite3");
        dump.arg(file).arg(".dump");
        write(NAME, present, &format!("{HEAD}{present};\n"), &mut dump);
    }
    let formats = kept(NAME);
    let newest = formats.last().map(|(number, _)| *number);
    assert_eq!(newest, Some(present), "the present format is not kept");
    for (number, statements) in formats {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(file.file_name().unwrap());
        let mut connection = intrude(&file).await;
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let store = opened(directory.path()).await.unwrap();
        assert_same_schema(number, &schema(&file).await, &made);
        check::<SqliteFixture>(&store).await;
        store.close().await;
    }
}
