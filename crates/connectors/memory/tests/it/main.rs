//! The memory connector through its public door.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod bite;
mod conformance;
mod lies;
mod source;
