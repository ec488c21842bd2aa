//! Measurements, each a ratio to a bare loop in the same run. Never tests.

use anyhow::{Result, bail};

use crate::process::{cargo, run};

/// Runs a bench by name.
pub(crate) fn run_named(words: &[String]) -> Result<()> {
    let Some((name, rest)) = words.split_first() else {
        bail!("say which bench: sync or map");
    };
    // The binary too where it is measured.
    let packages: &[&str] = match name.as_str() {
        "sync" => &["--package", "wrenchtime", "--package", "wrenchtime-bench"],
        "map" => &["--package", "wrenchtime-bench"],
        _ => bail!("no bench is named {name:?}; there are: sync, map"),
    };
    run(cargo()
        .args(["build", "--locked", "--release"])
        .args(packages))?;
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
