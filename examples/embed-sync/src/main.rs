//! Reads a simulated tenant twice into a store of one's own, and shows what the second time moved.
//!
//! `cargo run -p embed-sync`

#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person at the terminal"
)]

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use embed_sync::{FileStorage, Source};
use wrenchtime_connector::{Clock, SystemClock};
use wrenchtime_model::{ConnectionId, Resource, WorkOrder};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox, Tenant};
use wrenchtime_sandbox::plant::Status;
use wrenchtime_sync::{Engine, EngineOptions, Mode, RunReport, RunRequest};

#[tokio::main]
async fn main() -> Result<()> {
    wrenchtime_egress::install_tls_provider();
    let sandbox = CorrigoSandbox::start(CorrigoOptions::new(7, 2_000)).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = Source::of_sandbox(&sandbox, Arc::clone(&clock))?;
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("journal.jsonl");
    let connection = ConnectionId::new();

    println!("First run, everything:");
    let request = source.run(connection, Mode::Full);
    show(&run(&journal, &clock, request).await?);

    let order = sandbox
        .edit(change)
        .context("the plant has assets and work orders")?;
    println!("Second run, over the same file, after four changes at the source:");
    let request = source.run(connection, Mode::Incremental);
    show(&run(&journal, &clock, request).await?);

    let storage = FileStorage::open(&journal, clock)?;
    let orders = storage.records::<WorkOrder>(connection, Resource::WorkOrder);
    let (orders, remote_id) = (orders.await?, order.to_string());
    let mut orders = orders.iter();
    let found = orders.find(|order| order.envelope.remote_id == remote_id);
    let found = found.context("the new work order is in the copy")?;
    let (id, order) = (found.envelope.id, &found.content);
    println!("The new work order, {id}, in unified terms:");
    println!("{}", serde_json::to_string_pretty(order)?);
    sandbox.stop().await;
    Ok(())
}

/// Opens the store, as a service does that was started anew, and runs.
async fn run(journal: &Path, clock: &Arc<dyn Clock>, request: RunRequest) -> Result<RunReport> {
    let storage = Arc::new(FileStorage::open(journal, Arc::clone(clock))?);
    let engine = Engine::new(storage, Arc::clone(clock), EngineOptions::default());
    let mut progress = request.progress.subscribe();
    let shown = tokio::spawn(async move {
        let mut last = None;
        // Ends with the run, which holds the other end.
        while progress.changed().await.is_ok() {
            let now = {
                let now = progress.borrow_and_update();
                (now.pages, now.streams_done, now.streams_total)
            };
            if last.replace(now) != Some(now) {
                let (pages, done, total) = now;
                println!("  {pages} pages, {done} of {total} streams");
            }
        }
    });
    let report = engine.run(request).await;
    shown.await?;
    Ok(report?)
}

fn show(report: &RunReport) {
    println!("  {:?}", report.outcome);
    for (resource, counts) in &report.progress.resources {
        println!(
            "  {:<10} {:>5} rows read: {} new, {} changed, {} gone",
            resource.name(),
            counts.fetched,
            counts.created,
            counts.changed,
            counts.deleted
        );
    }
    for (stream, fault) in &report.progress.faults {
        println!("  {stream}: {fault}");
    }
}

/// Does what people at the plant do, and returns the new work order.
fn change(tenant: &mut Tenant) -> Option<u32> {
    let order = tenant.plant().work_orders.first()?.id;
    let mut assets = tenant.plant().assets.iter().filter(|asset| !asset.removed);
    let (renamed, broken) = (assets.next()?.id, assets.next()?.id);
    let person = tenant.plant().people.iter().find(|one| !one.removed)?.id;
    tenant.change_work_order_status(order, Status::OnHold);
    tenant.rename_asset(renamed, "Booster pump 1");
    tenant.remove_person(person);
    tenant.add_work_order(broken, "It rattles at full speed")
}
