//! Running other programs.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Returns the workspace's folder.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// Returns the Cargo that runs us.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs a program to its end and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// Runs a program and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("start {shown}"))?;
    if !output.status.success() {
        bail!(
            "{shown} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {shown} printed"))
}

/// What every build for tests has, so that they share one: tests can have the service die at a named point.
pub(crate) const FAILPOINTS: &str = "wrenchtime-failpoint/failpoints";

/// Builds the service that end-to-end tests and judges start.
pub(crate) fn build_service() -> Result<()> {
    run(cargo()
        .args(["build", "--locked", "--package", "wrenchtime"])
        .args(["--features", FAILPOINTS]))
}

/// Returns the path of the built service.
pub(crate) fn binary(profile: &str) -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo names no target directory")?;
    Ok(PathBuf::from(target)
        .join(profile)
        .join(format!("wrenchtime{}", env::consts::EXE_SUFFIX)))
}

fn show(command: &Command) -> String {
    let mut words = vec![
        PathBuf::from(command.get_program())
            .file_name()
            .map_or_else(
                || command.get_program().to_string_lossy().into_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
    ];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
