#![doc = include_str!("../README.md")]

mod compile;
mod convert;
mod eval;
mod fault;
mod functions;
mod mapping;
mod path;
mod rule;
mod value_map;
mod write;
mod zone;

pub use fault::{CompileError, Fault};
pub use functions::{Function, Functions};
pub use mapping::Mapping;
