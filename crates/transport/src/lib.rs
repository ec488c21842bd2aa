#![doc = include_str!("../README.md")]

mod budget;
mod call;
mod delays;
mod files;
mod http;
mod http_date;
pub mod paging;
mod profile;
mod refusal;
mod reply;
mod runtime;
mod shape;
mod stack;
mod token;

pub use call::{Call, Target};
pub use files::{FileEntry, Files, Folder};
pub use http::Http;
pub use profile::{Auth, HttpProfile, Quota};
pub use refusal::{RefineFn, Refusal, Verdict};
pub use reply::{Json, Reply};
pub use runtime::{BuildError, Runtime, RuntimeOptions};
pub use token::{Token, TokenCache, TokenSource};
