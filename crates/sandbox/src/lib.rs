#![doc = include_str!("../README.md")]

pub mod clock;
pub mod corrigo;
mod error;
pub mod express_maintenance;
pub mod faults;
pub mod plant;

pub use clock::SimClock;
pub use error::Error;
pub use faults::{Fault, Faults};
pub use plant::{Plant, PlantOptions};
