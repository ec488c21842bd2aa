//! What is in quarantine and is to be tried again.

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use wrenchtime_connector::{EntityName, RemoteKey};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{PageCommit, StoredDocument, UnmappedQuery};

use super::KEYS_AT_ONCE;
use super::known::push_keys;
use crate::columns::{DocumentColumns, stored_document};
use crate::error::Fault;
use crate::sqlite::SqliteStore;

/// How many rows are read again in one run.
const UNREAD: i64 = 1_000;

/// The columns of a [`StoredDocument`], in the order of [`DocumentColumns`].
const COLUMNS: &str =
    "entity, key, sort_key, version, hash, observation, changed_at, changed_text, body";

pub(super) async fn unmapped(
    store: &SqliteStore,
    connection: ConnectionId,
    query: &UnmappedQuery,
) -> Result<Vec<StoredDocument>, Fault> {
    let mut select =
        QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM (SELECT {COLUMNS}"));
    // Two ranges of an index: what this mapper has tried is not looked at.
    for (number, range) in ["<", ">"].into_iter().enumerate() {
        if number > 0 {
            select.push(format_args!(" UNION ALL SELECT {COLUMNS}"));
        }
        select.push(" FROM documents WHERE connection = (SELECT row FROM connections WHERE id = ");
        select.push_bind(*connection.as_uuid());
        select.push(format_args!(") AND tried_by {range} "));
        select.push_bind(query.not_by.as_str());
        select.push(" AND gone = 0");
        let entities = query.entities.iter().map(EntityName::as_str);
        push_keys(&mut select, " AND entity IN (", entities);
    }
    select
        .push(") LIMIT 0 + ")
        .push_bind(i64::from(query.limit));
    let rows: Vec<DocumentColumns<String>> = select
        .build_query_as()
        .fetch_all(&store.inner.readers)
        .await?;
    rows.into_iter().map(stored_document).collect()
}

pub(super) async fn unread(
    store: &SqliteStore,
    connection: ConnectionId,
) -> Result<Vec<(EntityName, RemoteKey)>, Fault> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT i.entity, i.key FROM row_issues i JOIN runs r ON r.row = i.run \
         WHERE r.connection = (SELECT row FROM connections WHERE id = ?) AND i.wanted = 1 AND i.key IS NOT NULL \
         ORDER BY i.entity, i.key LIMIT 0 + ?",
    )
    .bind(*connection.as_uuid())
    .bind(UNREAD)
    .fetch_all(&store.inner.readers)
    .await?;
    let row = |(entity, key): (String, String)| (EntityName::new(entity), RemoteKey::new(key));
    Ok(rows.into_iter().map(row).collect())
}

/// Forgets what was told of rows that were read again.
pub(super) async fn settle(
    tx: &mut SqliteConnection,
    lane: i64,
    commit: &PageCommit,
) -> Result<(), Fault> {
    if commit.reread.is_empty() {
        return Ok(());
    }
    for keys in commit.reread.chunks(KEYS_AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "DELETE FROM row_issues WHERE run IN (SELECT row FROM runs WHERE connection = ",
        );
        query.push_bind(lane);
        query
            .push(") AND entity = ")
            .push_bind(commit.entity.as_str());
        let keys = keys.iter().map(RemoteKey::as_str);
        push_keys(&mut query, " AND key IN (", keys);
        query.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}
