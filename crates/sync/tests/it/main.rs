//! The engine against a source whose every move a test decides, and the store in memory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may give up loudly"
)]

mod cancel;
mod deletes;
mod faults;
mod joins;
mod kill;
mod rules;
mod source;
mod support;
mod threads;
