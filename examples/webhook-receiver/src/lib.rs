#![doc = include_str!("../README.md")]

mod queue;
mod server;
mod verify;

pub use queue::{Queue, Received};
pub use server::Receiver;
pub use verify::{Headers, Refused, Verifier};
