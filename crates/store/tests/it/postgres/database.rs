//! Databases for tests, on the server that `WRENCHTIME_TEST_POSTGRES` names.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use uuid::Uuid;

/// Names the server, as a user who may create databases.
const SERVER: &str = "WRENCHTIME_TEST_POSTGRES";

/// Databases that no test uses any more. To make one takes as long as many tests, and to drop one longer still.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A database for one test, with nothing of ours in it at first.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
}

/// Returns the address of the server.
pub(crate) fn server() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the suite starts the server"
    )]
    let server = std::env::var(SERVER);
    server.unwrap_or_else(|_| {
        panic!("{SERVER} names no server: run `cargo xtask judge`, which starts one")
    })
}

impl Database {
    pub(crate) async fn new() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(name) = free else {
            let name = format!("wrenchtime_test_{}", Uuid::new_v4().simple());
            let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
            let mut server = PgConnection::connect(&server()).await.unwrap();
            server.execute(AssertSqlSafe(create)).await.unwrap();
            return Self { name };
        };
        let database = Self { name };
        // Whoever is still connected belongs to a test that has ended.
        database.hang_up().await;
        database
            .run("DROP SCHEMA IF EXISTS wrenchtime CASCADE")
            .await;
        database
    }

    /// Returns its address.
    pub(crate) fn url(&self) -> SecretString {
        self.url_with(|options| options)
    }

    /// Returns its address, changed.
    pub(crate) fn url_with(
        &self,
        change: impl FnOnce(PgConnectOptions) -> PgConnectOptions,
    ) -> SecretString {
        let options = PgConnectOptions::from_str(&server()).unwrap();
        let url = change(options.database(&self.name)).to_url_lossy();
        SecretString::from(url.to_string())
    }

    /// Returns its address for programs of the server.
    pub(crate) fn plain_url(&self) -> String {
        let url = self.url();
        let parts = url.expose_secret().split_once('?');
        parts.map_or(url.expose_secret(), |(url, _)| url).to_owned()
    }

    /// Returns its address, where a transaction is serializable unless it is told otherwise.
    pub(crate) fn serializable(&self) -> SecretString {
        let url = self.plain_url();
        SecretString::from(format!(
            "{url}?options=-c%20default_transaction_isolation%3Dserializable"
        ))
    }

    /// Runs statements in it, as no program of ours does.
    pub(crate) async fn run(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Ends all other connections to it, as a restart of the server does.
    pub(crate) async fn hang_up(&self) {
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    }

    /// Makes a database of the same content. Nobody may be connected to this one.
    pub(crate) async fn copy(&self) -> Self {
        let name = format!("wrenchtime_test_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} TEMPLATE {}", self.name);
        let mut server = PgConnection::connect(&server()).await.unwrap();
        server.execute(AssertSqlSafe(create)).await.unwrap();
        Self { name }
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Connects to it beside the store, as no program of ours does.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&server()).unwrap();
        PgConnection::connect_with(&options.database(&self.name))
            .await
            .unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        FREE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
    }
}
