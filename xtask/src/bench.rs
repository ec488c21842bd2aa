//! Measurements, each a ratio to a bare loop in the same run. Never tests.

use anyhow::{Result, bail};

use crate::process::{cargo, run};

/// Runs a bench by name.
pub(crate) fn run_named(words: &[String]) -> Result<()> {
    let Some((name, rest)) = words.split_first() else {
        bail!("say which bench: sync");
    };
    if name != "sync" {
        bail!("no bench is named {name:?}; there is: sync");
    }
    run(cargo().args([
        "build",
        "--locked",
        "--release",
        "--package",
        "wrenchtime",
        "--package",
        "wrenchtime-bench",
    ]))?;
    run(cargo()
        .args([
            "run",
            "--locked",
            "--release",
            "--quiet",
            "--package",
            "wrenchtime-bench",
            "--",
            name,
        ])
        .args(rest))
}
