//! Random histories of random sources, and what must be true after each.

use std::path::Path;
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
/// Where files cost no disk. Histories on SQLite judge what is read and written, and no crash of the machine.
const MEMORY: &str = "/dev/shm";
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
    let cluster = Cluster::start_forgetful()?;
    run(oracle.env(SERVER, cluster.socket_url()))
}

/// Runs the oracle on a server.
pub(crate) fn run_on(cluster: &Cluster) -> Result<()> {
    run(oracle(&[])
        .args(["--seeds", SHORT, "--store", "postgres"])
        .env(SERVER, cluster.url()))
}

/// Runs the oracle with the long count on every store that is a database.
pub(crate) fn run_long() -> Result<()> {
    let cluster = Cluster::start_forgetful()?;
    for store in ["sqlite", "postgres"] {
        let mut seeds = oracle(&["--release"]);
        seeds.args(["--seeds", LONG, "--store", store]);
        if Path::new(MEMORY).is_dir() {
            seeds.env("TMPDIR", MEMORY);
        }
        run(seeds.env(SERVER, cluster.socket_url()))?;
        run(oracle(&["--release"])
            .args(["ties", "--rows", TIES, "--store", store])
            .env(SERVER, cluster.socket_url()))?;
    }
    Ok(())
}

fn oracle(profile: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet"]).args(profile);
    command.args(["--package", "wrenchtime-oracle", "--"]);
    command
}
