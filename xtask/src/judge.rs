//! What programs that we did not write say of us. Each is installed by name; what is missing is a failure.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{binary, cargo, output, root, run};

/// Python packages, each with the version that judges.
const PYTHON: &[(&str, &str)] = &[("standardwebhooks", "1.1.0")];

/// Runs every judge against the built service.
pub(crate) fn run_judges() -> Result<()> {
    for (package, version) in PYTHON {
        let import = format!("import {package}");
        output(Command::new("python3").args(["-c", &import])).with_context(|| {
            format!("the judge {package} is missing: python3 -m pip install {package}=={version}")
        })?;
    }
    run(cargo().args(["build", "--locked", "--package", "wrenchtime"]))?;
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
