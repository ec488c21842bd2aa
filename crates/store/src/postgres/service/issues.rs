//! Rows that could not be read or mapped.

use std::collections::BTreeMap;

use uuid::Uuid;
use wrenchtime_connector::{EntityName, RemoteKey};
use wrenchtime_model::RunId;
use wrenchtime_service::storage::{
    QuarantinePage, QuarantinePosition, QuarantineQuery, QuarantinedRow, RowFault,
};

use super::list::head;
use crate::error::Fault;
use crate::postgres::text::{Text, plain};
use crate::postgres::{PostgresStore, Tx};

/// Row number, entity, key, reason, place, run.
type Unreadable = (
    i64,
    Text<'static>,
    Option<Text<'static>>,
    Text<'static>,
    Text<'static>,
    Uuid,
);
/// Row number, entity, key, reason.
type Unmapped = (i64, Text<'static>, Text<'static>, Text<'static>);

type Placed = (QuarantinePosition, QuarantinedRow);

pub(super) async fn quarantine(
    store: &PostgresStore,
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
    tx: &mut Tx,
    lane: i64,
    (query, after): (&QuarantineQuery, i64),
) -> Result<Vec<Placed>, Fault> {
    let (entities, times): (Vec<EntityName>, Vec<i64>) =
        listed(tx, lane, query).await?.into_iter().unzip();
    let entities: Vec<Text<'_>> = entities
        .iter()
        .map(|entity| Text::new(entity.as_str()))
        .collect();
    // A run that went on after a crash may have met a row twice, and another run may have met it before.
    let rows: Vec<Unreadable> = sqlx::query_as(
        "WITH told AS ( \
           SELECT i.row, i.run, i.entity, i.key, i.reason, i.place, r.id, \
             max(i.run) OVER (PARTITION BY i.entity, i.key, CASE WHEN i.key IS NULL THEN i.place END) AS last_run, \
             max(i.row) OVER (PARTITION BY i.run, i.entity, i.key, i.place, i.reason) AS last_row \
           FROM runs r JOIN row_issues i ON i.run = r.row \
           LEFT JOIN UNNEST($2::text[], $3::bigint[]) AS l (entity, listed_at) ON l.entity = i.entity \
           WHERE r.connection = $1 AND (l.listed_at IS NULL OR r.finished_at IS NULL OR r.finished_at >= l.listed_at) \
         ) SELECT t.row, t.entity, t.key, t.reason, t.place, t.id FROM told t \
         WHERE t.run = t.last_run AND t.row = t.last_row AND t.row > $4 ORDER BY t.row LIMIT $5",
    )
    .bind(lane)
    .bind(entities)
    .bind(times)
    .bind(after)
    .bind(i64::from(query.limit) + 1)
    .fetch_all(&mut **tx)
    .await?;
    let placed = |(row, entity, key, reason, place, run): Unreadable| {
        let position = QuarantinePosition::Unreadable(row);
        let run = RunId::from_uuid(run);
        let row = QuarantinedRow {
            entity: EntityName::new(entity.into_string()),
            key: plain(key).map(RemoteKey::new),
            reason: reason.into_string(),
            fault: RowFault::Unreadable {
                place: place.into_string(),
                run,
            },
        };
        (position, row)
    };
    Ok(rows.into_iter().map(placed).collect())
}

/// Returns when each entity was last listed whole.
async fn listed(
    tx: &mut Tx,
    lane: i64,
    query: &QuarantineQuery,
) -> Result<BTreeMap<EntityName, i64>, Fault> {
    let completed: Vec<(Text<'static>, i64)> = sqlx::query_as(
        "SELECT stream, completed_at FROM stream_states WHERE connection = $1 AND completed_at IS NOT NULL",
    )
    .bind(lane)
    .fetch_all(&mut **tx)
    .await?;
    let completed: BTreeMap<String, i64> = completed
        .into_iter()
        .map(|(stream, at)| (stream.into_string(), at))
        .collect();
    let listings = query.listings.iter();
    let listed = listings.filter_map(|(entity, stream)| {
        let at = completed.get(stream.as_str())?;
        Some((entity.clone(), *at))
    });
    Ok(listed.collect())
}

async fn unmapped(
    tx: &mut Tx,
    lane: i64,
    ((entity, row), room): ((&str, i64), i64),
) -> Result<Vec<Placed>, Fault> {
    let rows: Vec<Unmapped> = sqlx::query_as(
        "SELECT d.row, d.entity, d.key, d.quarantine_reason FROM documents d \
         WHERE d.connection = $1 AND d.quarantine_reason IS NOT NULL AND NOT d.gone AND (d.entity, d.row) > ($2, $3) \
         ORDER BY d.entity, d.row LIMIT $4",
    )
    .bind(lane)
    .bind(Text::new(entity))
    .bind(row)
    .bind(room)
    .fetch_all(&mut **tx)
    .await?;
    let placed = |(row, entity, key, reason): Unmapped| {
        let entity = entity.into_string();
        let position = QuarantinePosition::Unmapped(entity.clone(), row);
        let row = QuarantinedRow {
            entity: EntityName::new(entity),
            key: Some(RemoteKey::new(key.into_string())),
            reason: reason.into_string(),
            fault: RowFault::Unmapped,
        };
        (position, row)
    };
    Ok(rows.into_iter().map(placed).collect())
}
