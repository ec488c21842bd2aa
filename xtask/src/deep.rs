//! Long counts and what takes long to install: before something is called done, not on every change.

use anyhow::Result;

use crate::process::{cargo, run};
use crate::{judge, lint, oracle, test};

/// Cases for each property, of which those that cost more take a share; kills of the service, in a sync of so many orders that
/// each still has something to break; deaths at named points; rounds of a polling client; how long a database is away.
const COUNTS: &[(&str, &str)] = &[
    ("PROPTEST_CASES", "2560"),
    ("E2E_KILLS", "25"),
    ("E2E_WORK_ORDERS", "40000"),
    ("E2E_POINT_KILLS", "300"),
    ("E2E_ROUNDS", "100"),
    ("E2E_OUTAGE_SECONDS", "60"),
];

/// Runs everything with the long counts.
pub(crate) fn run_all() -> Result<()> {
    lint::run_all()?;
    run(cargo().args([
        "deny",
        "--workspace",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))?;
    for feature in ["corrigo", "express-maintenance"] {
        run(cargo().args([
            "check",
            "--locked",
            "--package",
            "wrenchtime-catalog",
            "--no-default-features",
            "--features",
            feature,
        ]))?;
    }
    test::run_with(&[], COUNTS)?;
    oracle::run_long()?;
    judge::run_with(COUNTS)
}
