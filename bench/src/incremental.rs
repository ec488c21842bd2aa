//! What a run by schedule costs where little or nothing changed.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::place::{Store, Stores};
use crate::serve::{self, Connected, Run, Service};
use crate::source::Source;

/// The shortest schedule that there is.
const EVERY: u64 = 60;
/// Longer than a schedule of a minute may be put off, so that each connection has a run in it.
const ROUND: Duration = Duration::from_secs(70);
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
    // What the first syncs left behind, events to be fanned out for example, is done by then.
    serve::pause(ROUND).await;
    let before = service.usage()?.cpu;
    let none = round(service, &connected, ROUND).await?;
    let idle = service.usage()?.cpu - before;
    for connection in &connected {
        service.schedule(&connection.id, EVERY).await?;
    }
    // The first runs by schedule may find what the first sync was too early for.
    round(service, &connected, ROUND).await?;
    source.advance(HOUR).await?;
    round(service, &connected, ROUND).await?;
    let before = service.usage()?.cpu;
    let empty = round(service, &connected, ROUND).await?;
    let spent = service.usage()?.cpu - before;
    let streams: u64 = empty.iter().map(|run| run.streams_done).sum();
    println!(
        "{} empty runs: {} runs of {streams} streams in all, {} rows fetched, {:.0} ms of CPU; {:.0} ms in as long a time \
         with {} runs",
        store.name(),
        empty.len(),
        sum(&empty, "fetched"),
        spent * 1e3,
        idle * 1e3,
        none.len(),
    );
    println!(
        "{} empty run: {:.2} ms of CPU for each stream",
        store.name(),
        (spent - idle) * 1e3 / streams as f64
    );
    let changes = u64::try_from(options.work_orders / 100)?;
    source.change(changes).await?;
    let changed = round(service, &connected, ROUND).await?;
    let fetched = sum(&changed, "fetched");
    let all = changes * u64::try_from(connected.len())?;
    println!(
        "{} rows fetched / rows changed: {:.2} ({fetched} / {all} after 1 % of the rows changed; {} records did)",
        store.name(),
        fetched as f64 / all as f64,
        sum(&changed, "changed"),
    );
    Ok(())
}

fn sum(runs: &[Run], count: &str) -> u64 {
    runs.iter().map(|run| run.sum(count)).sum()
}

/// Waits, and returns the runs that ended meanwhile. Nobody asks in between, for that would be measured too.
async fn round(service: &Service, connected: &[Connected], time: Duration) -> Result<Vec<Run>> {
    let mut before = BTreeSet::new();
    for connection in connected {
        let runs = service.runs(&connection.id).await?;
        before.extend(runs.into_iter().map(|run| run.id));
    }
    serve::pause(time).await;
    let mut runs = Vec::new();
    for connection in connected {
        for run in service.runs(&connection.id).await? {
            if run.finished_at.is_some() && !before.contains(&run.id) {
                run.check()?;
                runs.push(run);
            }
        }
    }
    Ok(runs)
}
