//! The API as clients see it, over the SQLite store and a source in memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod auth;
mod connections;
mod feed;
mod harness;
mod openapi;
mod problems;
mod promise;
mod quarantine;
mod records;
mod server;
mod webhooks;
