//! What can go wrong, inside and at the door.

use std::path::PathBuf;

use wrenchtime_model::ConnectionId;
use wrenchtime_sync::StorageError;
use wrenchtime_webhooks::StoreError;

/// Why a store could not be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data directory cannot be made, read or written.
    #[error(
        "the data directory {path} cannot be used: make it writable for this user or name another one"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error(
        "the data directory {path} is in use by another process: stop that one or name another directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error("{path} is not a database: move it away or restore it from a backup")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of some other program.
    #[error("{path} is a database of another program: move it away or name another directory")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer release has written it.
    #[error(
        "{path} was written by a newer release (format {found}, this one knows {known}): run that release or restore an older backup"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that this release knows.
        known: u32,
    },
    /// The database did not do as it was told.
    #[error(
        "the database {path} cannot be opened: check the disk's space and the file's permissions"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What goes wrong inside, before it is told in a caller's terms.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("connection {0} was taken over by another runner")]
    Fenced(ConnectionId),
    #[error("connection {0} does not exist or was disconnected")]
    NoConnection(ConnectionId),
    #[error("the store holds what cannot be read: {0}")]
    Corrupt(String),
    /// No source: its words hold those of what it comes from, and a chain would say them twice.
    #[error("{}", words(.0))]
    Sql(sqlx::Error),
}

/// Says what the database said, without the driver's frame.
fn words(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(said) => {
            let code = said.code().unwrap_or_default();
            format!("{} (code {code})", said.message())
        }
        None => error.to_string(),
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for StorageError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Fenced(connection) => Self::Fenced(connection),
            Fault::NoConnection(connection) => Self::NoConnection(connection),
            Fault::Corrupt(what) => Self::Corrupt(what),
            Fault::Sql(_) => Self::Unavailable(Box::new(fault)),
        }
    }
}

impl From<Fault> for wrenchtime_service::storage::StorageError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Fenced(connection) | Fault::NoConnection(connection) => {
                Self::NoConnection(connection)
            }
            Fault::Corrupt(what) => Self::Corrupt(what),
            Fault::Sql(_) => Self::Unavailable(Box::new(fault)),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::new("the store cannot be used").with_source(fault)
    }
}
