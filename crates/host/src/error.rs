//! Why a service does not start. What was stored stays as it was then.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a service does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] wrenchtime_store::OpenError),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {reason}; end what listens there, or choose another address with --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// There is data but no key to it.
    #[error(
        "{path} is missing, but there is data sealed under it; put the file back, or give the key in WRENCHTIME_MASTER_KEY"
    )]
    NoMasterKey {
        /// Where the key should be.
        path: PathBuf,
    },
    /// The key is no key.
    #[error(
        "the master key from {origin} is not 64 hexadecimal digits; give the key that the data was sealed under"
    )]
    BadMasterKey {
        /// Where it came from.
        origin: String,
    },
    /// A file of the data directory cannot be read or written.
    #[error("cannot {action} {path}: {reason}; check who owns it and what room there is")]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// What connectors are lent cannot be made: a folder root that is none, for example.
    #[error(transparent)]
    Runtime(#[from] wrenchtime_transport::BuildError),
    /// The HTTP client for webhooks cannot be built.
    #[error(transparent)]
    Webhooks(#[from] wrenchtime_webhooks::BuildError),
    /// The service does not open: a wrong master key, for example.
    #[error(transparent)]
    Service(#[from] wrenchtime_service::Error),
}
