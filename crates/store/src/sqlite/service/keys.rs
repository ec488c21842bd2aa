//! Named values, management keys, connection tokens, the audit log.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{
    AuditEntry, ConnectionToken, ManagementKey, SecretHash, StoredConnection,
};

use super::connections::{CONNECTION_COLUMNS, stored_connection};
use crate::codec;
use crate::columns::{KeyColumns, management_key};
use crate::error::Fault;
use crate::sqlite::SqliteStore;

pub(super) async fn meta(store: &SqliteStore, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
        .bind(name)
        .fetch_optional(&store.inner.readers)
        .await?)
}

pub(super) async fn meta_init(
    store: &SqliteStore,
    name: &str,
    value: &[u8],
) -> Result<Vec<u8>, Fault> {
    // Asked first, so that a look with a wrong key writes nothing at all.
    if let Some(kept) = meta(store, name).await? {
        return Ok(kept);
    }
    let mut tx = store.write().await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(value)
        .execute(&mut *tx)
        .await?;
    let kept = sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(kept)
}

pub(super) async fn put_meta(store: &SqliteStore, name: &str, value: &[u8]) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn add(
    store: &SqliteStore,
    key: &ManagementKey,
    audit: &AuditEntry,
) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO management_keys (id, name, hash, created_at, revoked_at) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(key.id)
    .bind(key.name.as_str())
    .bind(key.hash.0.as_slice())
    .bind(codec::micros(key.created_at))
    .bind(key.revoked_at.map(codec::micros))
    .execute(&mut *tx)
    .await?;
    write_audit(&mut tx, audit).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn by_hash(
    store: &SqliteStore,
    hash: &SecretHash,
) -> Result<Option<ManagementKey>, Fault> {
    let columns: Option<KeyColumns> = sqlx::query_as(
        "SELECT id, name, hash, created_at, revoked_at FROM management_keys WHERE hash = ?",
    )
    .bind(hash.0.as_slice())
    .fetch_optional(&store.inner.readers)
    .await?;
    columns.map(management_key).transpose()
}

pub(super) async fn all(store: &SqliteStore) -> Result<Vec<ManagementKey>, Fault> {
    let rows: Vec<KeyColumns> = sqlx::query_as(
        "SELECT id, name, hash, created_at, revoked_at FROM management_keys ORDER BY created_at, id",
    )
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter().map(management_key).collect()
}

pub(super) async fn revoke(
    store: &SqliteStore,
    id: Uuid,
    at: DateTime<Utc>,
    audit: &AuditEntry,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE management_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
    )
    .bind(codec::micros(at))
    .bind(id)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    write_audit(&mut tx, audit).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn token_by_hash(
    store: &SqliteStore,
    hash: &SecretHash,
) -> Result<Option<(ConnectionToken, StoredConnection)>, Fault> {
    // Asked before reading: what ends in between is not remembered as if it had been read.
    let writes = store.inner.writes.settled();
    if let Some(caller) = writes.and_then(|writes| store.inner.callers.get(writes, hash)) {
        return Ok(Some(caller));
    }
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT t.id, t.created_at, t.void_from, {CONNECTION_COLUMNS} FROM connection_tokens t \
         JOIN connections c ON c.row = t.connection JOIN connection_details d ON d.connection = c.row \
         WHERE t.hash = ?"
    )))
    .bind(hash.0.as_slice())
    .fetch_optional(&store.inner.readers)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let connection = stored_connection(&row, 3)?;
    let void_from: Option<i64> = row.try_get(2)?;
    let token = ConnectionToken {
        id: row.try_get(0)?,
        connection: connection.id,
        hash: *hash,
        created_at: codec::instant(row.try_get(1)?)?,
        void_from: void_from.map(codec::instant).transpose()?,
    };
    let caller = (token, connection);
    if let Some(writes) = writes {
        store.inner.callers.keep(writes, hash, &caller);
    }
    Ok(Some(caller))
}

pub(super) async fn add_token(
    tx: &mut SqliteConnection,
    lane: i64,
    token: &ConnectionToken,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO connection_tokens (id, connection, hash, created_at, void_from) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(token.id)
    .bind(lane)
    .bind(token.hash.0.as_slice())
    .bind(codec::micros(token.created_at))
    .bind(token.void_from.map(codec::micros))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn write_audit(
    tx: &mut SqliteConnection,
    entry: &AuditEntry,
) -> Result<(), Fault> {
    sqlx::query("INSERT INTO audit (at, actor, action, connection, detail) VALUES (?, ?, ?, ?, ?)")
        .bind(codec::micros(entry.at))
        .bind(entry.actor.as_str())
        .bind(entry.action.as_str())
        .bind(
            entry
                .connection
                .as_ref()
                .map(|id: &ConnectionId| *id.as_uuid()),
        )
        .bind(codec::to_json(&entry.detail)?)
        .execute(tx)
        .await?;
    Ok(())
}
