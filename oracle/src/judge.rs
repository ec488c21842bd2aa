//! What must be true when a history is over and all is quiet.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::Value;
use wrenchtime_model::{EventType, IdentityClass, RecordId, Resource};
use wrenchtime_sync::{Outcome, RunReport};

use crate::clients::Known;
use crate::connector::listing_of;
use crate::truth::{Row, TableNumber};
use crate::world::{Ask, World};

/// How many runs it may take until everything is read: one that was left is gone on with, one lists anew what that
/// could not prove, and an operator accepts what is gone.
const RUNS: u32 = 5;

const RESOURCES: [Resource; 2] = [Resource::WorkOrder, Resource::Asset];

/// A record, by table and key.
type Place = (TableNumber, u32);

/// Lets everything become quiet and visible, and looks.
pub(crate) async fn judge(world: &mut World) -> Result<()> {
    world.server.with(crate::source::Source::calm);
    // Whatever was refused is not any more.
    let meaning = world.server.with(|source| source.truth.meaning());
    if meaning.picky {
        let picky = false;
        world.remap(crate::Meaning { picky, ..meaning });
    }
    settle(world);
    let changes_only = Ask {
        changes_only: true,
        ..Ask::default()
    };
    // One that goes on with what was left, and one that begins by itself.
    world.run_quietly(changes_only).await?;
    let report = world.run_quietly(changes_only).await?;
    ensure!(
        report.outcome == Outcome::Complete || is_suspect(&report),
        "when all is quiet a run of changes ends {:?}: {:?}",
        report.outcome,
        report.progress.faults
    );
    seen_in_changes(world).await?;
    world.look_back_without_end();
    list_everything(world).await?;
    let known = fresh(world).await?;
    compare(world, &known, |_, _| true)?;
    clients_agree(world, &known).await?;
    nothing_more(world).await
}

fn settle(world: &World) {
    let config = world.server.with(|source| source.truth.config().clone());
    let steps = 2 * config.precision.step();
    // A pause that the source asked for is over as well.
    world.wait(config.declared_lag() + steps + Duration::from_secs(500));
}

/// Without any listing, every row is as it should be whose last change a stream of changes shows.
async fn seen_in_changes(world: &mut World) -> Result<()> {
    let states = world.states().await?;
    let known = fresh(world).await?;
    let config = world.server.with(|source| source.truth.config().clone());
    let told: Vec<bool> = (0..config.tables.len())
        .map(|table| {
            let listed = states
                .get(&listing_of(table))
                .is_some_and(|state| state.completed_at.is_some());
            let lied = world.server.with(|source| {
                source.lied(table, true).is_some() || source.lied(table, false).is_some()
            });
            config.tables[table].changes.is_some() && listed && !lied
        })
        .collect();
    compare(world, &known, |table, unseen| told[table] && !unseen)
        .map_err(|error| error.context("by streams of changes alone"))
}

async fn list_everything(world: &mut World) -> Result<()> {
    let mut ask = Ask {
        listings: true,
        ..Ask::default()
    };
    let mut last = None;
    for _ in 0..RUNS {
        let report = world.run_quietly(ask).await?;
        if report.outcome == Outcome::Complete && last.is_some() {
            return Ok(());
        }
        // Nothing lies any more, so what is missing is gone.
        ask.accept_deletes = is_suspect(&report);
        last = Some(report);
    }
    bail!("after {RUNS} runs in which nothing happened, not everything is read: {last:?}")
}

fn is_suspect(report: &RunReport) -> bool {
    let mut faults = report.progress.faults.values();
    report.outcome == Outcome::Partial && faults.any(|words| words.contains("too many to believe"))
}

async fn fresh(world: &World) -> Result<Known> {
    let clients = world.clients.lock().await;
    clients.fresh().await.map_err(|words| anyhow!(words))
}

/// Compares the copy with the truth, for rows that are wanted by table and by whether their last change is unseen, or too
/// long ago for a look-back.
fn compare(world: &World, known: &Known, wants: impl Fn(TableNumber, bool) -> bool) -> Result<()> {
    let (expected, rows) = world.server.with(|source| {
        let is_unseen = |place: Place, row: &Row| {
            row.unseen || source.truth.may_be_left_out(row) || source.was_unread(place)
        };
        let rows: Vec<(Place, bool)> = (0..source.truth.config().tables.len())
            .flat_map(|table| {
                let rows = source.truth.rows(table);
                rows.map(move |(key, row)| ((table, key), is_unseen((table, key), row)))
            })
            .collect();
        (source.truth.records(), rows)
    });
    let mut copy: BTreeMap<RecordId, Value> = BTreeMap::new();
    for (id, (_, content)) in known {
        copy.insert(*id, content.clone());
    }
    for (place, unseen) in rows {
        let copied = copy.remove(&id_of(world, place));
        let truth = expected.get(&place);
        if wants(place.0, unseen) && copied.as_ref() != truth {
            bail!("row {place:?} is {truth:?}, and its copy {copied:?}");
        }
    }
    if let Some((id, content)) = copy.first_key_value() {
        bail!("there never was a row of the copy's {id}: {content}");
    }
    Ok(())
}

/// Returns the id of a row's record.
pub(crate) fn id_of(world: &World, (table, key): Place) -> RecordId {
    let class = IdentityClass::new(RESOURCES[table].name());
    RecordId::derive(world.connection, &class, &key.to_string())
}

/// Whoever followed knows what is stored, and was told nothing twice.
async fn clients_agree(world: &mut World, known: &Known) -> Result<()> {
    let mut clients = world.clients.lock().await;
    clients.drain().await.map_err(|words| anyhow!(words))?;
    ensure!(
        clients.followed() == *known,
        "who followed modified_after knows {:?}, and the copy is {known:?}",
        clients.followed()
    );
    ensure!(
        clients.feed.known == *known,
        "who followed the changes knows {:?}, and the copy is {known:?}",
        clients.feed.known
    );
    let alive: BTreeMap<RecordId, Resource> = known
        .iter()
        .map(|(id, (resource, _))| (*id, *resource))
        .collect();
    ensure!(
        *clients.feed.alive() == alive,
        "the log replayed is not the copy"
    );
    let findings = world
        .findings
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let turns: Vec<(Place, u32)> = world.server.with(|source| {
        let tables = 0..source.truth.config().tables.len();
        tables
            .flat_map(|table| {
                let rows = source.truth.rows(table);
                rows.map(move |(key, row)| ((table, key), row.turns))
            })
            .collect()
    });
    for (place, turns) in turns {
        let told = clients.feed.entries.get(&id_of(world, place));
        let told = told.copied().unwrap_or_default();
        let excused = findings.excused.get(&place).copied().unwrap_or_default();
        ensure!(
            told <= turns + 2 * excused,
            "row {place:?} changed {turns} times, and the log tells of {told} changes"
        );
    }
    Ok(())
}

/// A run over what has not changed says that it ran, and nothing else.
async fn nothing_more(world: &mut World) -> Result<()> {
    let before = world.clients.lock().await.feed.entries.clone();
    let ask = Ask {
        listings: true,
        ..Ask::default()
    };
    let report = world.run_quietly(ask).await?;
    ensure!(
        report.outcome == Outcome::Complete,
        "a run in which nothing changed ends {:?}",
        report.outcome
    );
    let mut clients = world.clients.lock().await;
    clients.drain().await.map_err(|words| anyhow!(words))?;
    ensure!(
        clients.feed.entries == before,
        "{} was told although nothing changed",
        EventType::RecordUpdated.name()
    );
    Ok(())
}
