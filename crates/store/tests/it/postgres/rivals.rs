//! Every method that is atomic, against the one that would show if it were not. The first of two processes is held with its
//! commit under way, the other comes to the same rows.

mod deliveries;
mod runs;
mod service;

use wrenchtime_store::PostgresStore;

use super::PostgresFixture;
use super::gate::race;

/// Returns a store of another process.
async fn other(fixture: &PostgresFixture) -> PostgresStore {
    fixture.beside(5).await
}
