//! Lives through the histories of many seeds.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person at the terminal"
)]

use std::process::ExitCode;

use clap::Parser;
use wrenchtime_oracle::{StoreKind, search};

/// Lives through random histories of random sources and judges each.
#[derive(Debug, Parser)]
struct Arguments {
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let threads = match arguments.threads {
        0 => std::thread::available_parallelism().map_or(1, |number| number.get() as u64),
        threads => threads,
    };
    let seeds = arguments.first..arguments.first.saturating_add(arguments.seeds);
    let begun = std::time::Instant::now();
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
