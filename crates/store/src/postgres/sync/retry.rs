//! What is in quarantine and is to be tried again.

use sqlx::postgres::PgConnection;
use wrenchtime_connector::{EntityName, RemoteKey};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{PageCommit, StoredDocument, UnmappedQuery};

use crate::columns::{DocumentColumns, stored_document};
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::text::Text;

/// How many rows are read again in one run.
const UNREAD: i64 = 1_000;

/// The columns of a [`StoredDocument`], in the order of [`DocumentColumns`].
const COLUMNS: &str =
    "entity, key, sort_key, version, hash, observation, changed_at, changed_text, body";

pub(super) async fn unmapped(
    store: &PostgresStore,
    connection: ConnectionId,
    query: &UnmappedQuery,
) -> Result<Vec<StoredDocument>, Fault> {
    let entities: Vec<Text<'_>> = query
        .entities
        .iter()
        .map(|entity| Text::new(entity.as_str()))
        .collect();
    // Two ranges of an index: what this mapper has tried is not looked at.
    let rows: Vec<DocumentColumns<Text<'static>>> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM documents WHERE connection = (SELECT row FROM connections WHERE id = $1) \
         AND (tried_by < $2 OR tried_by > $2) AND NOT gone \
         AND entity = ANY($3) LIMIT $4"
    )))
    .bind(*connection.as_uuid())
    .bind(Text::new(&query.not_by))
    .bind(entities)
    .bind(i64::from(query.limit))
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter().map(stored_document).collect()
}

pub(super) async fn unread(
    store: &PostgresStore,
    connection: ConnectionId,
) -> Result<Vec<(EntityName, RemoteKey)>, Fault> {
    let rows: Vec<(Text<'static>, Text<'static>)> = sqlx::query_as(
        "SELECT DISTINCT i.entity, i.key FROM row_issues i JOIN runs r ON r.row = i.run \
         WHERE r.connection = (SELECT row FROM connections WHERE id = $1) AND i.wanted AND i.key IS NOT NULL \
         ORDER BY i.entity, i.key LIMIT $2",
    )
    .bind(*connection.as_uuid())
    .bind(UNREAD)
    .fetch_all(&store.inner.readers)
    .await?;
    let row = |(entity, key): (Text<'static>, Text<'static>)| {
        let key = RemoteKey::new(key.into_string());
        (EntityName::new(entity.into_string()), key)
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Forgets what was told of rows that were read again.
pub(super) async fn settle(
    tx: &mut PgConnection,
    lane: i64,
    commit: &PageCommit,
) -> Result<(), Fault> {
    if commit.reread.is_empty() {
        return Ok(());
    }
    let keys: Vec<Text<'_>> = commit
        .reread
        .iter()
        .map(|key| Text::new(key.as_str()))
        .collect();
    sqlx::query(
        "DELETE FROM row_issues WHERE run IN (SELECT row FROM runs WHERE connection = $1) AND entity = $2 AND key = ANY($3)",
    )
    .bind(lane)
    .bind(Text::new(commit.entity.as_str()))
    .bind(keys)
    .execute(tx)
    .await?;
    Ok(())
}
