//! What can go wrong while a simulator starts.

use std::io;

/// Refusal of a simulator to start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The loopback port could not be opened, most often because another process holds it.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// Port that was asked for; 0 means any free one.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
}
