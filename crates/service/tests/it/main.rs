//! The service over the SQLite store and a source in memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod deciding;
mod dropped;
mod fixture;
mod life_cycle;
mod look_back;
mod obstacles;
mod pausing;
mod races;
mod reauthorizing;
mod retrying;
mod scheduling;
mod standing_by;
mod states;
mod stepped;
mod store_failures;
mod supervisor;
mod vault;
