//! Deliveries, from fan-out to their end.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Row, Sqlite};
use uuid::Uuid;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::{ConnectionId, EndpointId};
use wrenchtime_webhooks::{
    Attempt, AttemptOutcome, Backlog, Delivery, DeliveryFilter, DeliveryId, DueDelivery, FanOut,
    Message,
};

use super::endpoints::{self, ENDPOINT_COLUMNS};
use crate::codec;
use crate::columns::{DeliveryColumns, RECEIVER_GONE, after_attempt, delivery};
use crate::error::Fault;
use crate::sqlite::SqliteStore;

pub(super) async fn fan_out(store: &SqliteStore, fan_out: &FanOut) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let moved =
        sqlx::query("UPDATE connections SET fanned_out = ? WHERE id = ? AND fanned_out = ?")
            .bind(codec::signed(fan_out.to))
            .bind(*fan_out.connection.as_uuid())
            .bind(codec::signed(fan_out.from))
            .execute(&mut *tx)
            .await?;
    if moved.rows_affected() == 0 || is_divided(&mut tx, fan_out).await? {
        return Ok(false);
    }
    for message in &fan_out.messages {
        add_message(&mut tx, fan_out.connection, message).await?;
    }
    sqlx::query(
        "DELETE FROM webhook_starts WHERE sequence <= ?1 \
         AND connection = (SELECT row FROM connections WHERE id = ?2)",
    )
    .bind(codec::signed(fan_out.to))
    .bind(*fan_out.connection.as_uuid())
    .execute(&mut *tx)
    .await?;
    failpoint::pass(Point::FanOutInside);
    tx.commit().await?;
    Ok(true)
}

/// Tells whether an endpoint's events begin inside of the stretch. Read again, it ends there.
async fn is_divided(tx: &mut SqliteConnection, fan_out: &FanOut) -> Result<bool, Fault> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM webhook_starts s JOIN connections c ON c.row = s.connection \
         WHERE c.id = ?1 AND s.sequence > ?2 AND s.sequence < ?3)",
    )
    .bind(*fan_out.connection.as_uuid())
    .bind(codec::signed(fan_out.from))
    .bind(codec::signed(fan_out.to))
    .fetch_one(tx)
    .await?)
}

/// Adds a delivery, unless its endpoint is gone or came after all that it tells of.
async fn add_message(
    tx: &mut SqliteConnection,
    connection: ConnectionId,
    message: &Message,
) -> Result<(), Fault> {
    let created_at = codec::micros(message.created_at);
    sqlx::query(
        "INSERT INTO webhook_deliveries (id, endpoint, connection, event, sequence, state, plan_started_at, created_at, \
         next_attempt_at, due_at, body) \
         SELECT ?1, p.row, c.row, ?2, ?3, 'pending', ?4, ?4, ?4, ?4, ?5 FROM webhook_endpoints p, connections c \
         WHERE p.id = ?6 AND c.id = ?7 AND NOT EXISTS (SELECT 1 FROM webhook_starts s \
         WHERE s.endpoint = p.row AND s.connection = c.row AND s.sequence >= ?3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(*message.id.as_uuid())
    .bind(message.event.name())
    .bind(codec::signed(message.sequence))
    .bind(created_at)
    .bind(message.body.as_slice())
    .bind(*message.endpoint.as_uuid())
    .bind(*connection.as_uuid())
    .execute(tx)
    .await?;
    Ok(())
}

/// Asks for deliveries to attempt.
pub(super) struct Take {
    pub(super) now: DateTime<Utc>,
    pub(super) lease_until: DateTime<Utc>,
    pub(super) limit: u32,
    pub(super) per_endpoint: u32,
}

impl Take {
    pub(super) async fn run(&self, store: &SqliteStore) -> Result<Vec<DueDelivery>, Fault> {
        // Who has nothing to do must not stand in line behind a sync.
        match next_due(store).await? {
            Some(due) if due <= self.now => {}
            _ => return Ok(Vec::new()),
        }
        let mut tx = store.write().await?;
        let rows = self.choose(&mut tx).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            taken.push(self.lease(&mut tx, row).await?);
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Returns rows of due deliveries, those due longest first.
    async fn choose(&self, tx: &mut SqliteConnection) -> Result<Vec<i64>, Fault> {
        let now = codec::micros(self.now);
        let endpoints: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT p.row, (SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint = p.row AND d.leased_until > ?1) \
             FROM webhook_endpoints p WHERE p.disabled_at IS NULL AND EXISTS (SELECT 1 FROM webhook_deliveries d \
             WHERE d.endpoint = p.row AND d.state = 'pending' AND d.due_at <= ?1)",
        )
        .bind(now)
        .fetch_all(&mut *tx)
        .await?;
        let mut due: Vec<(i64, i64)> = Vec::new();
        for (endpoint, leased) in endpoints {
            let room = i64::from(self.per_endpoint) - leased;
            let some: Vec<(i64, i64)> = sqlx::query_as(
                "SELECT due_at, row FROM webhook_deliveries WHERE endpoint = ? AND state = 'pending' AND due_at <= ? \
                 ORDER BY due_at, row LIMIT 0 + ?",
            )
            .bind(endpoint)
            .bind(now)
            .bind(room.max(0))
            .fetch_all(&mut *tx)
            .await?;
            due.extend(some);
        }
        due.sort_unstable();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        Ok(due.into_iter().take(limit).map(|(_, row)| row).collect())
    }

    async fn lease(&self, tx: &mut SqliteConnection, row: i64) -> Result<DueDelivery, Fault> {
        sqlx::query("UPDATE webhook_deliveries SET leased_until = ?1, due_at = ?1 WHERE row = ?2")
            .bind(codec::micros(self.lease_until))
            .bind(row)
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT d.id, d.body, d.created_at, d.plan_attempts, d.plan_started_at, {ENDPOINT_COLUMNS} \
             FROM webhook_deliveries d JOIN webhook_endpoints p ON p.row = d.endpoint WHERE d.row = ?"
        )))
        .bind(row)
        .fetch_one(tx)
        .await?;
        Ok(DueDelivery {
            id: DeliveryId::from_uuid(row.try_get(0)?),
            endpoint: endpoints::endpoint(&row, 5)?,
            body: row.try_get(1)?,
            created_at: codec::instant(row.try_get(2)?)?,
            attempts: codec::small(row.try_get(3)?)?,
            plan_started_at: codec::instant(row.try_get(4)?)?,
        })
    }
}

pub(super) async fn next_due(store: &SqliteStore) -> Result<Option<DateTime<Utc>>, Fault> {
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT min((SELECT min(d.due_at) FROM webhook_deliveries d WHERE d.endpoint = p.row AND d.state = 'pending')) \
         FROM webhook_endpoints p WHERE p.disabled_at IS NULL",
    )
    .fetch_one(&store.inner.readers)
    .await?;
    due.map(codec::instant).transpose()
}

pub(super) async fn backlog(store: &SqliteStore) -> Result<Backlog, Fault> {
    let (pending, oldest): (i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*), min(d.created_at) FROM webhook_deliveries d JOIN webhook_endpoints p ON p.row = d.endpoint \
         WHERE d.state = 'pending' AND p.disabled_at IS NULL",
    )
    .fetch_one(&store.inner.readers)
    .await?;
    Ok(Backlog {
        pending: codec::unsigned(pending)?,
        oldest: oldest.map(codec::instant).transpose()?,
    })
}

pub(super) async fn record_attempt(store: &SqliteStore, attempt: &Attempt) -> Result<(), Fault> {
    let at = codec::micros(attempt.at);
    let (state, next) = after_attempt(attempt);
    let duration = i64::try_from(attempt.duration.as_micros()).unwrap_or(i64::MAX);
    let mut tx = store.write().await?;
    // The endpoint may have been removed in the meantime, and the delivery with it. What has arrived by an attempt that
    // overtook this one stays so.
    let endpoint: Option<Uuid> = sqlx::query_scalar(
        "UPDATE webhook_deliveries SET state = CASE WHEN state = 'delivered' THEN state ELSE ?1 END, \
         attempts = attempts + 1, plan_attempts = plan_attempts + 1, \
         next_attempt_at = CASE WHEN state <> 'delivered' THEN ?2 END, \
         due_at = CASE WHEN state <> 'delivered' THEN ?2 END, leased_until = NULL, last_attempt_at = ?3, last_duration = ?4, \
         last_status = ?5, last_error = ?6 WHERE id = ?7 \
         RETURNING (SELECT p.id FROM webhook_endpoints p WHERE p.row = endpoint)",
    )
    .bind(state.name())
    .bind(next.map(codec::micros))
    .bind(at)
    .bind(duration)
    .bind(attempt.status)
    .bind(attempt.error.as_deref())
    .bind(*attempt.delivery.as_uuid())
    .fetch_optional(&mut *tx)
    .await?;
    if let (AttemptOutcome::Gone, Some(endpoint)) = (&attempt.outcome, endpoint) {
        let endpoint = EndpointId::from_uuid(endpoint);
        endpoints::disable(&mut tx, endpoint, attempt.at, RECEIVER_GONE).await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn retry(
    store: &SqliteStore,
    id: DeliveryId,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE webhook_deliveries SET state = 'pending', plan_attempts = 0, plan_started_at = ?1, \
         next_attempt_at = ?1, due_at = ?1, leased_until = NULL WHERE id = ?2",
    )
    .bind(codec::micros(now))
    .bind(*id.as_uuid())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn list(
    store: &SqliteStore,
    filter: &DeliveryFilter,
) -> Result<Vec<Delivery>, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT d.id, p.id, c.id, d.event, d.state, d.attempts, d.created_at, d.next_attempt_at, d.last_status, \
         d.last_error FROM webhook_deliveries d JOIN webhook_endpoints p ON p.row = d.endpoint \
         JOIN connections c ON c.row = d.connection WHERE 1 = 1",
    );
    if let Some(endpoint) = filter.endpoint {
        query.push(" AND d.endpoint = (SELECT row FROM webhook_endpoints WHERE id = ");
        query.push_bind(*endpoint.as_uuid()).push(")");
    }
    if let Some(state) = filter.state {
        query.push(" AND d.state = ").push_bind(state.name());
    }
    if let Some((created_at, id)) = filter.before {
        query.push(" AND (d.created_at, d.id) < (");
        query.push_bind(codec::micros(created_at)).push(", ");
        query.push_bind(*id.as_uuid()).push(")");
    }
    query.push(" ORDER BY d.created_at DESC, d.id DESC LIMIT 0 + ");
    query.push_bind(filter.limit);
    let rows: Vec<DeliveryColumns> = query
        .build_query_as()
        .fetch_all(&store.inner.readers)
        .await?;
    rows.into_iter().map(delivery).collect()
}
