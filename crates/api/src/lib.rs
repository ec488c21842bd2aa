#![doc = include_str!("../README.md")]

mod app;
mod cursor;
mod dto;
mod openapi;
mod parameter;
mod problem;
mod reply;
mod route;
mod routes;
mod server;

pub use app::{Exposition, router};
pub use openapi::document as openapi_document;
pub use problem::Code as ProblemCode;
pub use server::{Limits, serve};
