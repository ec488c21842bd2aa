//! The engine against a source whose every move a test decides, and the store in memory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may give up loudly"
)]

mod ahead;
mod cancel;
mod deletes;
mod drift;
mod faults;
mod forgetting;
mod joins;
mod kill;
mod look_back;
mod retry;
mod rules;
mod sharing;
mod source;
mod support;
mod suspicions;
mod threads;
