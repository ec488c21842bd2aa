//! A file of JSON lines, one for each write. A line is there as a whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::StorageError;

use crate::copy::Change;

/// What one write changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) connection: ConnectionId,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    failed: bool,
}

impl Journal {
    /// Opens a journal for this process alone, and reads what earlier ones wrote.
    pub(crate) fn open(path: &Path, mut read: impl FnMut(Line)) -> Result<Self, StorageError> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).read(true).open(path);
        let file = file.map_err(unavailable)?;
        file.try_lock().map_err(unavailable)?;
        let mut reader = BufReader::new(&file);
        let (mut text, mut whole, mut number) = (Vec::new(), 0, 0_u64);
        while reader
            .read_until(b'\n', &mut text)
            .map_err(unavailable)?
            .gt(&0)
        {
            if !text.ends_with(b"\n") {
                // A crash cut it off, so nobody was told that it was written.
                file.set_len(whole).map_err(unavailable)?;
                break;
            }
            number += 1;
            whole += u64::try_from(text.len()).unwrap_or_default();
            read(serde_json::from_slice(&text).map_err(|error| {
                StorageError::Corrupt(format!("line {number} of the journal: {error}"))
            })?);
            text.clear();
        }
        let failed = false;
        Ok(Self { file, failed })
    }

    /// Adds a line; it is on the disk when this returns.
    pub(crate) fn append(&mut self, line: &Line) -> Result<(), StorageError> {
        self.check()?;
        // Until the disk says so, nobody knows how much of the line is there: only opening it anew tells.
        self.failed = true;
        let mut text = serde_json::to_vec(line).map_err(unavailable)?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(unavailable)?;
        self.file.sync_data().map_err(unavailable)?;
        self.failed = false;
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.failed {
            return Err(unavailable(
                "a write failed: the journal must be opened anew",
            ));
        }
        Ok(())
    }
}

pub(crate) fn unavailable(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StorageError {
    StorageError::Unavailable(error.into())
}
