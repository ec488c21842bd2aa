//! Rows that a listing did not show.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;
use sqlx::{Postgres, QueryBuilder};
use wrenchtime_connector::SortKey;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::{ConnectionId, RunId, SuspicionId};
use wrenchtime_sync::{Absence, Fence, KnownRow, PageOutcome, Removal, RunProgress};

use super::bulk;
use super::commit::run_under_way;
use super::known::{KNOWN_COLUMNS, KnownColumns, known_row, push_bound};
use crate::codec;
use crate::error::Fault;
use crate::page::Page;
use crate::postgres::connection::Lane;
use crate::postgres::text::Text;
use crate::postgres::{PostgresStore, connection};

/// Selects from documents `d` that are missing, of a connection and with the marks of a run, both by row. The selection
/// begins with all in front of its `FROM`.
pub(super) fn select_missing(
    selection: &str,
    absence: &Absence,
    (lane, run): (i64, Option<i64>),
) -> QueryBuilder<Postgres> {
    const SAME_KEY: &str = "m.entity = d.entity AND left(m.sort_key, 500) = left(d.sort_key, 500) AND m.sort_key = d.sort_key";
    let mut query = QueryBuilder::new(format!("{selection} FROM documents d "));
    let is_marked = |query: &mut QueryBuilder<Postgres>| {
        query.push("run_marks m WHERE m.run = ").push_bind(run);
        query.push(format_args!(" AND {SAME_KEY}) AND "));
    };
    query.push(if absence.by_seen {
        "WHERE NOT EXISTS (SELECT 1 FROM "
    } else {
        "WHERE EXISTS (SELECT 1 FROM "
    });
    is_marked(&mut query);
    query.push("d.connection = ").push_bind(lane);
    query.push(" AND d.entity = ");
    query.push_bind(Text::owned(absence.entity.as_str().to_owned()));
    query.push(" AND NOT d.gone AND d.observation <= ");
    query.push_bind(absence.observation);
    query
}

pub(super) async fn run_row(tx: &mut PgConnection, run: RunId) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT row FROM runs WHERE id = $1")
        .bind(*run.as_uuid())
        .fetch_optional(tx)
        .await?)
}

pub(super) async fn count(
    store: &PostgresStore,
    connection: ConnectionId,
    absence: &Absence,
) -> Result<(u64, u64), Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok((0, 0));
    };
    // Two counts over indexes alone: the documents themselves are not read.
    let stored: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM documents WHERE connection = $1 AND entity = $2) \
         - (SELECT count(*) FROM documents WHERE connection = $1 AND entity = $2 AND gone)",
    )
    .bind(lane)
    .bind(Text::new(absence.entity.as_str()))
    .fetch_one(&mut *tx)
    .await?;
    let run = run_row(&mut tx, absence.run).await?;
    let mut query = select_missing("SELECT count(*)", absence, (lane, run));
    let missing: i64 = query.build_query_scalar().fetch_one(&mut *tx).await?;
    Ok((codec::unsigned(missing)?, codec::unsigned(stored)?))
}

/// Counts the rows that are missing and that a suspicion has shown.
pub(super) async fn count_suspect(
    store: &PostgresStore,
    connection: ConnectionId,
    (absence, suspicion): (&Absence, SuspicionId),
) -> Result<u64, Fault> {
    let mut tx = store.read().await?;
    let Some(lane) = connection::row_of(&mut tx, connection).await? else {
        return Ok(0);
    };
    let shown: Option<(i64, i64)> =
        sqlx::query_as("SELECT row, observation FROM suspicions WHERE connection = $1 AND id = $2")
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
    query.push(" AND left(x.sort_key, 500) = left(d.sort_key, 500) AND x.sort_key = d.sort_key)");
    let count: i64 = query.build_query_scalar().fetch_one(&mut *tx).await?;
    codec::unsigned(count)
}

pub(super) async fn list(
    store: &PostgresStore,
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
    if let Some(after) = after {
        push_bound(&mut query, ("d", ">"), after);
    }
    query.push(" ORDER BY left(d.sort_key, 500), d.sort_key LIMIT ");
    query.push_bind(i64::from(limit));
    let rows: Vec<KnownColumns> = query.build_query_as().fetch_all(&mut *tx).await?;
    rows.into_iter().map(known_row).collect()
}

pub(super) async fn remove(
    store: &PostgresStore,
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
    let keys = removal.keys.iter();
    let rows: Vec<i64> = keys
        .filter_map(|key| Some(stored.documents.get(key)?.row))
        .collect();
    let mut page = Page::new(
        fence.connection,
        stored,
        0,
        lane.clock,
        store.inner.clock.now(),
    );
    for row in &rows {
        page.retire(*row, &BTreeSet::new());
    }
    bulk::write(&mut tx, lane.row, &page, removal.initial).await?;
    // An answer that left before the listing must not bring the row back.
    sqlx::query(
        "UPDATE documents SET gone = true, resources = '', observation = $1 WHERE connection = $2 AND row = ANY($3)",
    )
    .bind(removal.observation)
    .bind(lane.row)
    .bind(&rows)
    .execute(&mut *tx)
    .await?;
    let outcome = page.outcome;
    let progress: String = sqlx::query_scalar("SELECT progress FROM runs WHERE row = $1")
        .bind(run)
        .fetch_one(&mut *tx)
        .await?;
    let mut progress: RunProgress = codec::from_json(&progress)?;
    progress.add(&outcome);
    sqlx::query("UPDATE runs SET progress = $1 WHERE row = $2")
        .bind(codec::to_json(&progress)?)
        .bind(run)
        .execute(&mut *tx)
        .await?;
    lane.clock = page.clock;
    lane.store(&mut tx).await?;
    failpoint::pass(Point::RemoveInside);
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    Ok(outcome)
}
