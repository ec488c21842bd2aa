//! What opening a database promises.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use wrenchtime_connector::ManualClock;
use wrenchtime_store::{OpenError, PostgresOptions, PostgresStore};

use super::PostgresFixture;
use super::database::{Database, server};
use crate::fixture::{Fixture, Lane, noon};

const SECRET: &str = "canary-of-the-password";

async fn open(url: SecretString) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(PostgresOptions::new(
        url,
        Arc::new(ManualClock::new(noon())),
    ))
    .await
}

/// Returns why a database does not open, after looking that the message names a way out and no secret.
async fn refusal(url: SecretString, way_out: &str) -> OpenError {
    let refused = open(url).await.unwrap_err();
    let shown = format!("{refused} {refused:?}");
    assert!(shown.contains(way_out), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    refused
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let database = Database::new().await;
    let url = database.url_with(|options| options.password(SECRET));
    let refused = refusal(url, "correct the user or the password").await;
    assert!(
        matches!(refused, OpenError::Unauthorized { .. }),
        "{refused:?}"
    );
    let url = database.url_with(|options| options.username("nobody_of_that_name"));
    let refused = refusal(url, "nobody_of_that_name").await;
    assert!(
        matches!(refused, OpenError::Unauthorized { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    // Nobody listens where somebody just stopped to.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://me:{SECRET}@127.0.0.1:{port}/plant");
    let refused = refusal(url.into(), "see that PostgreSQL runs there").await;
    assert!(
        matches!(refused, OpenError::Unreachable { .. }),
        "{refused:?}"
    );
    let url = format!("postgres://me:{SECRET}@no-such-host.invalid/plant");
    let refused = refusal(url.into(), "plant at no-such-host.invalid:5432 as me").await;
    assert!(
        matches!(refused, OpenError::Unreachable { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told() {
    let url = Database::new()
        .await
        .url_with(|options| options.database("no_database_of_that_name"));
    let refused = refusal(url, "create it or name another one").await;
    assert!(
        matches!(refused, OpenError::NoDatabase { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn tables_of_others_and_of_newer_releases_are_left_alone() {
    let database = Database::new().await;
    database
        .run("CREATE SCHEMA wrenchtime; CREATE TABLE wrenchtime.records (theirs text)")
        .await;
    let refused = refusal(database.url(), "belongs to another program").await;
    assert!(
        matches!(refused, OpenError::ForeignSchema { .. }),
        "{refused:?}"
    );

    let fixture = PostgresFixture::new().await;
    fixture
        .database
        .run("INSERT INTO wrenchtime.formats VALUES (99)")
        .await;
    let refused = refusal(fixture.database.url(), "run that release").await;
    assert!(
        matches!(&refused, OpenError::NewerDatabase { found: 99, .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_database_that_cannot_keep_every_text_is_told() {
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    let name = format!("wrenchtime_latin_{}", uuid::Uuid::new_v4().simple());
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    let url = Database::new()
        .await
        .url_with(|options| options.database(&name));
    let refused = refusal(url, "ENCODING 'UTF8'").await;
    assert!(matches!(refused, OpenError::Encoding { .. }), "{refused:?}");
    let drop = format!("DROP DATABASE {name}");
    connection.execute(AssertSqlSafe(drop)).await.unwrap();
}

/// Makes a user that may connect to a database and no more.
async fn guest(database: &Database) -> (String, SecretString) {
    let name = format!("guest_{}", uuid::Uuid::new_v4().simple());
    let create = format!("CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'");
    let mut connection = database.connect().await;
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    let url = database.url_with(|options| options.username(&name).password(SECRET));
    (name, url)
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_and_needs_no_more_than_the_schema() {
    let database = Database::new().await;
    let (name, url) = guest(&database).await;
    let refused = refusal(url.clone(), "grant CREATE on the database").await;
    assert!(
        matches!(refused, OpenError::NotPermitted { .. }),
        "{refused:?}"
    );
    let create = format!("CREATE SCHEMA wrenchtime AUTHORIZATION {name}");
    let mut connection = database.connect().await;
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    let store = open(url).await.unwrap();
    let shown = format!("{store:?}");
    assert!(
        shown.contains(database.name()) && !shown.contains(SECRET),
        "{shown}"
    );
    store.close().await;
    let drop = format!("DROP OWNED BY {name}; DROP ROLE {name}");
    sqlx::raw_sql(AssertSqlSafe(drop))
        .execute(&mut connection)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_one_format() {
    let database = Database::new().await;
    assert_one_format(&database, database.url()).await;
    // However much of the past a transaction sees unless it is told otherwise.
    let database = Database::new().await;
    assert_one_format(&database, database.serializable()).await;
}

/// Opens a database many times at once.
async fn assert_one_format(database: &Database, url: SecretString) {
    let url = url.expose_secret().to_owned();
    let starts = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(url.into()).await.unwrap() })
    });
    for store in starts.collect::<Vec<_>>() {
        store.await.unwrap().close().await;
    }
    let mut connection = database.connect().await;
    let formats: Vec<i32> = sqlx::query_scalar("SELECT format FROM wrenchtime.formats")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(formats, [1]);
}

#[tokio::test]
async fn one_process_at_a_time_has_the_directory_and_any_number_the_database() {
    let fixture = PostgresFixture::new().await;
    let options =
        || PostgresOptions::new(fixture.database.url(), Arc::new(ManualClock::new(noon())));
    let same = options().with_directory(fixture.directory.path());
    let refused = PostgresStore::open(same).await.unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    let own = tempfile::tempdir().unwrap();
    let other = PostgresStore::open(options().with_directory(own.path()))
        .await
        .unwrap();
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let beside = Lane::<PostgresFixture> {
        store: &other,
        ..lane
    };
    assert_eq!(beside.changes().await.len(), 1);
}

#[tokio::test]
async fn long_texts_are_packed_by_lz4_where_the_server_can() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let text = "long ".repeat(2_000);
    lane.commit(vec![lane.document("a", &text)]).await;
    let mut server = fixture.database.connect().await;
    let packed = "SELECT pg_column_compression(content) FROM wrenchtime.records";
    let packed: Option<String> = sqlx::query_scalar(packed)
        .fetch_one(&mut server)
        .await
        .unwrap();
    let known =
        "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'";
    let knows_lz4: bool = sqlx::query_scalar(known)
        .fetch_one(&mut server)
        .await
        .unwrap();
    let expected = if knows_lz4 { "lz4" } else { "pglz" };
    assert_eq!(packed.as_deref(), Some(expected));
    fixture.close().await;
}
