#![doc = include_str!("../README.md")]

mod connector;
mod factory;
mod source;
mod window;

pub use connector::MemoryConnector;
pub use factory::MemoryFactory;
pub use source::{Asked, MemorySource, RowView, default_entities};
