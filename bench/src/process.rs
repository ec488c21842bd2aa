//! What Linux tells of a process.

use std::fs;

use anyhow::{Context, Result};

/// `/proc` counts processor time in hundredths of a second, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;

/// What a process has used since it began.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Usage {
    /// Seconds of processor time, in user and kernel mode.
    pub(crate) cpu: f64,
    /// The part of `cpu` that SQLite's writing and reading threads spent.
    pub(crate) sqlite_cpu: f64,
    /// The most memory it held at once, in bytes (`VmHWM`).
    pub(crate) peak_memory: u64,
    /// Bytes handed to the disk, with those that other writes took the place of.
    pub(crate) written: u64,
}

impl Usage {
    /// Reads what a process has used so far.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}");
        let read = |name: &str| {
            let path = format!("{folder}/{name}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let status = read("status")?;
        let peak = number_after(&status, "VmHWM:").context("/proc tells no VmHWM")?;
        // Unreadable without the right to trace the process, and not what this is about.
        let io = read("io").unwrap_or_default();
        Ok(Self {
            cpu: cpu_seconds(&read("stat")?).context("/proc tells no processor time")?,
            sqlite_cpu: sqlite_seconds(&folder)?,
            peak_memory: peak * 1024,
            written: number_after(&io, "\nwrite_bytes:").unwrap_or_default(),
        })
    }

    /// Reads what this process has used so far.
    pub(crate) fn own() -> Result<Self> {
        Self::of(std::process::id())
    }
}

/// Returns the sum of the 14th and 15th field. The second one is the program's name and may hold blanks.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS)
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    rest.split_whitespace().next()?.parse().ok()
}

fn sqlite_seconds(folder: &str) -> Result<f64> {
    let mut seconds = 0.0;
    for task in fs::read_dir(format!("{folder}/task"))? {
        let task = task?.path();
        // A thread may end while it is being looked at.
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.starts_with("sqlx-sqlite") {
            let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
            seconds += cpu_seconds(&stat).unwrap_or_default();
        }
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 a S"), None);
    }

    #[test]
    fn numbers_are_found_by_their_label() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t  512 kB\n";
        assert_eq!(number_after(status, "VmHWM:"), Some(512));
        assert_eq!(number_after(status, "VmRSS:"), None);
    }
}
