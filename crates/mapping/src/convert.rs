//! From single values of a source to those of the model. Pure.

mod number;
mod time;

pub(crate) use number::{push_decimal, whole_number};
pub(crate) use time::{Format, Moment, parse_iso};
