//! One process for each data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;

use crate::OpenError;

/// The file that is locked while a process has the directory open. Its content means nothing.
const LOCK_FILE: &str = "wrenchtime.lock";

/// The right to a data directory, until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Makes the directory if there is none, and takes it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        private_directories().create(directory).map_err(refused)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(LOCK_FILE))
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
                path: directory.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }

    /// Tells whether somebody holds the directory. Makes nothing.
    pub(crate) fn is_held(directory: &Path) -> bool {
        let Ok(file) = OpenOptions::new()
            .write(true)
            .open(directory.join(LOCK_FILE))
        else {
            return false;
        };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Gives the directory back before the lock is dropped.
    pub(crate) fn release(&self) -> std::io::Result<()> {
        self.file.unlock()
    }
}

/// Directories that are made are the user's own: the copy holds what customers would not show to others.
fn private_directories() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
