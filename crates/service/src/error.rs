//! What the service refuses, and what can go wrong below it.

use std::collections::BTreeSet;
use std::time::Duration;

use wrenchtime_connector::SettingsError;
use wrenchtime_model::ConnectionId;

use crate::State;
use crate::storage::StorageError;
use crate::vault::{VaultError, VaultOpenError};

/// Result of a call to the service.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the service did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No system has this name.
    #[error("no system has this name; there are {}", list(known))]
    UnknownSystem {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: BTreeSet<String>,
    },
    /// The settings do not fit what the system declares. Names fields, shows no values.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The source refused, or could not be asked.
    #[error(transparent)]
    Source(#[from] wrenchtime_connector::Error),
    /// There is no such connection.
    #[error("there is no connection {0}")]
    NoConnection(ConnectionId),
    /// The connection stands in a state in which this cannot be done.
    #[error("connection {id} is {state}: {action} is not possible")]
    State {
        /// The connection.
        id: ConnectionId,
        /// Where it stands.
        state: State,
        /// What was asked for.
        action: &'static str,
    },
    /// The settings open another account than the one that the connection reads.
    #[error(
        "these settings open another account than {account:?}, which connection {id} reads; nothing was changed"
    )]
    AccountMismatch {
        /// The connection.
        id: ConnectionId,
        /// What its account is called.
        account: String,
    },
    /// The schedule is shorter or longer than allowed.
    #[error("a schedule must be between {} and {} seconds, or 0 for on demand only", shortest.as_secs(), longest.as_secs())]
    Schedule {
        /// The shortest.
        shortest: Duration,
        /// The longest.
        longest: Duration,
    },
    /// A value is not as it must be.
    #[error("{field} {message}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it, without the value.
        message: String,
    },
    /// A system's default mapping does not compile.
    #[error("the mapping of {system} cannot be used: {reason}")]
    Mapping {
        /// The system.
        system: String,
        /// Every fault.
        reason: String,
    },
    /// The service is ending, or does not run.
    #[error("the service does not run syncs now")]
    NotRunning,
    /// Something could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store failed.
    #[error(transparent)]
    Storage(StorageError),
    /// The store of webhooks failed.
    #[error(transparent)]
    Webhooks(#[from] wrenchtime_webhooks::StoreError),
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NoConnection(id) => Self::NoConnection(id),
            StorageError::Unavailable(_) | StorageError::Corrupt(_) => Self::Storage(error),
        }
    }
}

impl From<VaultOpenError> for Error {
    fn from(error: VaultOpenError) -> Self {
        match error {
            VaultOpenError::Key(error) => Self::Vault(error),
            VaultOpenError::Storage(error) => error.into(),
        }
    }
}

/// Returns an error's words with those of all that caused it, for the log.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    words.join(": ")
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
