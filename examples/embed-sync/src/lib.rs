#![doc = include_str!("../README.md")]

mod copy;
mod draft;
mod journal;
mod source;
mod storage;

pub use source::Source;
pub use storage::FileStorage;
