//! The promises on PostgreSQL, and those that only a server makes.

mod backups;
mod crowds;
mod database;
mod formats;
mod gate;
mod opening;
mod races;
mod rivals;
mod statistics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use wrenchtime_connector::ManualClock;
use wrenchtime_store::{PostgresOptions, PostgresStore};

use crate::fixture::{Fixture, noon};
use database::Database;

/// A store in a database of its own.
#[derive(Debug)]
pub(crate) struct PostgresFixture {
    pub(crate) store: PostgresStore,
    pub(crate) directory: TempDir,
    clock: ManualClock,
    pub(crate) database: Database,
}

fn options(database: &Database, clock: &ManualClock) -> PostgresOptions {
    // To connect takes long in a build without optimisation, and the machine may be busy.
    PostgresOptions::new(database.url(), Arc::new(clock.clone()))
        .with_connections(3, 3)
        .with_acquire_timeout(Duration::from_secs(180))
}

#[async_trait]
impl Fixture for PostgresFixture {
    type Store = PostgresStore;

    async fn new() -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(noon());
        let options = options(&database, &clock).with_directory(directory.path());
        let store = PostgresStore::open(options).await.unwrap();
        Self {
            store,
            directory,
            clock,
            database,
        }
    }

    fn store(&self) -> &PostgresStore {
        &self.store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let options = options(&self.database, &self.clock).with_directory(self.directory.path());
        let store = PostgresStore::open(options).await.unwrap();
        Self { store, ..self }
    }

    async fn close(&self) {
        self.store.close().await;
    }

    async fn trap(&self) {
        let trap = "CREATE FUNCTION wrenchtime.trap() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN RAISE EXCEPTION ''trapped''; END'; \
             CREATE TRIGGER trap BEFORE INSERT ON wrenchtime.events EXECUTE FUNCTION wrenchtime.trap()";
        self.database.run(trap).await;
    }

    async fn clear(&self) {
        self.database
            .run("DROP FUNCTION wrenchtime.trap CASCADE")
            .await;
    }
}

impl PostgresFixture {
    /// Opens the database once more, as another process does.
    pub(crate) async fn beside(&self, connections: u32) -> PostgresStore {
        let options = options(&self.database, &self.clock);
        PostgresStore::open(options.with_connections(connections, connections))
            .await
            .unwrap()
    }

    /// Opens the database once more, for statements that may not take longer than this.
    pub(crate) async fn impatient(&self, timeout: Duration) -> PostgresStore {
        let options = options(&self.database, &self.clock).with_statement_timeout(timeout);
        PostgresStore::open(options).await.unwrap()
    }
}

crate::store_suite! { super::PostgresFixture }

#[test]
fn commits_do_what_the_store_in_memory_does() {
    crate::property::commits_do_what_the_store_in_memory_does::<PostgresFixture>();
}

#[test]
fn a_polling_client_misses_nothing() {
    crate::property::a_polling_client_misses_nothing::<PostgresFixture>();
}
