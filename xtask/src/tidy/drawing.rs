//! Which crate may use which. The drawing stands in ARCHITECTURE.md as well; change both in one commit.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{cargo, output};

/// `(user, used)`: a crate may use what it has an arrow to, and what that may use.
const DRAWING: &[(&str, &str)] = &[
    ("connector", "clock"),
    ("connector", "model"),
    ("transport", "connector"),
    ("transport", "egress"),
    ("mapping", "connector"),
    ("sync", "connector"),
    ("sync", "failpoint"),
    ("webhooks", "clock"),
    ("webhooks", "model"),
    ("webhooks", "egress"),
    ("webhooks", "failpoint"),
    ("corrigo", "transport"),
    ("express-maintenance", "transport"),
    ("memory", "transport"),
    ("catalog", "corrigo"),
    ("catalog", "express-maintenance"),
    ("service", "sync"),
    ("service", "mapping"),
    ("service", "webhooks"),
    ("store", "service"),
    ("api", "service"),
    ("conformance", "connector"),
    ("conformance", "sandbox"),
    ("host", "catalog"),
    ("host", "store"),
    ("host", "api"),
    ("demo", "host"),
    ("demo", "sandbox"),
    ("demo", "webhook-receiver"),
    ("wrenchtime", "demo"),
    ("bench", "api"),
    ("bench", "sandbox"),
    ("bench", "store"),
    ("bench", "corrigo"),
    ("embed-sync", "corrigo"),
    ("embed-sync", "sandbox"),
    ("embed-sync", "mapping"),
    ("embed-sync", "sync"),
    ("tests", "wrenchtime"),
    ("xtask", "cluster"),
    ("oracle", "store"),
    ("oracle", "transport"),
];

/// Returns every dependency that the drawing lacks. Development dependencies are free.
pub(super) fn faults() -> Result<Vec<String>> {
    let metadata =
        output(cargo().args(["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo lists no packages")?;
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut faults = Vec::new();
    for package in packages {
        let user = package["name"].as_str().context("a package has no name")?;
        let dependencies = package["dependencies"]
            .as_array()
            .context("a package lists nothing")?;
        for dependency in dependencies {
            let used = dependency["name"]
                .as_str()
                .context("a dependency has no name")?;
            let is_dev = dependency["kind"].as_str() == Some("dev");
            if names.contains(used) && !is_dev && !is_drawn(short(user), short(used)) {
                faults.push(format!("{user} uses {used}, which the drawing lacks"));
            }
        }
    }
    Ok(faults)
}

fn short(package: &str) -> &str {
    package.strip_prefix("wrenchtime-").unwrap_or(package)
}

fn is_drawn(user: &str, used: &str) -> bool {
    let mut reached = BTreeSet::from([user]);
    loop {
        let before = reached.len();
        for (from, to) in DRAWING {
            if reached.contains(from) {
                reached.insert(to);
            }
        }
        if reached.len() == before {
            return user != used && reached.contains(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_lead_one_way() {
        for (user, used) in DRAWING {
            assert!(is_drawn(user, used));
            assert!(!is_drawn(used, user), "{user} and {used} use each other");
        }
    }

    #[test]
    fn what_is_not_drawn_is_refused() {
        assert!(is_drawn("store", "model"));
        assert!(!is_drawn("corrigo", "sync"));
        assert!(!is_drawn("corrigo", "sandbox"));
        assert!(!is_drawn("corrigo", "express-maintenance"));
        assert!(!is_drawn("model", "connector"));
    }
}
