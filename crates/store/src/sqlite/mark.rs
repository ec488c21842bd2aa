//! How far the event logs are, compared with what was noted beside the file.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use super::open::refused;
use crate::OpenError;
use crate::codec;
use crate::columns::LOG_EPOCH;
use crate::error::Fault;
use crate::mark::{MarkFile, Noted, Position};

/// Of the file beside the database.
const EXTENSION: &str = "mark";

/// The file, and what stands in it.
#[derive(Debug)]
pub(super) struct Mark {
    file: MarkFile,
    noted: Mutex<Position>,
}

impl Mark {
    /// Compares a database with its mark, gives it a new epoch if it is older, and writes the mark if it is another.
    pub(super) async fn open(writer: &SqlitePool, database: &Path) -> Result<Self, OpenError> {
        let file = MarkFile::new(database.with_extension(EXTENSION));
        let unusable = |source| OpenError::Directory {
            path: file.path().to_owned(),
            source,
        };
        let failed = |fault| match fault {
            Fault::Sql(source) => refused(database, source),
            fault => OpenError::Database {
                path: database.to_owned(),
                source: Box::new(fault),
            },
        };
        let noted = file.read().map_err(unusable)?;
        let mut found = position(writer).await.map_err(failed)?;
        let is_older = match noted {
            Noted::Nothing => false,
            Noted::Unreadable => true,
            Noted::Position(noted) => noted.epoch != found.epoch || noted.events > found.events,
        };
        if is_older {
            found.epoch = new_epoch(writer).await.map_err(failed)?;
            tracing::warn!(
                "the database is older than what was given out of it: clients of the change feed begin anew"
            );
        }
        if noted != Noted::Position(found) {
            file.write(found).map_err(unusable)?;
        }
        Ok(Self {
            file,
            noted: Mutex::new(found),
        })
    }

    /// Writes how far the logs are now.
    pub(super) async fn note(&self, pool: &SqlitePool) -> Result<(), NotNoted> {
        let found = position(pool).await.map_err(NotNoted::Database)?;
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two who note at once, the one who looked first may come last.
        if found.events > noted.events {
            self.file.write(found).map_err(NotNoted::File)?;
            *noted = found;
        }
        Ok(())
    }
}

/// Why the mark was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotNoted {
    #[error("the database cannot be read: {0}")]
    Database(Fault),
    #[error("its file cannot be written: {0}")]
    File(io::Error),
}

async fn position(pool: &SqlitePool) -> Result<Position, Fault> {
    let (epoch, events): (Uuid, i64) = sqlx::query_as(
        "SELECT value, (SELECT ifnull(sum(last_sequence), 0) FROM connections) FROM meta WHERE name = ?",
    )
    .bind(LOG_EPOCH)
    .fetch_one(pool)
    .await?;
    Ok(Position {
        epoch,
        events: codec::unsigned(events)?,
    })
}

async fn new_epoch(writer: &SqlitePool) -> Result<Uuid, Fault> {
    let epoch = Uuid::new_v4();
    sqlx::query("UPDATE meta SET value = ? WHERE name = ?")
        .bind(epoch)
        .bind(LOG_EPOCH)
        .execute(writer)
        .await?;
    Ok(epoch)
}
