#![doc = include_str!("../README.md")]

mod body;
mod connector;
mod factory;
mod fault;
mod lookup;
mod page;
mod profile;
mod rows;
mod snapshot;
mod suggest;
mod table;

pub use factory::ExpressMaintenanceFactory;
pub use profile::{Profile, ProfileError};
