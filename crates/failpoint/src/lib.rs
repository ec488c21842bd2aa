#![doc = include_str!("../README.md")]

#[cfg(feature = "failpoints")]
mod armed;
mod error;
mod point;

#[cfg(feature = "failpoints")]
pub use armed::{arm, pass};
pub use error::NotArmed;
pub use point::Point;

/// Points are real in this build.
pub const ENABLED: bool = cfg!(feature = "failpoints");

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("failpoints are for tests: leave the feature `failpoints` out of a release");

/// Refuses: points are not real in this build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "failpoints"))]
pub fn arm(_: &str) -> Result<(), NotArmed> {
    Err(NotArmed::Off)
}

/// Does nothing: points are not real in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn pass(_: Point) {}
