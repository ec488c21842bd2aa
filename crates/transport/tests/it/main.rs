//! The transport, through its public door, against sockets on this machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may")]

mod auth;
mod files;
mod limits;
mod replies;
mod retries;
mod secrets;
mod support;
mod tokens;
