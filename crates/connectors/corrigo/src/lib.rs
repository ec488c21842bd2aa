#![doc = include_str!("../README.md")]

mod connector;
mod error;
mod factory;
mod functions;
mod info;
mod locator;
mod query;
mod read;
mod session;
mod settings;
mod tree;
mod wire;

pub use factory::CorrigoFactory;
