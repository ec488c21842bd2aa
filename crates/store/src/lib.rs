#![doc = include_str!("../README.md")]

mod codec;
mod columns;
mod error;
mod lock;
mod mark;
mod page;
mod postgres;
mod shown;
mod sqlite;

pub use error::OpenError;
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{ReadLists, SqliteOptions, SqliteStore};
