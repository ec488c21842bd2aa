//! Mappings through the public door.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod faults;
mod kinds;
mod plant;
mod properties;
mod records;
mod support;
