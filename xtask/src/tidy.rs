//! House rules as code: the dependency drawing, and what a reader may expect of every crate.

mod drawing;
mod files;

use anyhow::{Result, bail};

/// Checks all rules and reports every breach.
pub(crate) fn run() -> Result<()> {
    let mut faults = drawing::faults()?;
    faults.extend(files::faults()?);
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    if faults.is_empty() {
        println!("tidy: the drawing holds, and so do the house rules");
        return Ok(());
    }
    bail!("{} house rules are broken", faults.len());
}
