//! What every test here starts with.

mod api;
mod database;
mod ended;
mod process;
mod recorder;
mod sources;
mod wait;

pub(crate) use api::{Api, Connection, Records};
pub(crate) use database::Database;
pub(crate) use ended::Ended;
pub(crate) use process::{Home, Invocation, Server};
pub(crate) use recorder::Recorder;
pub(crate) use sources::{Exports, corrigo, corrigo_settings, exports};
#[cfg(feature = "test-postgres")]
pub(crate) use wait::pause;
pub(crate) use wait::{until, until_within};

/// What the simulated tenant's connector reads.
pub(crate) const TENANT_RESOURCES: [&str; 5] =
    ["work-orders", "assets", "locations", "users", "vendors"];

/// Returns a number from the environment, for runs that take their time.
pub(crate) fn count(variable: &str, default: usize) -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "counts of a long run are chosen from outside"
    )]
    let value = std::env::var(variable);
    value.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number"))
    })
}

/// Draws numbers that a seed decides.
#[derive(Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
