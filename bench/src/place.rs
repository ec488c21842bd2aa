//! Where a service keeps its data: an empty directory, and an empty database where the store is a server.

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

/// Databases are numbered, so that none is met twice.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Store {
    /// A file in the data directory.
    Sqlite,
    /// A server.
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Which stores are measured, and the server of the one that needs one.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Stores {
    /// Only this one; without it both, or SQLite alone where there is no server.
    #[arg(long)]
    store: Option<Store>,
    /// A server on which databases may be made and dropped.
    #[arg(long, env = "WRENCHTIME_BENCH_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
}

impl Stores {
    /// Returns those that are measured.
    pub(crate) fn chosen(&self) -> Vec<Store> {
        match self.store {
            Some(store) => vec![store],
            None if self.postgres.is_none() => vec![Store::Sqlite],
            None => vec![Store::Sqlite, Store::Postgres],
        }
    }

    /// Makes an empty place.
    pub(crate) async fn place(&self, store: Store) -> Result<Place> {
        let directory = tempfile::tempdir().context("make a directory for data")?;
        let database = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(self.database().await?),
        };
        Ok(Place {
            directory,
            database,
        })
    }

    async fn database(&self) -> Result<Database> {
        let server = self.postgres.clone();
        let server = server.context(
            "there is no server: run `cargo xtask bench`, which starts one, or name one with --postgres",
        )?;
        let name = format!(
            "bench_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        let mut connection = PgConnection::connect(&server).await?;
        connection.execute(AssertSqlSafe(create)).await?;
        connection.close().await?;
        let options = PgConnectOptions::from_str(&server)?.database(&name);
        let url = options.to_url_lossy().to_string();
        Ok(Database { server, name, url })
    }
}

/// An empty place, used up by whoever fills it.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
    database: Option<Database>,
}

#[derive(Debug)]
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Place {
    /// Returns the data directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the address of the database where it is on a server.
    pub(crate) fn database(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.url.as_str())
    }

    /// Returns a connection to the database on the server, as the store has one.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        let url = self.database().context("the place is on no server")?;
        Ok(PgConnection::connect_with(&options(url)?).await?)
    }

    /// Takes everything away. A place that is dropped leaves its database to the server's end.
    pub(crate) async fn end(self) -> Result<()> {
        if let Some(database) = &self.database {
            let mut connection = PgConnection::connect(&database.server).await?;
            let drop = format!("DROP DATABASE {} WITH (FORCE)", database.name);
            connection.execute(AssertSqlSafe(drop)).await?;
            connection.close().await?;
        }
        Ok(())
    }
}

/// Returns how a database of a place is connected to, as the store does.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?.options([("search_path", "wrenchtime")]);
    Ok(options.disable_statement_logging())
}
