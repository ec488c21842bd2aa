//! Lives through the histories of many seeds.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person at the terminal"
)]

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use wrenchtime_oracle::{StoreKind, read_ties, search};

/// How many bytes more a reading of all rows may take than one of the first. A million rows would take more, however little was
/// kept of each.
const GROWTH: u64 = 24 * 1024 * 1024;

/// Lives through random histories of random sources and judges each.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many seeds.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// The store.
    #[arg(long, value_enum, default_value_t = StoreKind::Memory)]
    store: StoreKind,
    /// How many threads; one for each processor where it is 0.
    #[arg(long, default_value_t = 0)]
    threads: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads rows that all changed at one instant, by every way of paging.
    Ties {
        /// How many rows.
        #[arg(long, default_value_t = 20_000)]
        rows: u64,
        /// The store.
        #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
        store: StoreKind,
    },
}

fn ties(rows: u64, store: StoreKind) -> ExitCode {
    let begun = Instant::now();
    let progress = |rows: u64, way: &str| {
        let seconds = begun.elapsed().as_secs();
        eprintln!("oracle: {rows} rows of one instant read by {way} after {seconds} s");
    };
    match read_ties(rows, store, progress) {
        Ok(ties) if ties.grown <= GROWTH => {
            println!(
                "oracle: {rows} rows of one instant on {store} hold: {} requests, checkpoint {} bytes, {} KiB more than for {}",
                ties.requests,
                ties.checkpoint,
                ties.grown / 1024,
                ties.before
            );
            ExitCode::SUCCESS
        }
        Ok(ties) => {
            eprintln!(
                "oracle: {rows} rows take {} KiB more than {}",
                ties.grown / 1024,
                ties.before
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Ties { rows, store }) = arguments.command {
        return ties(rows, store);
    }
    let threads = match arguments.threads {
        0 => std::thread::available_parallelism().map_or(1, |number| number.get() as u64),
        threads => threads,
    };
    let seeds = arguments.first..arguments.first.saturating_add(arguments.seeds);
    let begun = Instant::now();
    let progress = |done: u64| {
        if done.is_multiple_of(500) {
            eprintln!("oracle: {done} seeds after {} s", begun.elapsed().as_secs());
        }
    };
    match search(seeds, (arguments.store, threads), progress) {
        Ok(tally) => {
            println!(
                "oracle: {} seeds on {} hold: {} runs, {} requests, {:.1} s",
                arguments.seeds,
                arguments.store,
                tally.runs,
                tally.requests,
                begun.elapsed().as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}
