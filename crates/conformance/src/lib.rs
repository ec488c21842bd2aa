#![doc = include_str!("../README.md")]

mod harness;
mod log;
pub mod promises;
mod reading;
mod suite;

pub use harness::{Edit, Fault, Harness, Powers};
