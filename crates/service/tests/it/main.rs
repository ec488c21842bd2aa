//! The service over the SQLite store and a source in memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod dropped;
mod fixture;
mod life_cycle;
mod obstacles;
mod reauthorizing;
mod states;
mod stepped;
mod supervisor;
mod vault;
