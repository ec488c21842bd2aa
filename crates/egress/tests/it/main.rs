//! The policy, through its public door.
#![expect(clippy::unwrap_used, reason = "helpers of tests may")]

mod hostile;
mod resolving;
