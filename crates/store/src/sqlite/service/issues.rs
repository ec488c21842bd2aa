//! Rows that could not be read or mapped.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use wrenchtime_connector::{EntityName, RemoteKey};
use wrenchtime_model::RunId;
use wrenchtime_service::storage::{
    QuarantineId, QuarantinePage, QuarantinePosition, QuarantineQuery, QuarantineRetried,
    QuarantineRetry, QuarantinedRow, RowFault,
};

use super::keys::write_audit;
use super::list::head;
use crate::codec;
use crate::error::Fault;
use crate::sqlite::SqliteStore;
use crate::sqlite::connection::Lane;

/// Row number, entity, key, reason, place, run.
type Unreadable = (i64, String, Option<String>, String, String, Uuid);
/// Row number, entity, key, reason, body.
type Unmapped = (i64, String, String, String, String);

type Placed = (QuarantinePosition, QuarantinedRow);

pub(super) async fn quarantine(
    store: &SqliteStore,
    query: &QuarantineQuery,
) -> Result<QuarantinePage, Fault> {
    let mut tx = store.read().await?;
    let lane = head(&mut tx, query.connection).await?.row;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut rows = match &query.after {
        None => unreadable(&mut tx, lane, (query, 0)).await?,
        Some(QuarantinePosition::Unreadable(row)) => {
            unreadable(&mut tx, lane, (query, *row)).await?
        }
        Some(QuarantinePosition::Unmapped(..)) => Vec::new(),
    };
    if rows.len() <= limit {
        let after = match &query.after {
            Some(QuarantinePosition::Unmapped(entity, row)) => (entity.as_str(), *row),
            _ => ("", 0),
        };
        let room = i64::from(query.limit) + 1 - i64::try_from(rows.len()).unwrap_or(0);
        rows.extend(unmapped(&mut tx, lane, (after, room)).await?);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(place, _)| place.clone());
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(QuarantinePage { rows, next })
}

/// Returns one row more than the page has room for, if there is one.
async fn unreadable(
    tx: &mut SqliteConnection,
    lane: i64,
    (query, after): (&QuarantineQuery, i64),
) -> Result<Vec<Placed>, Fault> {
    let listed = codec::to_json(&listed(tx, lane, query).await?)?;
    // A run that went on after a crash may have met a row twice, and another run may have met it before.
    let rows: Vec<Unreadable> = sqlx::query_as(
        "WITH told AS ( \
           SELECT i.row, i.run, i.entity, i.key, i.reason, i.place, r.id, \
             max(i.run) OVER (PARTITION BY i.entity, i.key, i.number, CASE WHEN i.key IS NULL THEN i.place END) AS last_run, \
             max(i.row) OVER (PARTITION BY i.run, i.entity, i.key, i.number, i.place, i.reason) AS last_row \
           FROM runs r JOIN row_issues i ON i.run = r.row LEFT JOIN json_each(?2) l ON l.key = i.entity \
           WHERE r.connection = ?1 AND (l.value IS NULL OR r.finished_at IS NULL OR r.finished_at >= l.value) \
         ) SELECT row, entity, key, reason, place, id FROM told \
         WHERE run = last_run AND row = last_row AND row > ?3 ORDER BY row LIMIT 0 + ?4",
    )
    .bind(lane)
    .bind(listed)
    .bind(after)
    .bind(i64::from(query.limit) + 1)
    .fetch_all(&mut *tx)
    .await?;
    let placed = |(row, entity, key, reason, place, run): Unreadable| {
        let position = QuarantinePosition::Unreadable(row);
        let run = RunId::from_uuid(run);
        let row = QuarantinedRow {
            id: QuarantineId::Unreadable(row),
            entity: EntityName::new(entity),
            key: key.map(RemoteKey::new),
            reason,
            fault: RowFault::Unreadable { place, run },
        };
        (position, row)
    };
    Ok(rows.into_iter().map(placed).collect())
}

/// Returns when each entity was last listed whole.
async fn listed(
    tx: &mut SqliteConnection,
    lane: i64,
    query: &QuarantineQuery,
) -> Result<BTreeMap<EntityName, i64>, Fault> {
    let completed: Vec<(String, i64)> = sqlx::query_as(
        "SELECT stream, completed_at FROM stream_states WHERE connection = ? AND completed_at IS NOT NULL",
    )
    .bind(lane)
    .fetch_all(&mut *tx)
    .await?;
    let completed: BTreeMap<String, i64> = completed.into_iter().collect();
    let listings = query.listings.iter();
    let listed = listings.filter_map(|(entity, stream)| {
        let at = completed.get(stream.as_str())?;
        Some((entity.clone(), *at))
    });
    Ok(listed.collect())
}

async fn unmapped(
    tx: &mut SqliteConnection,
    lane: i64,
    ((entity, row), room): ((&str, i64), i64),
) -> Result<Vec<Placed>, Fault> {
    let rows: Vec<Unmapped> = sqlx::query_as(
        "SELECT row, entity, key, quarantine_reason, body FROM documents \
         WHERE connection = ? AND quarantine_reason IS NOT NULL AND gone = 0 AND (entity, row) > (?, ?) \
         ORDER BY entity, row LIMIT 0 + ?",
    )
    .bind(lane)
    .bind(entity)
    .bind(row)
    .bind(room)
    .fetch_all(&mut *tx)
    .await?;
    let placed = |(row, entity, key, reason, body): Unmapped| {
        let position = QuarantinePosition::Unmapped(entity.clone(), row);
        let row = QuarantinedRow {
            id: QuarantineId::Unmapped(row),
            entity: EntityName::new(entity),
            key: Some(RemoteKey::new(key)),
            reason,
            fault: RowFault::Unmapped { body },
        };
        (position, row)
    };
    Ok(rows.into_iter().map(placed).collect())
}

/// Marks rows to be tried again by the next run.
pub(super) async fn retry(
    store: &SqliteStore,
    retry: &QuarantineRetry,
) -> Result<Option<QuarantineRetried>, Fault> {
    let mut tx = store.write().await?;
    let Some(lane) = Lane::find(&mut tx, retry.connection).await? else {
        return Ok(None);
    };
    let mut retried = QuarantineRetried::default();
    if !matches!(retry.row, Some(QuarantineId::Unreadable(_))) {
        retried.mapped = want_mapped(&mut tx, lane.row, retry.row).await?;
    }
    if !matches!(retry.row, Some(QuarantineId::Unmapped(_))) {
        want_read(&mut tx, lane.row, (retry, &mut retried)).await?;
    }
    if lane.closed || (retry.row.is_some() && retried == QuarantineRetried::default()) {
        return Ok(None);
    }
    write_audit(&mut tx, &retry.audit).await?;
    tx.commit().await?;
    Ok(Some(retried))
}

async fn want_mapped(
    tx: &mut SqliteConnection,
    lane: i64,
    row: Option<QuarantineId>,
) -> Result<u64, Fault> {
    let one = match row {
        Some(QuarantineId::Unmapped(row)) => Some(row),
        _ => None,
    };
    let done = sqlx::query(
        "UPDATE documents SET tried_by = '' WHERE connection = ?1 AND tried_by IS NOT NULL AND gone = 0 \
         AND (?2 IS NULL OR row = ?2)",
    )
    .bind(lane)
    .bind(one)
    .execute(&mut *tx)
    .await?;
    Ok(done.rows_affected())
}

async fn want_read(
    tx: &mut SqliteConnection,
    lane: i64,
    (retry, retried): (&QuarantineRetry, &mut QuarantineRetried),
) -> Result<(), Fault> {
    let all = QuarantineQuery {
        connection: retry.connection,
        listings: retry.listings.clone(),
        after: None,
        limit: u32::MAX - 1,
    };
    let mut rows = Vec::new();
    for (_, found) in unreadable(tx, lane, (&all, 0)).await? {
        let QuarantineId::Unreadable(row) = found.id else {
            continue;
        };
        if retry.row.is_some_and(|one| one != found.id) {
            continue;
        }
        if found.key.is_some() && retry.rereads.contains(&found.entity) {
            rows.push(row);
            retried.read += 1;
        } else {
            retried.waiting += 1;
        }
    }
    mark_wanted(tx, rows).await
}

async fn mark_wanted(tx: &mut SqliteConnection, rows: Vec<i64>) -> Result<(), Fault> {
    sqlx::query("UPDATE row_issues SET wanted = 1 WHERE row IN (SELECT value FROM json_each(?))")
        .bind(codec::to_json(&rows)?)
        .execute(tx)
        .await?;
    Ok(())
}
