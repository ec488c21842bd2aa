//! A simulator of Corrigo Enterprise: token endpoint, locator and the read side of its REST interface, over real HTTP.

mod auth;
mod body;
mod entities;
mod enums;
mod errors;
mod locator;
mod options;
mod query;
mod requests;
mod routes;
mod schema;
mod server;
mod tenant;
mod value;

pub use options::{CorrigoOptions, InvalidClient, OverCeiling, RowOrder, Switches, UrlForm};
pub use requests::RequestLogEntry;
pub use server::CorrigoSandbox;
pub use tenant::Tenant;
