//! What a run by schedule costs where little or nothing changed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::place::{Store, Stores};
use crate::serve::{self, Connected, Run, Service};
use crate::source::Source;

/// The shortest schedule that there is.
const EVERY: u64 = 60;
/// How long the service is watched while no run is due.
const IDLE: Duration = Duration::from_secs(20);
/// Longer than a source's commits take to become visible, so that nothing is read twice.
const HOUR: u64 = 3600;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders each connection has.
    #[arg(long, default_value_t = 5_000)]
    work_orders: usize,
    /// How many connections there are.
    #[arg(long, default_value_t = 20)]
    connections: usize,
    /// Makes the same source again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    stores: Stores,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    for store in options.stores.chosen() {
        let source = Source::start(&client, options.work_orders, options.seed).await?;
        let place = options.stores.place(store).await?;
        let mut service = Service::start(&client, &place).await?;
        let measured = measure(options, &mut service, &source, store).await;
        service.end_with(measured).await?;
        place.end().await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    options: &Options,
    service: &mut Service,
    source: &Source,
    store: Store,
) -> Result<()> {
    let mut connected: Vec<Connected> = Vec::new();
    for number in 0..options.connections {
        connected.push(service.connect(&source.account(number), true).await?);
    }
    for connection in &connected {
        service.end_of_run(&connection.id, None).await?.check()?;
    }
    source.go_live().await?;
    source.advance(HOUR).await?;
    let before = service.usage()?.cpu;
    serve::pause(IDLE).await;
    let idle = (service.usage()?.cpu - before) / IDLE.as_secs_f64();
    for connection in &connected {
        service.schedule(&connection.id, EVERY).await?;
    }
    // The first run by schedule may find what the first sync was too early for.
    let mut last = round(service, &connected, None).await?;
    source.advance(HOUR).await?;
    last = round(service, &connected, Some(&last)).await?;
    let (begun, before) = (Instant::now(), service.usage()?.cpu);
    let empty = round(service, &connected, Some(&last)).await?;
    let spent = service.usage()?.cpu - before;
    let streams: u64 = empty.iter().map(|run| run.streams_done).sum();
    let fetched: u64 = empty.iter().map(|run| run.sum("fetched")).sum();
    let own = spent - idle * begun.elapsed().as_secs_f64();
    println!(
        "{} empty runs: {} runs of {streams} streams in all, {fetched} rows fetched, {:.0} ms of CPU, of them {:.0} ms \
         idle and asked how they are",
        store.name(),
        empty.len(),
        spent * 1e3,
        (spent - own) * 1e3,
    );
    println!(
        "{} empty run: {:.2} ms of CPU for each stream",
        store.name(),
        own * 1e3 / streams as f64
    );
    let changes = u64::try_from(options.work_orders / 100)?;
    source.change(changes).await?;
    let changed = round(service, &connected, Some(&empty)).await?;
    let fetched: u64 = changed.iter().map(|run| run.sum("fetched")).sum();
    let stored: u64 = changed.iter().map(|run| run.sum("changed")).sum();
    println!(
        "{} rows fetched / rows changed: {:.2} ({fetched} / {} after 1 % of the rows changed; {stored} records did)",
        store.name(),
        fetched as f64 / (changes * changed.len() as u64) as f64,
        changes * changed.len() as u64,
    );
    Ok(())
}

/// Waits for another run of each connection.
async fn round(
    service: &mut Service,
    connected: &[Connected],
    before: Option<&[Run]>,
) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for (at, connection) in connected.iter().enumerate() {
        let newest = service.runs(&connection.id).await?.into_iter().next();
        let last = before.map(|runs| runs[at].id.clone());
        let last = last.or(newest.map(|run| run.id));
        let run = service.end_of_run(&connection.id, last.as_deref()).await?;
        run.check()?;
        runs.push(run);
    }
    Ok(runs)
}
