//! What is stored, for the engine to compare with.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite};
use wrenchtime_connector::{EntityName, SortKey, StreamName};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{KnownRow, StoredRange, StreamState};

use super::KEYS_AT_ONCE;
use crate::codec;
use crate::columns::{KnownColumns, known_row};
use crate::error::Fault;
use crate::sqlite::{SqliteStore, connection};

/// The columns of a [`KnownRow`], of documents `d`, in the order of [`KnownColumns`].
pub(super) const KNOWN_COLUMNS: &str =
    "d.key, d.sort_key, d.version, d.hash, d.mapped_by, d.observation, d.gone, d.resources";

pub(super) async fn stream_states(
    store: &SqliteStore,
    connection: ConnectionId,
) -> Result<BTreeMap<StreamName, StreamState>, Fault> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT s.stream, s.state FROM stream_states s \
         JOIN connections c ON c.row = s.connection WHERE c.id = ?",
    )
    .bind(*connection.as_uuid())
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter()
        .map(|(stream, state)| Ok((StreamName::new(stream), codec::from_json(&state)?)))
        .collect()
}

pub(super) async fn by_keys(
    store: &SqliteStore,
    connection: ConnectionId,
    entity: &EntityName,
    keys: &[SortKey],
) -> Result<Vec<KnownRow>, Fault> {
    let mut tx = store.read().await?;
    let mut found = Vec::new();
    let Some(row) = connection::row_of(&mut tx, connection).await? else {
        return Ok(found);
    };
    for keys in keys.chunks(KEYS_AT_ONCE) {
        let mut query = select();
        query.push_bind(row);
        query.push(" AND d.entity = ").push_bind(entity.as_str());
        push_keys(
            &mut query,
            " AND d.sort_key IN (",
            keys.iter().map(SortKey::as_str),
        );
        let rows: Vec<KnownColumns> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *tx)
            .await?;
        for columns in rows {
            found.push(known_row(columns)?);
        }
    }
    Ok(found)
}

fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!(
        "SELECT {KNOWN_COLUMNS} FROM documents d WHERE d.connection = "
    ))
}

/// Adds `opening`, a parameter for each key and a closing bracket.
pub(super) fn push_keys<'k>(
    query: &mut QueryBuilder<Sqlite>,
    opening: &str,
    keys: impl Iterator<Item = &'k str>,
) {
    query.push(opening);
    let mut list = query.separated(", ");
    for key in keys {
        list.push_bind(key);
    }
    query.push(")");
}

pub(super) async fn in_range(
    store: &SqliteStore,
    connection: ConnectionId,
    range: StoredRange,
) -> Result<Vec<KnownRow>, Fault> {
    let mut tx = store.read().await?;
    let Some(row) = connection::row_of(&mut tx, connection).await? else {
        return Ok(Vec::new());
    };
    let mut query = select();
    query.push_bind(row);
    query
        .push(" AND d.entity = ")
        .push_bind(range.entity.as_str());
    if let Some(after) = &range.after {
        query.push(" AND d.sort_key > ").push_bind(after.as_str());
    }
    if let Some(up_to) = &range.up_to {
        query.push(" AND d.sort_key <= ").push_bind(up_to.as_str());
    }
    query.push(" AND d.gone = 0 ORDER BY d.sort_key LIMIT 0 + ");
    query.push_bind(range.limit);
    let rows: Vec<KnownColumns> = query.build_query_as().fetch_all(&mut *tx).await?;
    rows.into_iter().map(known_row).collect()
}
