//! How far the event logs were when they were last seen, kept outside the database.
//!
//! A database that was restored from a backup gives out the sequences after it once more, for other changes. Whoever
//! goes on from a position of before would miss them silently. So a database that is behind its mark, or that another
//! mark belongs to, gets a new log epoch, and positions of the old one are refused.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use super::migrate::LOG_EPOCH;
use super::open::refused;
use crate::OpenError;
use crate::codec;
use crate::error::Fault;

/// Of the file beside the database.
const EXTENSION: &str = "mark";

/// Where the logs are: their epoch, and how many events all of them have given out. The number never falls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Position {
    epoch: Uuid,
    events: u64,
}

/// The file, and what stands in it.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    noted: Mutex<Position>,
}

impl Mark {
    /// Compares a database with its mark, gives it a new epoch if it is older, and writes the mark if it is another.
    pub(super) async fn open(writer: &SqlitePool, database: &Path) -> Result<Self, OpenError> {
        let path = database.with_extension(EXTENSION);
        let unusable = |source| OpenError::Directory {
            path: path.clone(),
            source,
        };
        let failed = |fault| match fault {
            Fault::Sql(source) => refused(database, source),
            fault => OpenError::Database {
                path: database.to_owned(),
                source: Box::new(fault),
            },
        };
        let text = read(&path).map_err(unusable)?;
        let noted = text.as_deref().and_then(parse);
        let mut found = position(writer).await.map_err(failed)?;
        // What cannot be understood cannot say that nothing is missing.
        let is_older = text.is_some()
            && noted.is_none_or(|noted| noted.epoch != found.epoch || noted.events > found.events);
        if is_older {
            found.epoch = new_epoch(writer).await.map_err(failed)?;
            tracing::warn!(
                "the database is older than what was given out of it: clients of the change feed begin anew"
            );
        }
        if noted != Some(found) {
            write(&path, found).map_err(unusable)?;
        }
        Ok(Self {
            path,
            noted: Mutex::new(found),
        })
    }

    /// Writes how far the logs are now.
    pub(super) async fn note(&self, pool: &SqlitePool) -> Result<(), NotNoted> {
        let found = position(pool).await.map_err(NotNoted::Database)?;
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two who note at once, the one who looked first may come last.
        if found.events > noted.events {
            write(&self.path, found).map_err(NotNoted::File)?;
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

/// Returns what stands in the file, if there is one.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<Position> {
    let (epoch, events) = text.trim_end().split_once(' ')?;
    Some(Position {
        epoch: epoch.parse().ok()?,
        events: events.parse().ok()?,
    })
}

/// Puts a whole file in the place of the old one, so that no half of one is ever read.
fn write(path: &Path, position: Position) -> io::Result<()> {
    let beside = path.with_extension("mark-new");
    let mut file = File::create(&beside)?;
    writeln!(file, "{} {}", position.epoch, position.events)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
