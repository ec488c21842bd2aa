//! Random histories of random sources, and what must be true after each.

use std::process::Command;

use anyhow::Result;
use wrenchtime_cluster::Cluster;

use crate::process::{cargo, run};

/// How many seeds are lived through on each store before something is called done.
const LONG: &str = "10000";
/// How many rows of one instant are read on each store before something is called done.
const TIES: &str = "1000000";
/// How many seeds a judge lives through on PostgreSQL, in about a minute.
const SHORT: &str = "100";
/// Names the server that tests use.
const SERVER: &str = "WRENCHTIME_TEST_POSTGRES";

/// Runs the oracle. The words are its own. A server is started where one is needed and none is named.
pub(crate) fn run_with(words: &[String]) -> Result<()> {
    let mut oracle = oracle(&[]);
    oracle.args(words);
    let needs_server = words.iter().any(|word| word.ends_with("postgres"));
    if !needs_server || std::env::var_os(SERVER).is_some() {
        return run(&mut oracle);
    }
    let cluster = Cluster::start()?;
    run(oracle.env(SERVER, cluster.url()))
}

/// Runs the oracle on a server.
pub(crate) fn run_on(cluster: &Cluster) -> Result<()> {
    run(oracle(&[])
        .args(["--seeds", SHORT, "--store", "postgres"])
        .env(SERVER, cluster.url()))
}

/// Runs the oracle with the long count on every store that is a database.
pub(crate) fn run_long() -> Result<()> {
    let cluster = Cluster::start()?;
    for store in ["sqlite", "postgres"] {
        run(oracle(&["--release"])
            .args(["--seeds", LONG, "--store", store])
            .env(SERVER, cluster.url()))?;
        run(oracle(&["--release"])
            .args(["ties", "--rows", TIES, "--store", store])
            .env(SERVER, cluster.url()))?;
    }
    Ok(())
}

fn oracle(profile: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet"]).args(profile);
    command.args(["--package", "wrenchtime-oracle", "--"]);
    command
}
