//! Through the public door: real HTTP, real files.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod auth;
mod edits;
mod exports;
mod faults;
mod locator;
mod paging;
mod plant;
mod query;
mod reading;
mod support;
