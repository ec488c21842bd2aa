//! How far the event logs are, compared with what this process has seen of them.
//!
//! Several processes share a database, each with a mark of its own, so an epoch that is over is remembered: a mark of it
//! says nothing against the database, as its positions are refused already. Only a mark that the database does not know,
//! or that is ahead of it, tells of a backup; the first process to see it draws the new epoch for all.
//!
//! A backup may also be restored while processes run, as they wait for the database and go on by themselves. So every new
//! connection looks before it is used.

use std::io;
use std::path::PathBuf;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::codec;
use crate::columns::LOG_EPOCH;
use crate::error::Fault;
use crate::mark::{MarkFile, Noted, Position};

/// The file in the data directory.
const FILE: &str = "wrenchtime-postgres.mark";

/// What this process has seen of the logs, and the file that keeps it.
#[derive(Debug)]
pub(super) struct Mark {
    file: Option<MarkFile>,
    /// Who compares and notes at once would take one's haste for the other's backup.
    noted: Mutex<Noted>,
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
        })
    }

    /// Compares the database with what was seen, and gives it a new epoch if it is older. Called for every connection to
    /// it before it is used.
    pub(super) async fn compare(&self, connection: &mut PgConnection) -> Result<(), NotNoted> {
        let mut noted = self.noted.lock().await;
        let found = current(connection, *noted).await?;
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
        let found = current(&mut connection, *noted).await?;
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

/// Returns where the logs are, after drawing a new epoch if they were further once.
async fn current(connection: &mut PgConnection, noted: Noted) -> Result<Position, Fault> {
    let found = position(connection).await?;
    if !is_older(connection, noted, found).await? {
        return Ok(found);
    }
    let mut tx = connection.begin().await?;
    sqlx::query("SELECT value FROM meta WHERE name = $1 FOR UPDATE")
        .bind(LOG_EPOCH)
        .execute(&mut *tx)
        .await?;
    // Another process may have drawn one for the same reason, while this one waited.
    let mut found = position(&mut tx).await?;
    if is_older(&mut tx, noted, found).await? {
        end(&mut tx, found.epoch).await?;
        if let Noted::Position(noted) = noted {
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

async fn is_older(
    connection: &mut PgConnection,
    noted: Noted,
    found: Position,
) -> Result<bool, Fault> {
    match noted {
        Noted::Nothing => Ok(false),
        Noted::Unreadable => Ok(true),
        Noted::Position(noted) if noted.epoch == found.epoch => Ok(noted.events > found.events),
        Noted::Position(noted) => {
            let is_over: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM ended_epochs WHERE epoch = $1)")
                    .bind(noted.epoch)
                    .fetch_one(connection)
                    .await?;
            Ok(!is_over)
        }
    }
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
