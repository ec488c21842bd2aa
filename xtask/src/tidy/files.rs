//! What a reader may expect of every crate and file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::root;

/// Crates that know nothing of single vendors.
const VENDOR_FREE: &[&str] = &[
    "api",
    "clock",
    "connector",
    "conformance",
    "egress",
    "mapping",
    "model",
    "service",
    "store",
    "sync",
    "transport",
    "webhooks",
];
const VENDORS: &[&str] = &[
    "corrigo",
    "express maintenance",
    "express-maintenance",
    "express_maintenance",
];

/// Returns every breach.
pub(super) fn faults() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let crates = root().join("crates");
    for folder in manifests(&crates)? {
        crate_faults(&folder, &mut faults)?;
    }
    for name in VENDOR_FREE {
        for file in sources(&crates.join(name).join("src"))? {
            vendor_faults(&file, &mut faults)?;
        }
    }
    for place in ["crates", "bins", "examples", "oracle", "tests", "xtask"] {
        for file in sources(&root().join(place))? {
            if file.file_name().is_some_and(|name| name == "mod.rs") {
                faults.push(format!(
                    "{} should be named after its module",
                    file.display()
                ));
            }
        }
    }
    Ok(faults)
}

/// Every library has a README that is its documentation, with an example that compiles.
fn crate_faults(folder: &Path, faults: &mut Vec<String>) -> Result<()> {
    let shown = folder.display();
    let manifest = read(&folder.join("Cargo.toml"))?;
    if !manifest.contains("[lints]\nworkspace = true") {
        faults.push(format!("{shown} does not take over the workspace's lints"));
    }
    let library = read(&folder.join("src/lib.rs"))?;
    if !library.starts_with("#![doc = include_str!(\"../README.md\")]") {
        faults.push(format!("{shown} does not open with its README"));
    }
    let readme = folder.join("README.md");
    if !readme.exists() || !read(&readme)?.contains("```rust") {
        faults.push(format!("{shown} has no README with an example"));
    }
    Ok(())
}

fn vendor_faults(file: &Path, faults: &mut Vec<String>) -> Result<()> {
    let text = read(file)?.to_lowercase();
    for (number, line) in text.lines().enumerate() {
        if let Some(vendor) = VENDORS.iter().find(|vendor| line.contains(**vendor)) {
            faults.push(format!(
                "{}:{}: names the vendor {vendor}",
                file.display(),
                number + 1
            ));
        }
    }
    Ok(())
}

fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").exists() {
            found.push(path);
        } else if path.is_dir() {
            found.extend(manifests(&path)?);
        }
    }
    found.sort();
    Ok(found)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
