//! What programs that we did not write say of us. Each is installed by name; what is missing is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wrenchtime_cluster::Cluster;

use crate::oracle;
use crate::process::{FAILPOINTS, binary, build_service, cargo, output, root, run};

/// What Python must be able to import, and how it is installed in the version that judges.
const PYTHON: &[(&str, &str)] = &[
    ("standardwebhooks", "standardwebhooks==1.1.0"),
    ("dlt, duckdb", "'dlt[duckdb]==1.31.0' duckdb==2.0.0"),
];

/// Packages whose tests have a part that needs PostgreSQL, in a module of that name.
const ON_POSTGRES: &[&str] = &["wrenchtime-store", "wrenchtime-tests"];

/// Runs every judge against the built service.
pub(crate) fn run_judges() -> Result<()> {
    run_with(&[])
}

/// The same with other counts, given as environment variables that tests read.
pub(crate) fn run_with(counts: &[(&str, &str)]) -> Result<()> {
    for (modules, requirement) in PYTHON {
        let import = format!("import {modules}");
        output(Command::new("python3").args(["-c", &import])).with_context(|| {
            format!("the judge {modules} is missing: python3 -m pip install {requirement}")
        })?;
    }
    // First of all: what is missing is told before anything long is run.
    let cluster = Cluster::start()?;
    build_service()?;
    run_on(&cluster, counts)?;
    oracle::run_on(&cluster)?;
    drop(cluster);
    let service = binary("debug")?;
    let scripts = scripts()?;
    for script in &scripts {
        run(&mut judge(script, &service))?;
        // A cluster for each: none of them finds what another left.
        let cluster = Cluster::start()?;
        run(judge(script, &service).env("WRENCHTIME_JUDGE_DATABASE", cluster.url()))?;
    }
    println!("judge: {} passed, 0 failed", scripts.len());
    Ok(())
}

/// Runs what the tests have to say about a server of PostgreSQL.
fn run_on(cluster: &Cluster, counts: &[(&str, &str)]) -> Result<()> {
    for package in ON_POSTGRES {
        run(cargo()
            .args(["test", "--locked", "--package", package])
            .args(["--features", "test-postgres", "--features", FAILPOINTS])
            .args(["--test", "it", "--", "postgres::"])
            .envs(counts.iter().copied())
            .env("WRENCHTIME_TEST_POSTGRES", cluster.url()))?;
    }
    Ok(())
}

/// Returns the judges that are programs, in order of name.
fn scripts() -> Result<Vec<PathBuf>> {
    let folder = root().join("tests/judge");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let mut scripts = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    scripts.sort();
    if scripts.is_empty() {
        bail!("no judge was found in {}", folder.display());
    }
    Ok(scripts)
}

/// Returns what lets a judge look at the service.
fn judge(script: &Path, service: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script).arg(service);
    command
}
