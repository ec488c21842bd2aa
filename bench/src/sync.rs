//! The first sync of a large account, against the bare loop.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use crate::bare;
use crate::place::{Store, Stores};
use crate::report::{Report, print_pair};
use crate::serve;
use crate::source::{Asked, Source, UNBOUNDED};
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
    /// How often the account may be asked in a second; at the connector's usual 10 the budget would be measured.
    #[arg(long, default_value_t = UNBOUNDED)]
    requests_per_second: u32,
    #[command(flatten)]
    stores: Stores,
}

/// What both sides work on.
struct Work<'w> {
    client: &'w reqwest::Client,
    source: &'w Source,
    settings: &'w Value,
    requests: &'w [Asked],
    stored: &'w Stored,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    let source = Source::start(&client, options.work_orders, options.seed).await?;
    let warm = options.stores.place(Store::Sqlite).await?;
    println!("warming up: the source renders its pages");
    let settings = source.settings_at(options.requests_per_second);
    let first = serve::first_sync(&client, &settings, &warm).await?;
    println!("warmed up in {:.1} s", first.seconds);
    let requests = source.take_requests().await?;
    let stored = Stored::read(warm.directory()).await?;
    warm.end().await?;
    let work = Work {
        client: &client,
        source: &source,
        settings: &settings,
        requests: &requests,
        stored: &stored,
    };
    let mut is_fine = true;
    for (number, store) in options.stores.chosen().into_iter().enumerate() {
        is_fine &= measure(options, &work, store, number == 0).await?;
    }
    Ok(if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Measures one store, and tells whether the memory stayed below the bar.
async fn measure(options: &Options, work: &Work<'_>, store: Store, is_first: bool) -> Result<bool> {
    let mut pairs = Vec::new();
    let mut unrendered = 0;
    for number in 1..=usize::from(options.pairs) {
        let place = options.stores.place(store).await?;
        let ours = serve::first_sync(work.client, work.settings, &place).await?;
        place.end().await?;
        let asked = work.source.take_requests().await?;
        unrendered += asked.iter().filter(|asked| !asked.rendered).count();
        let place = options.stores.place(store).await?;
        let bare = bare::run(work.client, work.source, work.requests, work.stored, &place).await?;
        place.end().await?;
        work.source.take_requests().await?;
        pairs.push((ours, bare));
        print_pair(number, &pairs[number - 1]);
    }
    let report = Report {
        store,
        work_orders: options.work_orders,
        requests: work.requests,
        unrendered,
        stored: work.stored,
        pairs: &pairs,
    };
    if is_first {
        report.print_extent();
    }
    report.print();
    let is_over = options.work_orders <= MEMORY_BAR_AT && report.peak_memory() >= MEMORY_BAR;
    if is_over {
        println!("peak memory is over the bar of {MEMORY_BAR} MB");
    }
    Ok(!is_over)
}
