#![doc = include_str!("../README.md")]

mod address;
mod policy;
mod resolver;
mod rule;

pub use address::Reserved;
pub use policy::{Policy, Refused, install_tls_provider};
pub use rule::{AllowRule, BadRule};
