//! Deliveries, from fan-out to their end.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::EndpointId;
use wrenchtime_webhooks::{
    Attempt, AttemptOutcome, Backlog, Delivery, DeliveryFilter, DeliveryId, DueDelivery, FanOut,
};

use super::endpoints::{self, ENDPOINT_COLUMNS};
use crate::codec;
use crate::columns::{self, RECEIVER_GONE, after_attempt};
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::text::{Text, optional, plain};

pub(super) async fn fan_out(store: &PostgresStore, fan_out: &FanOut) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let moved =
        sqlx::query("UPDATE connections SET fanned_out = $1 WHERE id = $2 AND fanned_out = $3")
            .bind(codec::signed(fan_out.to))
            .bind(*fan_out.connection.as_uuid())
            .bind(codec::signed(fan_out.from))
            .execute(&mut *tx)
            .await?;
    if moved.rows_affected() == 0 || is_divided(&mut tx, fan_out).await? {
        return Ok(false);
    }
    if !fan_out.messages.is_empty() {
        add_messages(&mut tx, fan_out).await?;
    }
    sqlx::query(
        "DELETE FROM webhook_starts WHERE sequence <= $1 \
         AND connection = (SELECT row FROM connections WHERE id = $2)",
    )
    .bind(codec::signed(fan_out.to))
    .bind(*fan_out.connection.as_uuid())
    .execute(&mut *tx)
    .await?;
    failpoint::pass(Point::FanOutInside);
    tx.commit().await?;
    Ok(true)
}

/// Tells whether an endpoint's events begin inside of the stretch. It was added by a transaction that looked at the log before
/// the stretch had its end, and that was not over when the stretch was read: read again, the stretch ends there.
async fn is_divided(tx: &mut PgConnection, fan_out: &FanOut) -> Result<bool, Fault> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM webhook_starts s JOIN connections c ON c.row = s.connection \
         WHERE c.id = $1 AND s.sequence > $2 AND s.sequence < $3)",
    )
    .bind(*fan_out.connection.as_uuid())
    .bind(codec::signed(fan_out.from))
    .bind(codec::signed(fan_out.to))
    .fetch_one(tx)
    .await?)
}

/// Adds deliveries, but for those whose endpoint is gone or came after all that they tell of.
async fn add_messages(tx: &mut PgConnection, fan_out: &FanOut) -> Result<(), Fault> {
    let messages = || fan_out.messages.iter();
    let ids: Vec<Uuid> = messages().map(|message| *message.id.as_uuid()).collect();
    let endpoints: Vec<Uuid> = messages()
        .map(|message| *message.endpoint.as_uuid())
        .collect();
    let events: Vec<&str> = messages().map(|message| message.event.name()).collect();
    let sequences: Vec<i64> = messages()
        .map(|message| codec::signed(message.sequence))
        .collect();
    let times: Vec<i64> = messages()
        .map(|message| codec::micros(message.created_at))
        .collect();
    let bodies: Vec<&[u8]> = messages().map(|message| message.body.as_slice()).collect();
    // In the order of the messages, as among those due at once the row decides which goes first. Endpoints are locked, as
    // one that is just being removed would be missed only when its deliveries are there.
    sqlx::query(
        "INSERT INTO webhook_deliveries (id, endpoint, connection, event, sequence, state, plan_started_at, created_at, \
         next_attempt_at, due_at, body) \
         SELECT m.id, p.row, c.row, m.event, m.sequence, 'pending', m.time, m.time, m.time, m.time, m.body \
         FROM UNNEST($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[]) WITH ORDINALITY \
         AS m (id, endpoint, event, sequence, time, body, place) \
         JOIN webhook_endpoints p ON p.id = m.endpoint JOIN connections c ON c.id = $1 \
         WHERE NOT EXISTS (SELECT 1 FROM webhook_starts s \
         WHERE s.endpoint = p.row AND s.connection = c.row AND s.sequence >= m.sequence) \
         ORDER BY m.place FOR KEY SHARE OF p ON CONFLICT (id) DO NOTHING",
    )
    .bind(*fan_out.connection.as_uuid())
    .bind(ids)
    .bind(endpoints)
    .bind(events)
    .bind(sequences)
    .bind(times)
    .bind(bodies)
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
    pub(super) async fn run(&self, store: &PostgresStore) -> Result<Vec<DueDelivery>, Fault> {
        // Who has nothing to do must not stand in line behind a sync.
        match next_due(store).await? {
            Some(due) if due <= self.now => {}
            _ => return Ok(Vec::new()),
        }
        let mut tx = store.write().await?;
        let rows = self.choose(&mut tx).await?;
        let taken = self.lease(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Returns rows of due deliveries, those due longest first.
    async fn choose(&self, tx: &mut PgConnection) -> Result<Vec<i64>, Fault> {
        let now = codec::micros(self.now);
        // Dispatchers of several processes take turns at an endpoint, so that together they keep to its limit.
        let endpoints: Vec<i64> = sqlx::query_scalar(
            "SELECT p.row FROM webhook_endpoints p WHERE p.disabled_at IS NULL AND EXISTS (SELECT 1 \
             FROM webhook_deliveries d WHERE d.endpoint = p.row AND d.state = 'pending' AND d.due_at <= $1) \
             ORDER BY p.row FOR NO KEY UPDATE",
        )
        .bind(now)
        .fetch_all(&mut *tx)
        .await?;
        let due: Vec<i64> = sqlx::query_scalar(
            "SELECT due.row FROM UNNEST($1::bigint[]) AS p (row) CROSS JOIN LATERAL (SELECT d.row, d.due_at \
             FROM webhook_deliveries d WHERE d.endpoint = p.row AND d.state = 'pending' AND d.due_at <= $2 \
             ORDER BY d.due_at, d.row LIMIT greatest($3 - (SELECT count(*) FROM webhook_deliveries l \
             WHERE l.endpoint = p.row AND l.leased_until > $2), 0)) AS due ORDER BY due.due_at, due.row LIMIT $4",
        )
        .bind(endpoints)
        .bind(now)
        .bind(i64::from(self.per_endpoint))
        .bind(i64::from(self.limit))
        .fetch_all(tx)
        .await?;
        Ok(due)
    }

    /// Takes these deliveries, and returns them in this order.
    async fn lease(&self, tx: &mut PgConnection, rows: &[i64]) -> Result<Vec<DueDelivery>, Fault> {
        // Who tells of an attempt that took long locks no endpoint: what is not due any more by now is left out.
        let leased = sqlx::query(sqlx::AssertSqlSafe(format!(
            "WITH leased AS (UPDATE webhook_deliveries SET leased_until = $1, due_at = $1 WHERE row = ANY($2) \
             AND state = 'pending' AND due_at <= $3 RETURNING row, id, body, created_at, plan_attempts, plan_started_at, endpoint) \
             SELECT d.id, d.body, d.created_at, d.plan_attempts, d.plan_started_at, {ENDPOINT_COLUMNS} \
             FROM leased d JOIN webhook_endpoints p ON p.row = d.endpoint ORDER BY array_position($2, d.row)"
        )))
        .bind(codec::micros(self.lease_until))
        .bind(rows)
        .bind(codec::micros(self.now))
        .fetch_all(tx)
        .await?;
        leased.iter().map(due_delivery).collect()
    }
}

fn due_delivery(row: &PgRow) -> Result<DueDelivery, Fault> {
    Ok(DueDelivery {
        id: DeliveryId::from_uuid(row.try_get(0)?),
        endpoint: endpoints::endpoint(row, 5)?,
        body: row.try_get(1)?,
        created_at: codec::instant(row.try_get(2)?)?,
        attempts: codec::small(row.try_get(3)?)?,
        plan_started_at: codec::instant(row.try_get(4)?)?,
    })
}

pub(super) async fn next_due(store: &PostgresStore) -> Result<Option<DateTime<Utc>>, Fault> {
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT min((SELECT min(d.due_at) FROM webhook_deliveries d WHERE d.endpoint = p.row AND d.state = 'pending')) \
         FROM webhook_endpoints p WHERE p.disabled_at IS NULL",
    )
    .fetch_one(&store.inner.readers)
    .await?;
    due.map(codec::instant).transpose()
}

pub(super) async fn backlog(store: &PostgresStore) -> Result<Backlog, Fault> {
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

pub(super) async fn record_attempt(store: &PostgresStore, attempt: &Attempt) -> Result<(), Fault> {
    let at = codec::micros(attempt.at);
    let (state, next) = after_attempt(attempt);
    let duration = i64::try_from(attempt.duration.as_micros()).unwrap_or(i64::MAX);
    let mut tx = store.write().await?;
    if attempt.outcome == AttemptOutcome::Gone {
        // Endpoint before delivery, as who removes an endpoint does.
        sqlx::query(
            "SELECT 1 FROM webhook_endpoints WHERE row = (SELECT endpoint FROM webhook_deliveries WHERE id = $1) \
             FOR NO KEY UPDATE",
        )
        .bind(*attempt.delivery.as_uuid())
        .execute(&mut *tx)
        .await?;
    }
    // The endpoint may have been removed in the meantime, and the delivery with it. What has arrived by an attempt that
    // overtook this one stays so.
    let endpoint: Option<Uuid> = sqlx::query_scalar(
        "UPDATE webhook_deliveries SET state = CASE WHEN state = 'delivered' THEN state ELSE $1 END, \
         attempts = attempts + 1, plan_attempts = plan_attempts + 1, \
         next_attempt_at = CASE WHEN state <> 'delivered' THEN $2 END, \
         due_at = CASE WHEN state <> 'delivered' THEN $2 END, leased_until = NULL, last_attempt_at = $3, last_duration = $4, \
         last_status = $5, last_error = $6 WHERE id = $7 \
         RETURNING (SELECT p.id FROM webhook_endpoints p WHERE p.row = endpoint)",
    )
    .bind(state.name())
    .bind(next.map(codec::micros))
    .bind(at)
    .bind(duration)
    .bind(attempt.status.map(i64::from))
    .bind(optional(attempt.error.as_deref()))
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
    store: &PostgresStore,
    id: DeliveryId,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE webhook_deliveries SET state = 'pending', plan_attempts = 0, plan_started_at = $1, \
         next_attempt_at = $1, due_at = $1, leased_until = NULL WHERE id = $2",
    )
    .bind(codec::micros(now))
    .bind(*id.as_uuid())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// A [`Delivery`] as columns.
type DeliveryColumns = (
    Uuid,
    Uuid,
    Uuid,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<Text<'static>>,
);

fn delivery(columns: DeliveryColumns) -> Result<Delivery, Fault> {
    let (id, endpoint, connection, event, state, attempts, created_at, next, status, error) =
        columns;
    columns::delivery((
        id,
        endpoint,
        connection,
        event,
        state,
        attempts,
        created_at,
        next,
        status,
        plain(error),
    ))
}

pub(super) async fn list(
    store: &PostgresStore,
    filter: &DeliveryFilter,
) -> Result<Vec<Delivery>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(
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
    query.push(" ORDER BY d.created_at DESC, d.id DESC LIMIT ");
    query.push_bind(i64::from(filter.limit));
    let rows: Vec<DeliveryColumns> = query
        .build_query_as()
        .fetch_all(&store.inner.readers)
        .await?;
    rows.into_iter().map(delivery).collect()
}
