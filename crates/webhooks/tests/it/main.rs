//! The dispatcher over a store in memory and real receivers on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod delivery;
mod support;
