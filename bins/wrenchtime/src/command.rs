//! A file for each command, each with its arguments and `run`.

pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod demo;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod sync;
pub(crate) mod systems;
