//! The ways in which a page's rows come into PostgreSQL, against each other.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::place::{Store, Stores};
use crate::postgres::{Target, Way};
use crate::report::{float, median};
use crate::serve;
use crate::source::Source;
use crate::stored::Stored;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders are written, with what belongs to them.
    #[arg(long, default_value_t = 20_000)]
    work_orders: usize,
    /// How many times each way runs; the medians are told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Makes the same source again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    stores: Stores,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    let source = Source::start(&client, options.work_orders, options.seed).await?;
    let place = options.stores.place(Store::Sqlite).await?;
    serve::first_sync(&client, &source.address.settings, &place).await?;
    let stored = Stored::read(place.directory()).await?;
    place.end().await?;
    drop(source);
    let rows: usize = stored.rows.iter().sum();
    println!("rows: {rows}, of them {} records", stored.rows[1]);
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    for number in 1..=options.rounds {
        let mut seconds = Vec::new();
        for way in Way::ALL {
            seconds.push(write(options, &stored, way).await?);
        }
        let told: Vec<String> = Way::ALL
            .iter()
            .zip(&seconds)
            .map(|(way, seconds)| format!("{} {seconds:.2} s", way.name()))
            .collect();
        println!("round {number}: {}", told.join(", "));
        rounds.push(seconds);
    }
    for (at, way) in Way::ALL.into_iter().enumerate() {
        let seconds = median(rounds.iter().map(|seconds| seconds[at]));
        println!(
            "{}: {:.0} records/s",
            way.name(),
            float(stored.rows[1]) / seconds
        );
    }
    for (at, way) in Way::ALL.into_iter().enumerate().skip(1) {
        let ratio = median(rounds.iter().map(|seconds| seconds[at] / seconds[0]));
        println!("unnest to {} ratio: {ratio:.2}", way.name());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes everything to an empty database, a transaction for each page. Returns how many seconds that took.
async fn write(options: &Options, stored: &Stored, way: Way) -> Result<f64> {
    let place = options.stores.place(Store::Postgres).await?;
    let mut target = Target::open(&place, stored, way).await?;
    let begun = Instant::now();
    for batch in stored.batches.values().flatten() {
        target.insert(batch).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    target.close().await?;
    let mut connection = place.connect().await?;
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM records")
        .fetch_one(&mut connection)
        .await?;
    if usize::try_from(there)? != stored.rows[1] {
        bail!(
            "{there} records were written, but there are {}",
            stored.rows[1]
        );
    }
    drop(connection);
    place.end().await?;
    Ok(seconds)
}
