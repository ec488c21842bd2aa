//! The built service from outside: its processes, its command line, its API, against simulated systems.
//!
//! `E2E_WORK_ORDERS` (10,000), `E2E_KILLS` (5), `E2E_POINT_KILLS` (20), `E2E_ROUNDS` (15) and
//! `E2E_OUTAGE_SECONDS` (8) choose how long the long tests take.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

mod command_line;
mod configuration;
mod demo;
mod failpoints;
mod following;
mod killing;
mod lists;
mod look_back;
mod metrics;
#[cfg(feature = "test-postgres")]
mod postgres;
mod quarantine;
mod reauthorizing;
mod refusals;
mod stopping;
mod support;
mod suspicions;
mod unchanged;
mod webhooks;
