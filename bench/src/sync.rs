//! The first sync of a large account into SQLite, against the bare loop.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::bare;
use crate::report::{Report, print_pair};
use crate::serve;
use crate::source::Source;
use crate::stored::Stored;

/// What the service may hold at once while it reads this many work orders, in megabytes.
const MEMORY_BAR: f64 = 150.0;
const MEMORY_BAR_AT: usize = 100_000;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders the source has.
    #[arg(long, default_value_t = MEMORY_BAR_AT)]
    work_orders: usize,
    /// How many times each side runs; the medians are told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Makes the same source again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    let source = Source::start(&client, options.work_orders, options.seed).await?;
    let warm = tempfile::tempdir().context("make a directory for data")?;
    println!("warming up: the source renders its pages");
    let first = serve::first_sync(&client, &source, warm.path()).await?;
    println!("warmed up in {:.1} s", first.seconds);
    let requests = source.take_requests().await?;
    let stored = Stored::read(warm.path()).await?;
    drop(warm);
    let mut pairs = Vec::new();
    let mut unrendered = 0;
    for number in 1..=usize::from(options.pairs) {
        let directory = tempfile::tempdir()?;
        let ours = serve::first_sync(&client, &source, directory.path()).await?;
        let asked = source.take_requests().await?;
        unrendered += asked.iter().filter(|asked| !asked.rendered).count();
        drop(directory);
        let directory = tempfile::tempdir()?;
        let bare = bare::run(&client, &source, &requests, &stored, directory.path()).await?;
        source.take_requests().await?;
        pairs.push((ours, bare));
        print_pair(number, &pairs[number - 1]);
    }
    let report = Report {
        work_orders: options.work_orders,
        requests: &requests,
        unrendered,
        stored: &stored,
        pairs: &pairs,
    };
    report.print();
    if options.work_orders <= MEMORY_BAR_AT && report.peak_memory() >= MEMORY_BAR {
        println!("peak memory is over the bar of {MEMORY_BAR} MB");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
