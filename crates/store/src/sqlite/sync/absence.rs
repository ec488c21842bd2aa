//! Rows that a listing did not show.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use wrenchtime_connector::SortKey;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::{ConnectionId, RunId, SuspicionId};
use wrenchtime_sync::{Absence, Fence, KnownRow, PageOutcome, Removal, RunProgress};

use super::commit::run_under_way;
use super::known::{KNOWN_COLUMNS, push_keys};
use super::{KEYS_AT_ONCE, bulk};
use crate::codec;
use crate::columns::{KnownColumns, known_row};
use crate::error::Fault;
use crate::page::Page;
use crate::sqlite::connection::Lane;
use crate::sqlite::{SqliteStore, connection};

/// Selects from documents `d` that are missing, of a connection and with the marks of a run, both by row. The selection
/// begins with all in front of its `FROM`.
pub(super) fn select_missing(
    selection: &str,
    absence: &Absence,
    (lane, run): (i64, Option<i64>),
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("{selection} FROM "));
    if absence.by_seen {
        query
            .push("documents d WHERE d.connection = ")
            .push_bind(lane);
        query
            .push(" AND d.entity = ")
            .push_bind(absence.entity.as_str());
        query.push(" AND NOT EXISTS (SELECT 1 FROM run_marks m WHERE m.run = ");
        query.push_bind(run);
        query.push(" AND m.entity = d.entity AND m.sort_key = d.sort_key)");
    } else {
        // A cross join lets SQLite begin with the marks, which are few.
        query.push("run_marks m CROSS JOIN documents d WHERE d.connection = ");
        query.push_bind(lane);
        query.push(" AND d.entity = m.entity AND d.sort_key = m.sort_key AND m.run = ");
        query.push_bind(run);
        query
            .push(" AND m.entity = ")
            .push_bind(absence.entity.as_str());
    }
    query.push(" AND d.gone = 0 AND d.observation <= ");
    query.push_bind(absence.observation);
    query
}

pub(super) async fn run_row(tx: &mut SqliteConnection, run: RunId) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT row FROM runs WHERE id = ?")
        .bind(*run.as_uuid())
        .fetch_optional(tx)
        .await?)
}

pub(super) async fn count(
    store: &SqliteStore,
    connection: ConnectionId,
    absence: &Absence,
) -> Result<(u64, u64), Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok((0, 0));
    };
    // Two counts over indexes alone: the documents themselves are not read.
    let stored: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM documents WHERE connection = ?1 AND entity = ?2) \
         - (SELECT count(*) FROM documents WHERE connection = ?1 AND entity = ?2 AND gone = 1)",
    )
    .bind(lane)
    .bind(absence.entity.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let run = run_row(&mut tx, absence.run).await?;
    let mut query = select_missing("SELECT count(*)", absence, (lane, run));
    let missing: i64 = query.build_query_scalar().fetch_one(&mut *tx).await?;
    Ok((codec::unsigned(missing)?, codec::unsigned(stored)?))
}

/// Counts the rows that are missing and that a suspicion has shown.
pub(super) async fn count_suspect(
    store: &SqliteStore,
    connection: ConnectionId,
    (absence, suspicion): (&Absence, SuspicionId),
) -> Result<u64, Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok(0);
    };
    let shown: Option<(i64, i64)> =
        sqlx::query_as("SELECT row, observation FROM suspicions WHERE connection = ? AND id = ?")
            .bind(lane)
            .bind(*suspicion.as_uuid())
            .fetch_optional(&mut *tx)
            .await?;
    let Some((suspicion, observation)) = shown else {
        return Ok(0);
    };
    let run = run_row(&mut tx, absence.run).await?;
    let mut query = select_missing("SELECT count(*)", absence, (lane, run));
    query.push(" AND d.observation <= ").push_bind(observation);
    query.push(" AND EXISTS (SELECT 1 FROM suspects x WHERE x.suspicion = ");
    query.push_bind(suspicion);
    query.push(" AND x.sort_key = d.sort_key)");
    let count: i64 = query.build_query_scalar().fetch_one(&mut *tx).await?;
    codec::unsigned(count)
}

pub(super) async fn list(
    store: &SqliteStore,
    connection: ConnectionId,
    absence: &Absence,
    (after, limit): (Option<&SortKey>, u32),
) -> Result<Vec<KnownRow>, Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok(Vec::new());
    };
    let run = run_row(&mut tx, absence.run).await?;
    let mut query = select_missing(&format!("SELECT {KNOWN_COLUMNS}"), absence, (lane, run));
    let ordered = if absence.by_seen { "d" } else { "m" };
    if let Some(after) = after {
        query.push(format_args!(" AND {ordered}.sort_key > "));
        query.push_bind(after.as_str());
    }
    query.push(format_args!(" ORDER BY {ordered}.sort_key LIMIT 0 + "));
    query.push_bind(limit);
    let rows: Vec<KnownColumns> = query.build_query_as().fetch_all(&mut *tx).await?;
    rows.into_iter().map(known_row).collect()
}

pub(super) async fn remove(
    store: &SqliteStore,
    fence: &Fence,
    removal: Removal,
) -> Result<PageOutcome, Fault> {
    let mut tx = store.write().await?;
    let mut lane = Lane::fenced(&mut tx, fence).await?;
    let run = run_under_way(&mut tx, lane.row, removal.run).await?;
    let mut stored =
        bulk::documents(&mut tx, lane.row, &removal.entity, removal.keys.iter()).await?;
    stored
        .documents
        .retain(|_, document| !document.gone && document.observation <= removal.observation);
    let rows: Vec<(&SortKey, i64)> = removal
        .keys
        .iter()
        .filter_map(|key| Some((key, stored.documents.get(key)?.row)))
        .collect();
    let mut page = Page::new(
        fence.connection,
        stored,
        0,
        lane.clock,
        store.inner.clock.now(),
    );
    for (_, row) in &rows {
        page.retire(*row, &BTreeSet::new());
    }
    bulk::write(&mut tx, lane.row, &page, removal.initial).await?;
    for rows in rows.chunks(KEYS_AT_ONCE) {
        // An answer that left before the listing must not bring the row back.
        let mut query = QueryBuilder::<Sqlite>::new(
            "UPDATE documents SET gone = 1, resources = '', observation = ",
        );
        query.push_bind(removal.observation);
        query.push(" WHERE connection = ").push_bind(lane.row);
        query
            .push(" AND entity = ")
            .push_bind(removal.entity.as_str());
        push_keys(
            &mut query,
            " AND sort_key IN (",
            rows.iter().map(|(key, _)| key.as_str()),
        );
        query.build().persistent(false).execute(&mut *tx).await?;
    }
    let outcome = page.outcome;
    let progress: String = sqlx::query_scalar("SELECT progress FROM runs WHERE row = ?")
        .bind(run)
        .fetch_one(&mut *tx)
        .await?;
    let mut progress: RunProgress = codec::from_json(&progress)?;
    progress.add(&outcome);
    sqlx::query("UPDATE runs SET progress = ? WHERE row = ?")
        .bind(codec::to_json(&progress)?)
        .bind(run)
        .execute(&mut *tx)
        .await?;
    lane.clock = page.clock;
    lane.store(&mut tx).await?;
    failpoint::pass(Point::RemoveInside);
    tx.commit().await?;
    Ok(outcome)
}
