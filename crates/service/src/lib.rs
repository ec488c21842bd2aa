#![doc = include_str!("../README.md")]

mod connections;
mod credentials;
mod endpoints;
mod engine;
mod error;
mod keys;
mod look_back;
mod mappers;
mod metrics;
mod pausing;
mod quarantine;
mod records;
mod runner;
mod schedules;
mod secret;
mod service;
mod state;
pub mod storage;
mod suspicions;
mod syncs;
mod vault;

pub use connections::{Connect, Connected};
pub use credentials::ConnectionChange;
pub use endpoints::IssuedEndpoint;
pub use error::{Error, Result};
pub use keys::{IssuedKey, Principal};
pub use look_back::RecordsSince;
pub use quarantine::{Quarantine, Quarantined};
pub use runner::SyncRequested;
pub use schedules::{LONGEST_SCHEDULE, SHORTEST_SCHEDULE, Schedule};
pub use secret::SecretKind;
pub use service::{Actor, Options, Parts, Service};
pub use state::{Change, State, Trigger, UnknownState};
pub use syncs::{ResourceStatus, Status, SyncRequest, SyncStatus};
pub use vault::{MasterKey, Vault, VaultError, VaultOpenError};

// What the service speaks of in its own methods, so that callers need no edge to these crates.
pub use wrenchtime_sync as sync;
pub use wrenchtime_webhooks as webhooks;
