//! Every test that needs nothing but Rust and a C compiler.

use anyhow::Result;

use crate::process;

/// Builds the service, which end-to-end tests start, then runs all tests. Further words go to `cargo test`.
pub(crate) fn run(words: &[String]) -> Result<()> {
    run_with_cases(words, None)
}

/// The same, with this many cases for each property.
pub(crate) fn run_with_cases(words: &[String], cases: Option<&str>) -> Result<()> {
    process::run(process::cargo().args(["build", "--locked", "--package", "wrenchtime"]))?;
    let mut tests = process::cargo();
    tests
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .args(words);
    if let Some(cases) = cases {
        tests.env("PROPTEST_CASES", cases);
    }
    process::run(&mut tests)
}
