#![doc = include_str!("../README.md")]

mod codec;
mod columns;
mod error;
mod lock;
mod mark;
mod page;
mod record_json;
mod sqlite;

pub use error::OpenError;
pub use sqlite::{SqliteOptions, SqliteStore};
