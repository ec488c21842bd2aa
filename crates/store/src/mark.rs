//! How far the event logs were when they were last seen, kept outside the database.
//!
//! A database that was restored from a backup gives out the sequences after it once more, for other changes. Whoever
//! goes on from a position of before would miss them silently. So a database that is behind its mark, or that another
//! mark belongs to, gets a new log epoch, and positions of the old one are refused.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Where the logs are: their epoch, and how many events all of them have given out. The number never falls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub(crate) epoch: Uuid,
    pub(crate) events: u64,
}

/// What stands in a mark's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Noted {
    /// There is none.
    Nothing,
    /// It cannot be understood, and so cannot say that nothing is missing.
    Unreadable,
    /// The logs were here.
    Position(Position),
}

/// The file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MarkFile {
    path: PathBuf,
}

impl MarkFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> io::Result<Noted> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Noted::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Puts a whole file in the place of the old one, so that no half of one is ever read.
    pub(crate) fn write(&self, position: Position) -> io::Result<()> {
        let beside = self.path.with_extension("mark-new");
        let mut file = File::create(&beside)?;
        writeln!(file, "{} {}", position.epoch, position.events)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}

fn parse(text: &str) -> Noted {
    let position = text.trim_end().split_once(' ').and_then(|(epoch, events)| {
        Some(Position {
            epoch: epoch.parse().ok()?,
            events: events.parse().ok()?,
        })
    });
    position.map_or(Noted::Unreadable, Noted::Position)
}
