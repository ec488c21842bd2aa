//! What programs that we did not write say of us. Each is installed by name; what is missing is a failure.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::oracle;
use crate::postgres::Cluster;
use crate::process::{binary, cargo, output, root, run};

/// Python packages, each with the version that judges.
const PYTHON: &[(&str, &str)] = &[("standardwebhooks", "1.1.0")];

/// Packages whose tests have a part that needs PostgreSQL, in a module of that name.
const ON_POSTGRES: &[&str] = &["wrenchtime-store", "wrenchtime-tests"];

/// Runs every judge against the built service.
pub(crate) fn run_judges() -> Result<()> {
    for (package, version) in PYTHON {
        let import = format!("import {package}");
        output(Command::new("python3").args(["-c", &import])).with_context(|| {
            format!("the judge {package} is missing: python3 -m pip install {package}=={version}")
        })?;
    }
    // First of all: what is missing is told before anything long is run.
    let cluster = Cluster::start()?;
    run(cargo().args(["build", "--locked", "--package", "wrenchtime"]))?;
    run_on(&cluster)?;
    oracle::run_on(&cluster)?;
    drop(cluster);
    let service = binary("debug")?;
    let scripts = root().join("tests/judge");
    let mut judged = 0;
    let mut entries: Vec<_> = std::fs::read_dir(&scripts)
        .with_context(|| format!("list {}", scripts.display()))?
        .collect::<std::io::Result<_>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "py")
        {
            run(Command::new("python3").arg(entry.path()).arg(&service))?;
            judged += 1;
        }
    }
    if judged == 0 {
        bail!("no judge was found in {}", scripts.display());
    }
    println!("judge: {judged} passed, 0 failed");
    Ok(())
}

/// Runs what the tests have to say about a server of PostgreSQL.
fn run_on(cluster: &Cluster) -> Result<()> {
    for package in ON_POSTGRES {
        run(cargo()
            .args(["test", "--locked", "--package", package])
            .args(["--features", "test-postgres", "--test", "it"])
            .args(["--", "postgres::"])
            .env("WRENCHTIME_TEST_POSTGRES", cluster.url()))?;
    }
    Ok(())
}
