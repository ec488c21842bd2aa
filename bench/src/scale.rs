//! Many connections against one, and ten times the rows against a tenth of them.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::place::{Place, Stores};
use crate::report::megabytes;
use crate::serve::{self, Ours, Service};
use crate::source::{Source, UNBOUNDED};

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders a small source has.
    #[arg(long, default_value_t = 100_000)]
    work_orders: usize,
    /// How many times as many the large one has.
    #[arg(long, default_value_t = 10)]
    times: usize,
    /// How many connections there are beside each other.
    #[arg(long, default_value_t = 200)]
    connections: usize,
    /// How many work orders each of them has.
    #[arg(long, default_value_t = 5_000)]
    each: usize,
    /// Makes the same sources again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    stores: Stores,
}

/// What a measurement came to.
struct Measured {
    records: f64,
    seconds: f64,
    megabytes: f64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.records / self.seconds
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {:.0} records in {:.1} s, {:.0} records/s, {:.1} MB (VmHWM of serve)",
            self.records,
            self.seconds,
            self.rate(),
            self.megabytes
        );
    }
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    for store in options.stores.chosen() {
        let name = store.name();
        let source = Source::start(&client, options.work_orders, options.seed).await?;
        // Renders the pages, for this one and the next.
        one(options, &client, &source, store).await?;
        let small = one(options, &client, &source, store).await?;
        small.print(&format!("{name} one connection"));
        drop(source);
        let rows = (options.work_orders, options.times);
        let source = Source::start_times(&client, rows, options.seed).await?;
        let large = one(options, &client, &source, store).await?;
        large.print(&format!("{name} one large connection"));
        println!(
            "{name} memory growth: {:.2} ({} times the rows)",
            large.megabytes / small.megabytes,
            options.times
        );
        drop(source);
        let source = Source::start(&client, options.each, options.seed).await?;
        let place = options.stores.place(store).await?;
        serve::first_sync(&client, &source.account(0), &place).await?;
        place.end().await?;
        let place = options.stores.place(store).await?;
        let many = many(options, &client, &source, &place).await?;
        place.end().await?;
        many.print(&format!("{name} {} connections", options.connections));
        println!(
            "{name} many ratio: {:.2} of the speed of one connection with as many rows ({:.2} of that of one with {})",
            many.rate() / large.rate(),
            many.rate() / small.rate(),
            options.work_orders,
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(
    options: &Options,
    client: &reqwest::Client,
    source: &Source,
    store: crate::place::Store,
) -> Result<Measured> {
    let place = options.stores.place(store).await?;
    let settings = source.settings_at(UNBOUNDED);
    let Ours {
        seconds,
        usage,
        records,
        ..
    } = serve::first_sync(client, &settings, &place).await?;
    place.end().await?;
    Ok(Measured {
        records: records as f64,
        seconds,
        megabytes: megabytes(usage.peak_memory),
    })
}

async fn many(
    options: &Options,
    client: &reqwest::Client,
    source: &Source,
    place: &Place,
) -> Result<Measured> {
    let mut service = Service::start(client, place).await?;
    let measured = async {
        let mut connected = Vec::new();
        for number in 0..options.connections {
            connected.push(service.connect(&source.account(number), true).await?);
        }
        let mut runs = Vec::new();
        for connection in &connected {
            let run = service.end_of_run(&connection.id, None).await?;
            run.check()?;
            runs.push(run);
        }
        let begun = runs.iter().map(|run| run.started_at).min();
        let ended = runs.iter().filter_map(|run| run.finished_at).max();
        let begun = begun.context("there was no run")?;
        let ended = ended.context("no run has ended")?;
        let records: u64 = runs.iter().map(|run| run.sum("created")).sum();
        Ok(Measured {
            records: records as f64,
            seconds: (ended - begun).as_seconds_f64(),
            megabytes: megabytes(service.usage()?.peak_memory),
        })
    };
    let measured = measured.await;
    service.end_with(measured).await
}
