//! What is stored, for the engine to compare with.

use std::collections::{BTreeMap, HashSet};

use sqlx::{Postgres, QueryBuilder};
use wrenchtime_connector::{EntityName, SortKey, StreamName};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{KnownRow, StoredRange, StreamState};

use crate::codec;
use crate::columns;
use crate::error::Fault;
use crate::postgres::text::{Text, plain};
use crate::postgres::{PostgresStore, connection};

/// The columns of a [`KnownRow`], of documents `d`, in the order of [`KnownColumns`].
pub(super) const KNOWN_COLUMNS: &str =
    "d.key, d.sort_key, d.version, d.hash, d.mapped_by, d.observation, d.gone, d.resources";

/// A [`KnownRow`] as columns.
pub(super) type KnownColumns = (
    Text<'static>,
    Text<'static>,
    Option<Text<'static>>,
    Vec<u8>,
    Text<'static>,
    i64,
    bool,
    String,
);

pub(super) fn known_row(columns: KnownColumns) -> Result<KnownRow, Fault> {
    let (key, sort_key, version, hash, mapped_by, observation, gone, resources) = columns;
    columns::known_row((
        key.into_string(),
        sort_key.into_string(),
        plain(version),
        hash,
        mapped_by.into_string(),
        observation,
        gone,
        resources,
    ))
}

/// Returns what an index finds these keys by. Longer keys that begin alike share it.
pub(super) fn indexed<'k>(keys: impl Iterator<Item = &'k SortKey>) -> Vec<String> {
    keys.map(|key| Text::new(key.as_str()).indexed()).collect()
}

pub(super) async fn stream_states(
    store: &PostgresStore,
    connection: ConnectionId,
) -> Result<BTreeMap<StreamName, StreamState>, Fault> {
    let rows: Vec<(Text<'static>, String)> = sqlx::query_as(
        "SELECT s.stream, s.state FROM stream_states s \
         JOIN connections c ON c.row = s.connection WHERE c.id = $1",
    )
    .bind(*connection.as_uuid())
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter()
        .map(|(stream, state)| {
            let stream = StreamName::new(stream.into_string());
            Ok((stream, codec::from_json(&state)?))
        })
        .collect()
}

pub(super) async fn by_keys(
    store: &PostgresStore,
    connection: ConnectionId,
    entity: &EntityName,
    keys: &[SortKey],
) -> Result<Vec<KnownRow>, Fault> {
    let rows: Vec<KnownColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {KNOWN_COLUMNS} FROM documents d WHERE d.connection = (SELECT row FROM connections WHERE id = $1) \
         AND d.entity = $2 AND left(d.sort_key, 500) = ANY($3)"
    )))
    .bind(*connection.as_uuid())
    .bind(Text::new(entity.as_str()))
    .bind(indexed(keys.iter()))
    .fetch_all(&store.inner.readers)
    .await?;
    let wanted: HashSet<&SortKey> = keys.iter().collect();
    let mut found = Vec::with_capacity(rows.len());
    for columns in rows {
        let row = known_row(columns)?;
        if wanted.contains(&row.sort_key) {
            found.push(row);
        }
    }
    Ok(found)
}

/// Adds that a key stands behind another, or where it ends.
pub(super) fn push_bound(
    query: &mut QueryBuilder<Postgres>,
    (table, is): (&str, &str),
    key: &SortKey,
) {
    let key = Text::new(key.as_str());
    // What the index is by, and then what is really asked.
    let begins = if is.starts_with('>') { ">=" } else { "<=" };
    query.push(format_args!(" AND left({table}.sort_key, 500) {begins} "));
    query.push_bind(key.indexed());
    query.push(format_args!(" AND {table}.sort_key {is} "));
    query.push_bind(Text::owned(key.into_string()));
}

pub(super) async fn in_range(
    store: &PostgresStore,
    connection: ConnectionId,
    range: StoredRange,
) -> Result<Vec<KnownRow>, Fault> {
    let mut tx = store.read().await?;
    let Some(row) = connection::row_of(&mut tx, connection).await? else {
        return Ok(Vec::new());
    };
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT {KNOWN_COLUMNS} FROM documents d WHERE d.connection = "
    ));
    query.push_bind(row);
    query.push(" AND d.entity = ");
    query.push_bind(Text::new(range.entity.as_str()));
    if let Some(after) = &range.after {
        push_bound(&mut query, ("d", ">"), after);
    }
    if let Some(up_to) = &range.up_to {
        push_bound(&mut query, ("d", "<="), up_to);
    }
    query.push(" AND NOT d.gone ORDER BY left(d.sort_key, 500), d.sort_key LIMIT ");
    query.push_bind(i64::from(range.limit));
    let rows: Vec<KnownColumns> = query.build_query_as().fetch_all(&mut *tx).await?;
    rows.into_iter().map(known_row).collect()
}
