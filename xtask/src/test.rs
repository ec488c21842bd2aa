//! Every test that needs nothing but Rust and a C compiler.

use anyhow::Result;

use crate::process::{self, FAILPOINTS, build_service};

/// Builds the service, which end-to-end tests start, then runs all tests. Further words go to `cargo test`.
pub(crate) fn run(words: &[String]) -> Result<()> {
    run_with(words, &[])
}

/// The same with other counts, given as environment variables that tests read.
pub(crate) fn run_with(words: &[String], counts: &[(&str, &str)]) -> Result<()> {
    build_service()?;
    let mut tests = process::cargo();
    tests
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .args(["--features", FAILPOINTS])
        .args(words);
    tests.envs(counts.iter().copied());
    process::run(&mut tests)
}
