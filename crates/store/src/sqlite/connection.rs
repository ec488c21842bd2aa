//! A connection's row: who may write to it, and its event clock.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;
use wrenchtime_model::{ConnectionId, Timestamp};
use wrenchtime_sync::{EventClock, Fence, LifecycleEvent};

use crate::codec;
use crate::error::Fault;

/// A connection whose row this transaction may write. The one writer is its lock.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its row number.
    pub(super) row: i64,
    /// Its epoch.
    pub(super) epoch: u32,
    /// It is ended.
    pub(super) closed: bool,
    /// When its last run ended that was complete or partial, to be written back by [`Lane::store`].
    pub(super) succeeded_at: Option<i64>,
    /// Its event clock, to be written back likewise.
    pub(super) clock: EventClock,
    /// Both as they were found.
    found: (Option<i64>, EventClock),
}

impl Lane {
    /// Finds a connection, ended or not.
    pub(super) async fn find(
        tx: &mut SqliteConnection,
        id: ConnectionId,
    ) -> Result<Option<Self>, Fault> {
        type Row = (i64, i64, bool, Option<i64>, i64, i64);
        let row: Option<Row> = sqlx::query_as(
            "SELECT row, epoch, closed, succeeded_at, last_sequence, last_time \
             FROM connections WHERE id = ?",
        )
        .bind(*id.as_uuid())
        .fetch_optional(tx)
        .await?;
        let Some((row, epoch, closed, succeeded_at, sequence, time)) = row else {
            return Ok(None);
        };
        let clock = EventClock {
            sequence: codec::unsigned(sequence)?,
            time: Some(codec::timestamp(time)?),
        };
        Ok(Some(Self {
            row,
            epoch: codec::small(epoch)?,
            closed,
            succeeded_at,
            clock,
            found: (succeeded_at, clock),
        }))
    }

    /// Finds a connection that is not ended.
    pub(super) async fn open(tx: &mut SqliteConnection, id: ConnectionId) -> Result<Self, Fault> {
        match Self::find(tx, id).await? {
            Some(lane) if !lane.closed => Ok(lane),
            _ => Err(Fault::NoConnection(id)),
        }
    }

    /// Finds a connection that this fence still holds.
    pub(super) async fn fenced(tx: &mut SqliteConnection, fence: &Fence) -> Result<Self, Fault> {
        let lane = Self::open(tx, fence.connection).await?;
        if lane.epoch == fence.epoch {
            Ok(lane)
        } else {
            Err(Fault::Fenced(fence.connection))
        }
    }

    /// Tells whether nothing of it has been complete yet.
    pub(super) fn is_initial(&self) -> bool {
        self.succeeded_at.is_none()
    }

    /// Writes an event that is no record's change.
    pub(super) async fn log(
        &mut self,
        tx: &mut SqliteConnection,
        event: &LifecycleEvent,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let (sequence, time) = self.clock.tick(now);
        sqlx::query(
            "INSERT INTO events (connection, sequence, time, type, data) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(self.row)
        .bind(codec::signed(sequence))
        .bind(time.as_micros())
        .bind(event.event.name())
        .bind(codec::to_json(&event.data)?)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Writes back what is otherwise than it was found.
    pub(super) async fn store(&self, tx: &mut SqliteConnection) -> Result<(), Fault> {
        if self.found == (self.succeeded_at, self.clock) {
            return Ok(());
        }
        sqlx::query(
            "UPDATE connections SET succeeded_at = ?, last_sequence = ?, last_time = ? WHERE row = ?",
        )
        .bind(self.succeeded_at)
        .bind(codec::signed(self.clock.sequence))
        .bind(self.clock.time.map(|time| time.as_micros()))
        .bind(self.row)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Adds a connection's row unless there is one, and returns its number.
pub(super) async fn add(
    tx: &mut SqliteConnection,
    id: ConnectionId,
    created_at: Timestamp,
) -> Result<i64, Fault> {
    sqlx::query("INSERT INTO connections (id, last_time) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(*id.as_uuid())
        .bind(created_at.as_micros())
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query_scalar("SELECT row FROM connections WHERE id = ?")
        .bind(*id.as_uuid())
        .fetch_one(tx)
        .await?;
    Ok(row)
}

/// Returns a connection's row number for reading, ended or not.
pub(super) async fn row_of(
    tx: &mut SqliteConnection,
    id: ConnectionId,
) -> Result<Option<i64>, Fault> {
    Ok(
        sqlx::query_scalar("SELECT row FROM connections WHERE id = ?")
            .bind(*id.as_uuid())
            .fetch_optional(tx)
            .await?,
    )
}
