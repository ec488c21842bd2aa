//! Connections and their life-cycle.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use wrenchtime_connector::SystemName;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ConnectionFilter, Disconnect, Extension, NewConnection, NewSchedule, SealedSettings, Standing,
    StoredConnection, Transition,
};

use super::keys;
use crate::codec;
use crate::error::Fault;
use crate::sqlite::connection::Lane;
use crate::sqlite::sync::cancel_unfinished;
use crate::sqlite::{SqliteStore, connection};

/// The columns that [`stored_connection`] reads, of connections `c` and their details `d`.
pub(super) const CONNECTION_COLUMNS: &str = "c.id, d.system, d.name, d.state, d.state_since, d.reason, d.account, d.data_key, d.settings, d.schedule, \
     d.created_at, d.resource_schedules, d.authorized_at, d.records_since";

/// Reads a connection from the columns behind `at`.
pub(super) fn stored_connection(row: &SqliteRow, at: usize) -> Result<StoredConnection, Fault> {
    let state: String = row.try_get(at + 3)?;
    let account: String = row.try_get(at + 6)?;
    let schedule: Option<i64> = row.try_get(at + 9)?;
    let created_at: Timestamp = codec::timestamp(row.try_get(at + 10)?)?;
    Ok(StoredConnection {
        id: ConnectionId::from_uuid(row.try_get(at)?),
        system: SystemName::new(row.try_get::<String, _>(at + 1)?),
        name: row.try_get(at + 2)?,
        state: codec::from_name(&state)?,
        state_since: codec::instant(row.try_get(at + 4)?)?,
        reason: row.try_get(at + 5)?,
        account: codec::from_json(&account)?,
        sealed: SealedSettings {
            data_key: row.try_get(at + 7)?,
            settings: row.try_get(at + 8)?,
        },
        schedule: schedule
            .map(|seconds| codec::unsigned(seconds).map(Duration::from_secs))
            .transpose()?,
        resource_schedules: codec::intervals(row.try_get(at + 11)?)?,
        created_at,
        authorized_at: codec::instant(row.try_get(at + 12)?)?,
        records_since: row
            .try_get::<Option<i64>, _>(at + 13)?
            .map(codec::instant)
            .transpose()?,
    })
}

fn seconds(schedule: Option<Duration>) -> Option<i64> {
    schedule.map(|every| codec::signed(every.as_secs()))
}

pub(super) async fn create(store: &SqliteStore, new: &NewConnection) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    let lane = connection::add(&mut tx, new.id, new.created_at).await?;
    sqlx::query(
        "INSERT INTO connection_details (connection, system, name, state, state_since, account, data_key, settings, \
         schedule, created_at, authorized_at, records_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(lane)
    .bind(new.system.as_str())
    .bind(new.name.as_str())
    .bind(new.state.name())
    .bind(new.created_at.as_micros())
    .bind(codec::to_json(&new.account)?)
    .bind(new.sealed.data_key.as_slice())
    .bind(new.sealed.settings.as_slice())
    .bind(seconds(new.schedule))
    .bind(new.created_at.as_micros())
    .bind(new.created_at.as_micros())
    .bind(new.records_since.map(codec::micros))
    .execute(&mut *tx)
    .await?;
    keys::add_token(&mut tx, lane, &new.token).await?;
    keys::write_audit(&mut tx, &new.audit).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn one(
    store: &SqliteStore,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, Fault> {
    // One statement sees one snapshot by itself.
    let mut reader = store.inner.readers.acquire().await?;
    find(&mut reader, id).await
}

pub(super) async fn find(
    tx: &mut SqliteConnection,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, Fault> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {CONNECTION_COLUMNS} FROM connections c JOIN connection_details d ON d.connection = c.row \
         WHERE c.id = ?"
    )))
    .bind(*id.as_uuid())
    .fetch_optional(tx)
    .await?;
    row.as_ref()
        .map(|row| stored_connection(row, 0))
        .transpose()
}

pub(super) async fn list(
    store: &SqliteStore,
    filter: &ConnectionFilter,
) -> Result<Vec<StoredConnection>, Fault> {
    let mut query = QueryBuilder::<Sqlite>::new(format!(
        "SELECT {CONNECTION_COLUMNS} FROM connections c JOIN connection_details d ON d.connection = c.row WHERE 1 = 1"
    ));
    if let Some(system) = &filter.system {
        query.push(" AND d.system = ").push_bind(system.as_str());
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
        .push(" ORDER BY c.id LIMIT 0 + ")
        .push_bind(filter.limit);
    let rows = query.build().fetch_all(&store.inner.readers).await?;
    rows.iter().map(|row| stored_connection(row, 0)).collect()
}

pub(super) async fn standings(store: &SqliteStore) -> Result<Vec<Standing>, Fault> {
    let rows = sqlx::query(
        "SELECT d.system, d.state, count(*), \
           min(CASE WHEN d.schedule IS NOT NULL THEN coalesce(c.succeeded_at, d.created_at) END), \
           sum((SELECT count(*) FROM documents q WHERE q.connection = c.row AND q.quarantine_reason IS NOT NULL \
             AND q.gone = 0)) \
         FROM connections c JOIN connection_details d ON d.connection = c.row GROUP BY d.system, d.state \
         ORDER BY d.system, d.state",
    )
    .fetch_all(&store.inner.readers)
    .await?;
    rows.iter().map(standing_of).collect()
}

fn standing_of(row: &SqliteRow) -> Result<Standing, Fault> {
    let state: String = row.try_get(1)?;
    Ok(Standing {
        system: SystemName::new(row.try_get::<String, _>(0)?),
        state: codec::from_name(&state)?,
        connections: codec::unsigned(row.try_get(2)?)?,
        waiting_since: row
            .try_get::<Option<i64>, _>(3)?
            .map(codec::instant)
            .transpose()?,
        quarantined: codec::unsigned(row.try_get(4)?)?,
    })
}

pub(super) async fn transition(
    store: &SqliteStore,
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
    Ok(after)
}

pub(super) async fn disconnect(
    store: &SqliteStore,
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
        "UPDATE connection_tokens SET void_from = ?1 WHERE connection = ?2 AND (void_from IS NULL OR void_from > ?1)",
    )
    .bind(at)
    .bind(lane.row)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE connection_details SET schedule = NULL, resource_schedules = '{}' WHERE connection = ?")
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE connections SET epoch = epoch + 1, closed = 1 WHERE row = ?")
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    keys::write_audit(&mut tx, &disconnect.audit).await?;
    let after = find(&mut tx, disconnect.id).await?;
    tx.commit().await?;
    Ok(after)
}

pub(super) async fn standing(
    tx: &mut SqliteConnection,
    id: ConnectionId,
) -> Result<Option<(Lane, StoredConnection)>, Fault> {
    let lane = Lane::find(tx, id).await?;
    let stored = find(tx, id).await?;
    Ok(lane.zip(stored))
}

pub(super) async fn set_state(
    tx: &mut SqliteConnection,
    lane: i64,
    (state, reason): (State, Option<&str>),
    since: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE connection_details SET state = ?, reason = ?, state_since = ? WHERE connection = ?",
    )
    .bind(state.name())
    .bind(reason)
    .bind(since)
    .bind(lane)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_schedule(
    store: &SqliteStore,
    id: ConnectionId,
    new: &NewSchedule,
) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let Some((lane, before)) = standing(&mut tx, id).await? else {
        return Ok(false);
    };
    if before.state == State::Disconnected {
        return Ok(false);
    }
    write_schedule(&mut tx, (lane.row, &before), new).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes schedules over those of a connection, with the audit entry.
pub(super) async fn write_schedule(
    tx: &mut SqliteConnection,
    (lane, before): (i64, &StoredConnection),
    new: &NewSchedule,
) -> Result<(), Fault> {
    let (every, resources) = new.over(before);
    sqlx::query(
        "UPDATE connection_details SET schedule = ?, resource_schedules = ? WHERE connection = ?",
    )
    .bind(seconds(every))
    .bind(codec::intervals_to_text(&resources)?)
    .bind(lane)
    .execute(&mut *tx)
    .await?;
    keys::write_audit(tx, &new.audit).await
}

pub(super) async fn extend(
    store: &SqliteStore,
    extension: &Extension,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.write().await?;
    let Some((lane, before)) = standing(&mut tx, extension.id).await? else {
        return Ok(None);
    };
    if before.state == State::Disconnected || !extension.is_wider_than(&before) {
        return Ok(None);
    }
    sqlx::query("UPDATE connection_details SET records_since = ? WHERE connection = ?")
        .bind(extension.since.map(codec::micros))
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    keys::write_audit(&mut tx, &extension.audit).await?;
    let after = find(&mut tx, extension.id).await?;
    tx.commit().await?;
    Ok(after)
}
