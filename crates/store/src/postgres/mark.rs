//! How far the event logs are, compared with what this process has seen of them.
//!
//! Several processes share a database, each with a mark of its own, so an epoch that is over is remembered: a mark of it
//! says nothing against the database, as its positions are refused already. Only a mark that the database does not know,
//! or that is ahead of it, tells of a backup; the first process to see it draws the new epoch for all.
//!
//! A backup may also be restored while processes run, as they wait for the database and go on by themselves. So every new
//! connection looks before it is used, and a process remembers the last sequence of each log that it wrote itself.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::codec;
use crate::columns::LOG_EPOCH;
use crate::error::Fault;
use crate::mark::{MarkFile, Noted, Position};
use crate::postgres::connection::Lane;

/// The file in the data directory.
const FILE: &str = "wrenchtime-postgres.mark";

/// What this process has seen of the logs, and the file that keeps it.
#[derive(Debug)]
pub(super) struct Mark {
    file: Option<MarkFile>,
    /// Who compares and notes at once would take one's haste for the other's backup.
    noted: Mutex<Noted>,
    /// The last sequence that this process wrote, by connection, in the noted epoch.
    written: std::sync::Mutex<HashMap<Uuid, i64>>,
}

impl Mark {
    /// Reads what a process of this data directory has seen.
    pub(super) fn read(directory: Option<&PathBuf>) -> Result<Self, (PathBuf, io::Error)> {
        let file = directory.map(|directory| MarkFile::new(directory.join(FILE)));
        let noted = match &file {
            Some(file) => file
                .read()
                .map_err(|source| (file.path().to_owned(), source))?,
            None => Noted::Nothing,
        };
        Ok(Self {
            file,
            noted: Mutex::new(noted),
            written: std::sync::Mutex::default(),
        })
    }

    /// Remembers how far a log was when this process wrote to it last. Called after the commit.
    pub(super) fn saw(&self, lane: &Lane) {
        let sequence = codec::signed(lane.clock.sequence);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two commits, the one that ended first may come last.
        let last = written.entry(*lane.id.as_uuid()).or_default();
        *last = sequence.max(*last);
    }

    /// Returns where the logs are, after drawing a new epoch if they were further once.
    async fn current(
        &self,
        connection: &mut PgConnection,
        noted: Noted,
    ) -> Result<Position, Fault> {
        // Before the database is asked: what is written meanwhile would seem to be missing there.
        let written = self
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let seen = Seen { noted, written };
        let found = seen.position_in(connection).await?;
        if matches!(noted, Noted::Position(noted) if noted.epoch != found.epoch) {
            self.written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
        Ok(found)
    }

    /// Compares the database with what was seen, and gives it a new epoch if it is older. Called for every connection to
    /// it before it is used.
    pub(super) async fn compare(&self, connection: &mut PgConnection) -> Result<(), NotNoted> {
        let mut noted = self.noted.lock().await;
        let found = self.current(connection, *noted).await?;
        if matches!(*noted, Noted::Position(noted) if noted.epoch == found.epoch) {
            return Ok(());
        }
        self.keep(&mut noted, found)
    }

    /// Writes how far the logs are now.
    pub(super) async fn note(&self, pool: &PgPool) -> Result<(), NotNoted> {
        // In this order: a new connection compares, and must not wait for who waits for it.
        let mut connection = pool.acquire().await.map_err(Fault::from)?;
        let mut noted = self.noted.lock().await;
        let found = self.current(&mut connection, *noted).await?;
        self.keep(&mut noted, found)
    }

    fn keep(&self, noted: &mut Noted, found: Position) -> Result<(), NotNoted> {
        if *noted != Noted::Position(found) {
            if let Some(file) = &self.file {
                file.write(found).map_err(NotNoted::File)?;
            }
            *noted = Noted::Position(found);
        }
        Ok(())
    }
}

/// Why the mark was not compared or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotNoted {
    #[error("the database cannot be read")]
    Database(#[from] Fault),
    #[error("its file cannot be written")]
    File(#[source] io::Error),
}

/// What a process has seen of the logs.
struct Seen {
    noted: Noted,
    written: HashMap<Uuid, i64>,
}

impl Seen {
    /// Returns where the logs are in the database, after drawing a new epoch if it is older than what was seen.
    async fn position_in(&self, connection: &mut PgConnection) -> Result<Position, Fault> {
        let found = position(connection).await?;
        if !self.is_missing_in(connection, found).await? {
            return Ok(found);
        }
        let mut tx = connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        sqlx::query("SELECT value FROM meta WHERE name = $1 FOR UPDATE")
            .bind(LOG_EPOCH)
            .execute(&mut *tx)
            .await?;
        // Another process may have drawn one for the same reason, while this one waited.
        let mut found = position(&mut tx).await?;
        if self.is_missing_in(&mut tx, found).await? {
            end(&mut tx, found.epoch).await?;
            if let Noted::Position(noted) = self.noted {
                end(&mut tx, noted.epoch).await?;
            }
            found.epoch = Uuid::new_v4();
            sqlx::query("UPDATE meta SET value = $1 WHERE name = $2")
                .bind(found.epoch.as_bytes().as_slice())
                .bind(LOG_EPOCH)
                .execute(&mut *tx)
                .await?;
            tracing::warn!(
                "the database is older than what was given out of it: clients of the change feed begin anew"
            );
        }
        tx.commit().await?;
        Ok(found)
    }

    async fn is_missing_in(
        &self,
        connection: &mut PgConnection,
        found: Position,
    ) -> Result<bool, Fault> {
        match self.noted {
            Noted::Nothing => Ok(false),
            Noted::Unreadable => Ok(true),
            Noted::Position(noted) if noted.epoch != found.epoch => {
                Ok(!is_over(connection, noted.epoch).await?)
            }
            Noted::Position(noted) if noted.events > found.events => Ok(true),
            Noted::Position(_) => is_behind(connection, &self.written).await,
        }
    }
}

async fn is_over(connection: &mut PgConnection, epoch: Uuid) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM ended_epochs WHERE epoch = $1)";
    Ok(sqlx::query_scalar(sql)
        .bind(epoch)
        .fetch_one(connection)
        .await?)
}

/// Tells whether a log is shorter than this process wrote it.
async fn is_behind(
    connection: &mut PgConnection,
    written: &HashMap<Uuid, i64>,
) -> Result<bool, Fault> {
    let (ids, sequences): (Vec<Uuid>, Vec<i64>) = written.iter().unzip();
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM UNNEST($1::uuid[], $2::bigint[]) AS w (id, sequence) \
         LEFT JOIN connections c ON c.id = w.id WHERE c.last_sequence IS NULL OR c.last_sequence < w.sequence)",
    )
    .bind(ids)
    .bind(sequences)
    .fetch_one(connection)
    .await?)
}

async fn end(connection: &mut PgConnection, epoch: Uuid) -> Result<(), Fault> {
    sqlx::query("INSERT INTO ended_epochs (epoch) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(epoch)
        .execute(connection)
        .await?;
    Ok(())
}

async fn position(connection: &mut PgConnection) -> Result<Position, Fault> {
    let (epoch, events): (Vec<u8>, i64) = sqlx::query_as(
        "SELECT value, (SELECT coalesce(sum(last_sequence), 0)::bigint FROM connections) FROM meta WHERE name = $1",
    )
    .bind(LOG_EPOCH)
    .fetch_one(connection)
    .await?;
    Ok(Position {
        epoch: epoch_from(&epoch)?,
        events: codec::unsigned(events)?,
    })
}

/// Reads an epoch as it is kept among the named values.
pub(super) fn epoch_from(bytes: &[u8]) -> Result<Uuid, Fault> {
    Uuid::from_slice(bytes)
        .map_err(|_| Fault::Corrupt(format!("a log epoch of {} bytes", bytes.len())))
}
