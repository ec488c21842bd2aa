#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was measured is told to the person at the terminal"
)]

mod api;
mod bare;
mod constant;
mod incremental;
mod latency;
mod map;
mod place;
mod postgres;
mod process;
mod report;
mod scale;
mod serve;
mod source;
mod stored;
mod sync;
mod writes;

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
    /// The first sync of a large account into each store.
    Sync(sync::Options),
    /// Mapping work orders.
    Map(map::Options),
    /// The ways of writing rows to PostgreSQL.
    Writes(writes::Options),
    /// The first sync of a source that takes its time.
    Latency(latency::Options),
    /// Runs by schedule where little or nothing changed.
    Incremental(incremental::Options),
    /// Many connections against one, and many rows against few.
    Scale(scale::Options),
    /// Lists by the built service.
    Api(api::Options),
    /// The process that serves a constant body to another measurement.
    #[command(hide = true)]
    Constant(constant::Options),
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
            Command::Writes(options) => writes::run(&options).await,
            Command::Latency(options) => latency::run(&options).await,
            Command::Incremental(options) => incremental::run(&options).await,
            Command::Scale(options) => scale::run(&options).await,
            Command::Api(options) => api::run(&options).await,
            Command::Constant(options) => constant::run(&options).await,
            Command::Source(options) => source::run(&options).await,
        }
    })
}
