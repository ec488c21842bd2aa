//! The connector through its public door.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails ends the test that called it"
)]

mod checking;
mod conformance;
mod folder;
mod lookups;
mod mapping;
mod profile;
mod reading;
mod sandbox;
mod settling;
