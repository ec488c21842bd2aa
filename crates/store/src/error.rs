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
    /// The address of a database is not understood.
    #[error(
        "the database's address is not understood: write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Address,
    /// The address of a database says something that nobody knows.
    #[error("the database's address has a parameter {name:?} that is not known: known are {known}")]
    Parameter {
        /// The parameter.
        name: String,
        /// Those that are known.
        known: String,
    },
    /// No server answers there.
    #[error(
        "the database {database} cannot be reached: see that PostgreSQL runs there and lets this machine in"
    )]
    Unreachable {
        /// Database, server and user.
        database: String,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not let this user in.
    #[error("the database {database} refuses this user: correct the user or the password")]
    Unauthorized {
        /// Database, server and user.
        database: String,
        /// What the server says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server has no such database.
    #[error("the database {database} does not exist: create it or name another one")]
    NoDatabase {
        /// Database, server and user.
        database: String,
        /// What the server says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user may not make tables.
    #[error(
        "the database {database} does not let this user make its tables: grant CREATE on the database, or create the schema wrenchtime for this user"
    )]
    NotPermitted {
        /// Database, server and user.
        database: String,
        /// What the server says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's release is too old.
    #[error(
        "the server of the database {database} is PostgreSQL {found}, but {needed} or later is needed"
    )]
    OldServer {
        /// Database, server and user.
        database: String,
        /// Its release.
        found: u32,
        /// The oldest release that will do.
        needed: u32,
    },
    /// The database cannot keep every text.
    #[error("the database {database} keeps text as {encoding}: create one with ENCODING 'UTF8'")]
    Encoding {
        /// Database, server and user.
        database: String,
        /// Its encoding.
        encoding: String,
    },
    /// Another program's tables stand where ours would.
    #[error(
        "the schema {schema} of the database {database} belongs to another program: name another database"
    )]
    ForeignSchema {
        /// Database, server and user.
        database: String,
        /// The schema.
        schema: &'static str,
    },
    /// A newer release has written the database.
    #[error(
        "the database {database} was written by a newer release (format {found}, this one knows {known}): run that release or restore an older backup"
    )]
    NewerDatabase {
        /// Database, server and user.
        database: String,
        /// Its format.
        found: u32,
        /// The latest format that this release knows.
        known: u32,
    },
    /// The server did not do as it was told.
    #[error("the database {database} cannot be opened")]
    Server {
        /// Database, server and user.
        database: String,
        /// What the server says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
    /// A trial found so a moment ago, for this reason.
    #[error("{0}")]
    NoRoom(String),
    /// No source: its words hold those of what it comes from, and a chain would say them twice.
    #[error("{}", words(.0))]
    Sql(sqlx::Error),
    /// The same by the driver of direct reads.
    #[error("{}", direct_words(.0))]
    Direct(rusqlite::Error),
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

fn direct_words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(said, _) => {
            format!("{error} (code {})", said.extended_code)
        }
        _ => error.to_string(),
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnIndex(_)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
            _ => Self::Direct(error),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for Fault {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// The database answered, and the answer is no row of ours.
fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::TypeNotFound { .. }
    )
}

impl From<Fault> for StorageError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Fenced(connection) => Self::Fenced(connection),
            Fault::NoConnection(connection) => Self::NoConnection(connection),
            Fault::Corrupt(what) => Self::Corrupt(what),
            Fault::Sql(source) if is_unreadable(&source) => Self::Corrupt(source.to_string()),
            Fault::NoRoom(_) | Fault::Sql(_) | Fault::Direct(_) => {
                Self::Unavailable(Box::new(fault))
            }
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
            Fault::Sql(source) if is_unreadable(&source) => Self::Corrupt(source.to_string()),
            Fault::NoRoom(_) | Fault::Sql(_) | Fault::Direct(_) => {
                Self::Unavailable(Box::new(fault))
            }
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::new("the store cannot be used").with_source(fault)
    }
}
