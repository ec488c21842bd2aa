//! Starts that fail, and what the next start finds.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod starts;
