//! A file for each command, each with its arguments and `run`.

pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod demo;
pub(crate) mod quarantine;
pub(crate) mod sandbox;
mod schedule;
pub(crate) mod serve;
pub(crate) mod suspicions;
pub(crate) mod sync;
pub(crate) mod systems;

/// Reads how many work orders a sandbox has: some, and not more than a machine's memory takes.
fn work_orders() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..=1_000_000)
}
