//! The Corrigo connector through its public door.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

mod conformance;
mod mapping;
mod reading;
mod session;
mod simulated;
mod support;
