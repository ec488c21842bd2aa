#![doc = include_str!("../README.md")]

mod database;
mod error;
mod files;
mod host;

pub use error::StartError;
pub use files::{LocalService, local_service};
pub use host::{Host, HostOptions};
