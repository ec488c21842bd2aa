#![doc = include_str!("../README.md")]

mod case;
mod clients;
mod clock;
mod config;
mod connector;
mod dice;
mod judge;
mod lab;
mod meaning;
mod sabotage;
mod source;
mod step;
mod store;
mod ties;
mod truth;
mod watched;
mod world;

pub use case::Case;
pub use config::{Config, Paging, Stream, Table};
pub use dice::Dice;
pub use lab::{Failure, Lab, search};
pub use meaning::Meaning;
pub use sabotage::Sabotage;
pub use source::Fault;
pub use step::{End, Run, Step};
pub use store::StoreKind;
pub use ties::{Ties, read_ties};
pub use truth::{Op, TableNumber};
pub use watched::Break;
pub use world::Tally;
