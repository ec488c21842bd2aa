#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was measured is told to the person at the terminal"
)]

mod bare;
mod map;
mod process;
mod report;
mod serve;
mod source;
mod stored;
mod sync;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measurements of the service, each a ratio to a bare loop in the same run.
#[derive(Debug, Parser)]
#[command(name = "wrenchtime-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The first sync of a large account into SQLite.
    Sync(sync::Options),
    /// Mapping work orders.
    Map(map::Options),
    /// The process that serves pages to the other measurements.
    #[command(hide = true)]
    Source(source::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wrenchtime-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Sync(options) => sync::run(&options).await,
            Command::Map(options) => map::run(&options).await,
            Command::Source(options) => source::run(&options).await,
        }
    })
}
