//! What the store promises, with the real engine over a simulated tenant.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod calls;
mod restarts;
mod same;
mod world;
