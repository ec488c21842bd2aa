//! Follows one resource of one connection into a file.
//!
//! `WRENCHTIME_TOKEN=wtc_... cargo run -p poll-changes -- --resource work-orders`

#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person at the terminal"
)]

mod copy;
mod follow;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use crate::copy::Copy;
use crate::follow::Source;

/// Keeps a copy of one resource by polling with `modified_after`.
#[derive(Parser)]
struct Arguments {
    /// Where the service answers.
    #[arg(long, default_value = "http://127.0.0.1:8321")]
    url: String,
    /// The connection's token.
    #[arg(long, env = "WRENCHTIME_TOKEN", hide_env_values = true)]
    token: String,
    /// The resource, as in URLs.
    #[arg(long, default_value = "work-orders")]
    resource: String,
    /// The file that holds the copy.
    #[arg(long, default_value = "copy.json")]
    copy: PathBuf,
    /// Seconds between two questions.
    #[arg(long, default_value_t = 30)]
    every: u64,
    /// Ask once and end.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // Fails only when a provider is installed already, which does as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let source = Source::new(&arguments.url, arguments.token, &arguments.resource)
        .context("make an HTTP client")?;
    let mut copy = Copy::open(&arguments.copy)?;
    loop {
        let changed = source.follow(&mut copy).await?;
        copy.save(&arguments.copy)?;
        println!(
            "{changed} records came, {} are in the copy",
            copy.records.len()
        );
        if arguments.once {
            return Ok(());
        }
        pause(Duration::from_secs(arguments.every)).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, by the machine's clock"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
