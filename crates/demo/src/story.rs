//! Connect, sync, change, sync again, and see what was told.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wrenchtime_connector::{Clock, SystemClock};
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_service::SyncRequest;
use wrenchtime_sync::{Mode, Outcome, RunState};
use wrenchtime_webhooks::{DeliveryFilter, DeliveryState};

use crate::DemoOptions;
use crate::show::Teller;
use crate::world::{Connected, World};

/// How often something is looked at that changes by itself.
const LOOK: Duration = Duration::from_millis(50);
/// How long webhooks may take until something is wrong with them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the story and returns its summary.
pub(crate) async fn tell(world: &World, options: &DemoOptions) -> Result<Value> {
    let teller = Teller::new(options.audience);
    teller.begin(world);
    let connected = world.connect().await?;
    teller.connected(&connected);
    let first = all_runs(world, &connected, &[], &teller).await?;
    teller.runs("first sync: everything", &connected, &first);
    let seen: Vec<RunId> = first.iter().map(|run| run.id).collect();
    teller.changed(&connected, world.change_sources()?);
    for one in &connected {
        let request = SyncRequest {
            mode: Mode::Incremental,
        };
        world.host().service().start_sync(one.id, request).await?;
    }
    let second = all_runs(world, &connected, &seen, &teller).await?;
    teller.runs(
        "second sync: read again, but only the changes moved",
        &connected,
        &second,
    );
    let delivered = deliveries(world).await?;
    let verified = world.receiver().messages().len();
    teller.webhooks(world.receiver(), delivered);
    if options.stays {
        teller.invite(world, &connected, &first);
    }
    let connections: Vec<Value> = connected
        .iter()
        .zip(first.iter().zip(&second))
        .map(|(one, (first, second))| {
            json!({ "system": one.system, "first": counts(first), "second": counts(second) })
        })
        .collect();
    Ok(json!({
        "connections": connections,
        "webhooks": { "delivered": delivered, "verified": verified },
    }))
}

/// Returns what a run counted, by resource, in the members that programs may rely on.
fn counts(run: &RunState) -> Value {
    let resources = run.progress.resources.iter().map(|(resource, counts)| {
        let counts = json!({
            "fetched": counts.fetched,
            "created": counts.created,
            "changed": counts.changed,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "quarantined": counts.quarantined,
            "requests": counts.requests,
            "seconds": counts.seconds,
        });
        (resource.name().to_owned(), counts)
    });
    Value::Object(resources.collect())
}

/// Waits for a new run of each connection to end, and tells how far they are.
async fn all_runs(
    world: &World,
    connected: &[Connected],
    before: &[RunId],
    teller: &Teller,
) -> Result<Vec<RunState>> {
    let lines = teller.lines(connected);
    let mut ended = Vec::new();
    for (one, line) in connected.iter().zip(&lines) {
        let run = loop {
            let run = newest(world, one.id, before).await?;
            line.show(run.as_ref());
            match run {
                Some(run) if run.finished.is_some() => break run,
                _ => SystemClock.sleep(LOOK).await,
            }
        };
        line.end();
        if run
            .finished
            .is_some_and(|(_, outcome)| outcome != Outcome::Complete)
        {
            bail!(
                "the sync of {} ended with {:?}: {:?}",
                one.name,
                run.finished,
                run.progress.faults
            );
        }
        ended.push(run);
    }
    Ok(ended)
}

async fn newest(world: &World, id: ConnectionId, before: &[RunId]) -> Result<Option<RunState>> {
    let status = world.host().service().status(id).await?;
    let newest = status.syncing.or(status.last_run);
    Ok(newest.filter(|run| !before.contains(&run.id)))
}

/// Waits until every delivery has arrived, and returns how many there are.
async fn deliveries(world: &World) -> Result<usize> {
    let deadline = SystemClock.now() + PATIENCE;
    loop {
        let count = |state| DeliveryFilter {
            state,
            limit: 500,
            ..DeliveryFilter::default()
        };
        let service = world.host().service();
        let waiting = service
            .deliveries(&count(Some(DeliveryState::Pending)))
            .await?
            .len();
        let all = service.deliveries(&count(None)).await?;
        let told = all
            .iter()
            .filter(|one| one.event.name() == "sync.completed")
            .count();
        if waiting == 0 && told >= 4 {
            return Ok(all
                .iter()
                .filter(|one| one.state == DeliveryState::Delivered)
                .count());
        }
        if SystemClock.now() > deadline {
            return Err(anyhow::anyhow!(
                "{waiting} webhooks did not arrive within a minute"
            ))
            .context("deliver webhooks to the demonstration's receiver");
        }
        SystemClock.sleep(LOOK).await;
    }
}
