//! Databases on the server that `WRENCHTIME_TEST_POSTGRES` names.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

/// A database of one home's processes. The server is a throwaway, and so is all that is in it.
#[derive(Debug)]
pub(crate) struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    #[cfg(feature = "test-postgres")]
    pub(crate) async fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "whoever runs the suite starts the server")]
        let server = std::env::var("WRENCHTIME_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("WRENCHTIME_TEST_POSTGRES names no server: run `cargo xtask judge`, which starts one")
        });
        Self::on(&server).await
    }

    /// Makes a database on this server.
    #[cfg(feature = "test-postgres")]
    pub(crate) async fn on(server: &str) -> Self {
        Self::create(server.to_owned(), "template0").await
    }

    /// Makes a database of the same content, while nobody is connected to this one.
    pub(crate) async fn copy(&self) -> Self {
        Self::create(self.server.clone(), &self.name).await
    }

    async fn create(server: String, template: &str) -> Self {
        let name = format!("wrenchtime_e2e_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'");
        let mut connection = PgConnection::connect(&server).await.unwrap();
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        Self { server, name, url }
    }

    /// Returns its address, with the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
