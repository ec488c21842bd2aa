//! Webhook endpoints.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, EndpointId, EventType};
use wrenchtime_webhooks::{Endpoint, EndpointScope, NewEndpoint};

use crate::codec;
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::text::{Text, optional, plain};

/// The columns that [`endpoint`] reads, of endpoints `p`.
pub(super) const ENDPOINT_COLUMNS: &str = "p.id, p.url, p.description, p.scope, p.events, p.include_initial, p.sealed_secret, p.created_at, \
     p.disabled_at, p.disabled_reason";

/// Reads an endpoint from the columns behind `at`.
pub(super) fn endpoint(row: &PgRow, at: usize) -> Result<Endpoint, Fault> {
    let url: Text<'static> = row.try_get(at + 1)?;
    let scope: Option<Uuid> = row.try_get(at + 3)?;
    let events: String = row.try_get(at + 4)?;
    let events: BTreeSet<EventType> = codec::from_json(&events)?;
    let new = NewEndpoint {
        url: codec::from_name(&url.0)?,
        description: plain(row.try_get(at + 2)?),
        scope: scope.map_or(EndpointScope::All, |id| {
            EndpointScope::Connection(ConnectionId::from_uuid(id))
        }),
        events,
        include_initial: row.try_get(at + 5)?,
    };
    let mut endpoint = Endpoint::new(
        EndpointId::from_uuid(row.try_get(at)?),
        new,
        row.try_get(at + 6)?,
        codec::instant(row.try_get(at + 7)?)?,
    );
    if let Some(disabled_at) = row.try_get::<Option<i64>, _>(at + 8)? {
        let reason = plain(row.try_get(at + 9)?);
        endpoint.disabled = Some((codec::instant(disabled_at)?, reason.unwrap_or_default()));
    }
    Ok(endpoint)
}

pub(super) async fn add(store: &PostgresStore, endpoint: &Endpoint) -> Result<(), Fault> {
    let scope = match endpoint.scope {
        EndpointScope::All => None,
        EndpointScope::Connection(id) => Some(*id.as_uuid()),
    };
    let disabled = endpoint.disabled.as_ref();
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO webhook_endpoints (id, url, description, scope, events, include_initial, sealed_secret, \
         created_at, disabled_at, disabled_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(*endpoint.id.as_uuid())
    .bind(Text::new(endpoint.url.as_str()))
    .bind(optional(endpoint.description.as_deref()))
    .bind(scope)
    .bind(codec::to_json(&endpoint.events)?)
    .bind(endpoint.include_initial)
    .bind(endpoint.sealed_secret.as_slice())
    .bind(codec::micros(endpoint.created_at))
    .bind(disabled.map(|(at, _)| codec::micros(*at)))
    .bind(disabled.map(|(_, reason)| Text::new(reason)))
    .execute(&mut *tx)
    .await?;
    let row: i64 = sqlx::query_scalar("SELECT row FROM webhook_endpoints WHERE id = $1")
        .bind(*endpoint.id.as_uuid())
        .fetch_one(&mut *tx)
        .await?;
    // Where each log stands now: what was logged before is not for this endpoint, even if it is fanned out later.
    sqlx::query(
        "INSERT INTO webhook_starts (endpoint, connection, sequence) \
         SELECT $1, row, last_sequence FROM connections WHERE last_sequence > fanned_out",
    )
    .bind(row)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn all(store: &PostgresStore) -> Result<Vec<Endpoint>, Fault> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {ENDPOINT_COLUMNS} FROM webhook_endpoints p ORDER BY p.created_at, p.id"
    )))
    .fetch_all(&store.inner.readers)
    .await?;
    rows.iter().map(|row| endpoint(row, 0)).collect()
}

pub(super) async fn one(store: &PostgresStore, id: EndpointId) -> Result<Option<Endpoint>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {ENDPOINT_COLUMNS} FROM webhook_endpoints p WHERE p.id = $1"
    )))
    .bind(*id.as_uuid())
    .fetch_optional(&store.inner.readers)
    .await?;
    row.as_ref().map(|row| endpoint(row, 0)).transpose()
}

pub(super) async fn remove(store: &PostgresStore, id: EndpointId) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query("DELETE FROM webhook_endpoints WHERE id = $1")
        .bind(*id.as_uuid())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Stops an endpoint. One that is stopped already keeps its first reason.
pub(super) async fn disable(
    tx: &mut PgConnection,
    id: EndpointId,
    at: DateTime<Utc>,
    reason: &str,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE webhook_endpoints SET disabled_at = $1, disabled_reason = $2 WHERE id = $3 AND disabled_at IS NULL",
    )
    .bind(codec::micros(at))
    .bind(Text::new(reason))
    .bind(*id.as_uuid())
    .execute(tx)
    .await?;
    Ok(())
}
