//! Named values, management keys, connection tokens, the audit log.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{
    AuditEntry, ConnectionToken, ManagementKey, SecretHash, StoredConnection,
};

use super::connections::{CONNECTION_COLUMNS, stored_connection};
use crate::codec;
use crate::columns;
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::text::Text;

pub(super) async fn meta(store: &PostgresStore, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(Text::new(name))
        .fetch_optional(&store.inner.readers)
        .await?)
}

/// Fails when nothing can be written: a statement that would change nothing is refused all the same by a server that only
/// reads.
pub(super) async fn check_writable(store: &PostgresStore) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    sqlx::query("DELETE FROM meta WHERE name = ''")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn meta_init(
    store: &PostgresStore,
    name: &str,
    value: &[u8],
) -> Result<Vec<u8>, Fault> {
    // Asked first, so that a look with a wrong key writes nothing at all.
    if let Some(kept) = meta(store, name).await? {
        return Ok(kept);
    }
    let mut tx = store.write().await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(Text::new(name))
        .bind(value)
        .execute(&mut *tx)
        .await?;
    let kept = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(Text::new(name))
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(kept)
}

pub(super) async fn put_meta(store: &PostgresStore, name: &str, value: &[u8]) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(Text::new(name))
    .bind(value)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// A [`ManagementKey`] as columns.
type KeyColumns = (Uuid, Text<'static>, Vec<u8>, i64, Option<i64>);

fn management_key(columns: KeyColumns) -> Result<ManagementKey, Fault> {
    let (id, name, hash, created_at, revoked_at) = columns;
    columns::management_key((id, name.into_string(), hash, created_at, revoked_at))
}

pub(super) async fn add(
    store: &PostgresStore,
    key: &ManagementKey,
    audit: &AuditEntry,
) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO management_keys (id, name, hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(key.id)
    .bind(Text::new(&key.name))
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
    store: &PostgresStore,
    hash: &SecretHash,
) -> Result<Option<ManagementKey>, Fault> {
    let columns: Option<KeyColumns> = sqlx::query_as(
        "SELECT id, name, hash, created_at, revoked_at FROM management_keys WHERE hash = $1",
    )
    .bind(hash.0.as_slice())
    .fetch_optional(&store.inner.readers)
    .await?;
    columns.map(management_key).transpose()
}

pub(super) async fn all(store: &PostgresStore) -> Result<Vec<ManagementKey>, Fault> {
    let rows: Vec<KeyColumns> = sqlx::query_as(
        "SELECT id, name, hash, created_at, revoked_at FROM management_keys ORDER BY created_at, id",
    )
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter().map(management_key).collect()
}

pub(super) async fn revoke(
    store: &PostgresStore,
    id: Uuid,
    at: DateTime<Utc>,
    audit: &AuditEntry,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE management_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
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
    store: &PostgresStore,
    hash: &SecretHash,
) -> Result<Option<(ConnectionToken, StoredConnection)>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT t.id, t.created_at, t.void_from, {CONNECTION_COLUMNS} FROM connection_tokens t \
         JOIN connections c ON c.row = t.connection JOIN connection_details d ON d.connection = c.row \
         WHERE t.hash = $1"
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
    Ok(Some((token, connection)))
}

pub(super) async fn add_token(
    tx: &mut PgConnection,
    lane: i64,
    token: &ConnectionToken,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO connection_tokens (id, connection, hash, created_at, void_from) VALUES ($1, $2, $3, $4, $5)",
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

pub(super) async fn write_audit(tx: &mut PgConnection, entry: &AuditEntry) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO audit (at, actor, action, connection, detail) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(codec::micros(entry.at))
    .bind(Text::new(&entry.actor))
    .bind(Text::new(&entry.action))
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
