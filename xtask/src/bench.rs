//! Measurements, each a ratio to a bare loop in the same run. Never tests.

use anyhow::{Result, bail};
use wrenchtime_cluster::Cluster;

use crate::process::{cargo, run};

/// A measurement.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// The built service is measured.
    serves: bool,
    /// A server is started for it.
    on_postgres: bool,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "sync",
        about: "a first sync into each store, against a bare loop",
        serves: true,
        on_postgres: true,
    },
    Bench {
        name: "map",
        about: "mapping work orders, against a bare parse",
        serves: false,
        on_postgres: false,
    },
    Bench {
        name: "latency",
        about: "a first sync from a source that takes 80 ms for each reply, against only asking",
        serves: true,
        on_postgres: true,
    },
    Bench {
        name: "incremental",
        about: "runs by schedule where nothing changed, and where 1 % of the rows did",
        serves: true,
        on_postgres: true,
    },
    Bench {
        name: "scale",
        about: "200 connections against one, and a million rows against 100,000: speed and memory",
        serves: true,
        on_postgres: true,
    },
    Bench {
        name: "api",
        about: "lists at growing numbers of rows, against a constant body; and what rows take on the disk",
        serves: true,
        on_postgres: true,
    },
    Bench {
        name: "writes",
        about: "the ways of writing rows to PostgreSQL, against each other",
        serves: true,
        on_postgres: true,
    },
];

/// Runs a bench by name.
pub(crate) fn run_named(words: &[String]) -> Result<()> {
    let Some((name, rest)) = words.split_first() else {
        bail!("say which bench:\n{}", list());
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("no bench is named {name:?}; there are:\n{}", list());
    };
    let mut build = cargo();
    build.args(["build", "--locked", "--release"]);
    if bench.serves {
        build.args(["--package", "wrenchtime"]);
    }
    run(build.args(["--package", "wrenchtime-bench"]))?;
    // Not where the caller names a server.
    let is_named = rest.iter().any(|word| word.starts_with("--postgres"));
    let cluster = match bench.on_postgres && !is_named {
        true => Some(Cluster::start()?),
        false => None,
    };
    let mut command = cargo();
    command
        .args(["run", "--locked", "--release", "--quiet"])
        .args(["--package", "wrenchtime-bench", "--", name])
        .args(rest);
    if let Some(cluster) = &cluster {
        command.env("WRENCHTIME_BENCH_POSTGRES", cluster.url());
    }
    run(&mut command)
}

/// Returns what there is, a line each.
fn list() -> String {
    let lines: Vec<String> = BENCHES
        .iter()
        .map(|bench| format!("  {:<12} {}", bench.name, bench.about))
        .collect();
    lines.join("\n")
}
