//! Connections and their life-cycle.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres, QueryBuilder, Row};
use wrenchtime_connector::SystemName;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    AuditEntry, ConnectionFilter, Disconnect, NewConnection, SealedSettings, StoredConnection,
    Transition,
};

use super::keys;
use crate::codec;
use crate::error::Fault;
use crate::postgres::connection::Lane;
use crate::postgres::sync::cancel_unfinished;
use crate::postgres::text::{Text, optional, plain};
use crate::postgres::{PostgresStore, connection};

/// The columns that [`stored_connection`] reads, of connections `c` and their details `d`.
pub(super) const CONNECTION_COLUMNS: &str = "c.id, d.system, d.name, d.state, d.state_since, d.reason, d.account, d.data_key, d.settings, d.schedule, \
     d.created_at";

/// Reads a connection from the columns behind `at`.
pub(super) fn stored_connection(row: &PgRow, at: usize) -> Result<StoredConnection, Fault> {
    let state: String = row.try_get(at + 3)?;
    let account: String = row.try_get(at + 6)?;
    let schedule: Option<i64> = row.try_get(at + 9)?;
    let created_at: Timestamp = codec::timestamp(row.try_get(at + 10)?)?;
    Ok(StoredConnection {
        id: ConnectionId::from_uuid(row.try_get(at)?),
        system: SystemName::new(row.try_get::<Text<'static>, _>(at + 1)?.into_string()),
        name: row.try_get::<Text<'static>, _>(at + 2)?.into_string(),
        state: codec::from_name(&state)?,
        state_since: codec::instant(row.try_get(at + 4)?)?,
        reason: plain(row.try_get(at + 5)?),
        account: codec::from_json(&account)?,
        sealed: SealedSettings {
            data_key: row.try_get(at + 7)?,
            settings: row.try_get(at + 8)?,
        },
        schedule: schedule
            .map(|seconds| codec::unsigned(seconds).map(Duration::from_secs))
            .transpose()?,
        created_at,
    })
}

pub(super) fn seconds(schedule: Option<Duration>) -> Option<i64> {
    schedule.map(|every| codec::signed(every.as_secs()))
}

pub(super) async fn create(store: &PostgresStore, new: &NewConnection) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    let lane = connection::add(&mut tx, new.id, new.created_at).await?;
    sqlx::query(
        "INSERT INTO connection_details (connection, system, name, state, state_since, account, data_key, settings, \
         schedule, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(lane)
    .bind(Text::new(new.system.as_str()))
    .bind(Text::new(&new.name))
    .bind(new.state.name())
    .bind(new.created_at.as_micros())
    .bind(codec::to_json(&new.account)?)
    .bind(new.sealed.data_key.as_slice())
    .bind(new.sealed.settings.as_slice())
    .bind(seconds(new.schedule))
    .bind(new.created_at.as_micros())
    .execute(&mut *tx)
    .await?;
    keys::add_token(&mut tx, lane, &new.token).await?;
    keys::write_audit(&mut tx, &new.audit).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn one(
    store: &PostgresStore,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.read().await?;
    find(&mut tx, id).await
}

pub(super) async fn find(
    tx: &mut PgConnection,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {CONNECTION_COLUMNS} FROM connections c JOIN connection_details d ON d.connection = c.row \
         WHERE c.id = $1"
    )))
    .bind(*id.as_uuid())
    .fetch_optional(tx)
    .await?;
    row.as_ref()
        .map(|row| stored_connection(row, 0))
        .transpose()
}

pub(super) async fn list(
    store: &PostgresStore,
    filter: &ConnectionFilter,
) -> Result<Vec<StoredConnection>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT {CONNECTION_COLUMNS} FROM connections c JOIN connection_details d ON d.connection = c.row WHERE 1 = 1"
    ));
    if let Some(system) = &filter.system {
        query
            .push(" AND d.system = ")
            .push_bind(Text::new(system.as_str()));
    }
    if !filter.states.is_empty() {
        query.push(" AND d.state IN (");
        let mut list = query.separated(", ");
        for state in &filter.states {
            list.push_bind(state.name());
        }
        query.push(")");
    }
    if let Some(after) = filter.after {
        query.push(" AND c.id > ").push_bind(*after.as_uuid());
    }
    query
        .push(" ORDER BY c.id LIMIT ")
        .push_bind(i64::from(filter.limit));
    let rows = query.build().fetch_all(&store.inner.readers).await?;
    rows.iter().map(|row| stored_connection(row, 0)).collect()
}

pub(super) async fn transition(
    store: &PostgresStore,
    transition: &Transition,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.write().await?;
    let Some((mut lane, before)) = standing(&mut tx, transition.id).await? else {
        return Ok(None);
    };
    let expected = transition.expected.contains(&before.state)
        && transition
            .sealed
            .as_ref()
            .is_none_or(|sealed| *sealed == before.sealed);
    if !expected {
        return Ok(None);
    }
    set_state(
        &mut tx,
        lane.row,
        (transition.to, transition.reason.as_deref()),
        codec::micros(transition.at),
    )
    .await?;
    if let Some(event) = &transition.event {
        lane.log(&mut tx, event, transition.at).await?;
        lane.store(&mut tx).await?;
    }
    keys::write_audit(&mut tx, &transition.audit).await?;
    let after = find(&mut tx, transition.id).await?;
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    Ok(after)
}

pub(super) async fn disconnect(
    store: &PostgresStore,
    disconnect: &Disconnect,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.write().await?;
    let Some((mut lane, before)) = standing(&mut tx, disconnect.id).await? else {
        return Ok(None);
    };
    if before.state == State::Disconnected {
        return Ok(None);
    }
    let at = codec::micros(disconnect.at);
    set_state(
        &mut tx,
        lane.row,
        (State::Disconnected, disconnect.reason.as_deref()),
        at,
    )
    .await?;
    lane.log(&mut tx, &disconnect.event, disconnect.at).await?;
    lane.store(&mut tx).await?;
    cancel_unfinished(&mut tx, lane.row, at).await?;
    sqlx::query(
        "UPDATE connection_tokens SET void_from = $1 WHERE connection = $2 AND (void_from IS NULL OR void_from > $1)",
    )
    .bind(at)
    .bind(lane.row)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE connection_details SET schedule = NULL WHERE connection = $1")
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE connections SET epoch = epoch + 1, closed = true WHERE row = $1")
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    keys::write_audit(&mut tx, &disconnect.audit).await?;
    let after = find(&mut tx, disconnect.id).await?;
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    Ok(after)
}

pub(super) async fn standing(
    tx: &mut PgConnection,
    id: ConnectionId,
) -> Result<Option<(Lane, StoredConnection)>, Fault> {
    let lane = Lane::find(tx, id).await?;
    let stored = find(tx, id).await?;
    Ok(lane.zip(stored))
}

pub(super) async fn set_state(
    tx: &mut PgConnection,
    lane: i64,
    (state, reason): (State, Option<&str>),
    since: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE connection_details SET state = $1, reason = $2, state_since = $3 WHERE connection = $4",
    )
    .bind(state.name())
    .bind(optional(reason))
    .bind(since)
    .bind(lane)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_schedule(
    store: &PostgresStore,
    id: ConnectionId,
    every: Option<Duration>,
    audit: &AuditEntry,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE connection_details SET schedule = $1 WHERE state <> $2 \
         AND connection = (SELECT row FROM connections WHERE id = $3)",
    )
    .bind(seconds(every))
    .bind(State::Disconnected.name())
    .bind(*id.as_uuid())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    keys::write_audit(&mut tx, audit).await?;
    tx.commit().await?;
    Ok(true)
}
