//! Random histories of random sources, and what must be true after each.

use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, run};

/// How many seeds are lived through on each store before something is called done.
const SEEDS: &str = "10000";

/// Runs the oracle. The words are its own.
pub(crate) fn run_with(words: &[String]) -> Result<()> {
    run(oracle(&[]).args(words))
}

/// Runs the oracle with the long count on every store.
pub(crate) fn run_long() -> Result<()> {
    for store in ["memory", "sqlite"] {
        run(oracle(&["--release"]).args(["--seeds", SEEDS, "--store", store]))?;
    }
    Ok(())
}

fn oracle(profile: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet"]).args(profile);
    command.args(["--package", "wrenchtime-oracle", "--"]);
    command
}
