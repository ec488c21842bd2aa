//! What a pass must know before its first row: that the files are whole, which keys are taken twice, and what other
//! files say.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{Read, Seek};
use std::time::SystemTime;

use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};
use wrenchtime_connector::{Clock, Context, RemoteKey, RowIssue, content_hash};
use wrenchtime_transport::Folder;

use crate::body::Body;
use crate::fault::{Fault, Unsettled, Written};
use crate::lookup::{Answer, Index};
use crate::profile::{Entity, EntityKind, Lines, Lookup, Profile};
use crate::table::{Reading, open};

/// Raised when the same files give other documents than before.
const READER_VERSION: &str = "express-maintenance 3";

/// How many rows are read between two looks at whether anybody still waits.
const LOOK_EVERY: u64 = 1000;

/// Ends work that nobody waits for.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) clock: &'a dyn Clock,
}

impl Gate<'_> {
    pub(crate) fn pass(&self) -> Result<(), Fault> {
        let late = self
            .cx
            .deadline
            .is_some_and(|deadline| self.clock.now() > deadline);
        if late || self.cx.cancel.is_cancelled() {
            Err(Fault::Stopped)
        } else {
            Ok(())
        }
    }
}

/// What the rows of one state of an entity's files need beside themselves.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Names this state of the files.
    pub(crate) token: String,
    /// The entity's own file. Kept open, so that a file that is replaced by another is read to its end all the same.
    pub(crate) file: File,
    /// Rows in that file.
    pub(crate) total: u64,
    /// Where keys that stand in several rows stand first.
    pub(crate) duplicates: HashMap<RemoteKey, u64>,
    /// For each lookup the rows of the other file.
    lookups: Vec<Index>,
    /// For each kind of lines the lines, by what is compared.
    lines: Vec<HashMap<String, Vec<Box<RawValue>>>>,
    /// Lines that could not be read.
    pub(crate) issues: Vec<RowIssue>,
    hash: String,
    stamp: Stamp,
}

/// What shows cheaply that somebody wrote into a file.
#[derive(PartialEq, Eq, Debug)]
struct Stamp(u64, Option<SystemTime>);

impl Snapshot {
    /// Returns the other row that a lookup means.
    pub(crate) fn looked_up(&self, index: usize, wanted: &str) -> Answer<'_> {
        let lookup = self.lookups.get(index);
        lookup.map_or(Answer::Nothing, |lookup| lookup.answer(wanted))
    }

    /// Returns the lines of a row.
    pub(crate) fn lines_of(&self, index: usize, wanted: &str) -> &[Box<RawValue>] {
        self.lines
            .get(index)
            .and_then(|lines| lines.get(wanted))
            .map_or(&[], Vec::as_slice)
    }
}

/// The state of an entity's files.
#[derive(Debug)]
pub(crate) struct Found {
    /// Names it.
    pub(crate) token: String,
    file: File,
    hash: String,
}

/// One folder as one profile reads it.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) profile: &'a Profile,
    pub(crate) entity: &'a Entity,
    pub(crate) gate: Gate<'a>,
}

impl Survey<'_> {
    /// Opens the entity's files and names their state. The same content read in the same way gives the same token,
    /// whenever it was written.
    pub(crate) fn find(&self) -> Result<Found, Fault> {
        let mut file = open(self.folder, &self.entity.table.file)?;
        let hash = self.hash(&self.entity.table.file, &mut file)?;
        let token = self.token(&hash)?;
        Ok(Found { token, file, hash })
    }

    fn token(&self, hash: &str) -> Result<String, Fault> {
        let mut parts = vec![
            READER_VERSION.to_owned(),
            hex::encode(self.profile.digest()),
            self.entity.table.file.clone(),
            hash.to_owned(),
        ];
        for name in self.others() {
            parts.push(name.to_owned());
            parts.push(self.hash(name, &mut open(self.folder, name)?)?);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(hex::encode(content_hash(&parts)))
    }

    /// Fails while one of the entity's files may still be written. Looked at after their state was named: who writes
    /// later is noticed by that.
    fn settled(&self, file: &File) -> Result<(), Fault> {
        let settle = self.profile.settle;
        if settle.is_zero() {
            return Ok(());
        }
        let own = &self.entity.table.file;
        let mut latest = (own.as_str(), modified(own, file)?);
        for name in self.others() {
            let modified = modified(name, &open(self.folder, name)?)?;
            if modified > latest.1 {
                latest = (name, modified);
            }
        }
        let (name, modified) = latest;
        let now = SystemTime::from(self.gate.clock.now());
        let written = match now.duration_since(modified) {
            Ok(age) => Written::Ago(age),
            Err(ahead) => Written::Ahead(ahead.duration()),
        };
        let left = match written {
            Written::Ago(age) => settle.saturating_sub(age),
            Written::Ahead(by) => settle.saturating_add(by),
        };
        if left.is_zero() {
            return Ok(());
        }
        let file = name.to_owned();
        Err(Fault::Unsettled(Box::new(Unsettled {
            file,
            written,
            settle,
            left,
        })))
    }

    /// Returns the names of the files that are read beside the entity's own.
    fn others(&self) -> impl Iterator<Item = &str> {
        let lines = self.entity.lines.iter();
        let lines = lines.map(|lines| lines.table.file.as_str());
        let targets = self.targets().map(|(_, target)| target.table.file.as_str());
        lines.chain(targets)
    }

    fn targets(&self) -> impl Iterator<Item = (&Lookup, &Entity)> {
        self.entity.lookups.iter().filter_map(|lookup| {
            let target: &EntityKind = &lookup.target;
            Some((lookup, self.profile.entities.get(target)?))
        })
    }

    fn hash(&self, name: &str, file: &mut File) -> Result<String, Fault> {
        file.rewind().map_err(|source| Fault::io(name, source))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            self.gate.pass()?;
            let read = file
                .read(&mut buffer)
                .map_err(|source| Fault::io(name, source))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                return Ok(hex::encode(hasher.finalize()));
            };
            hasher.update(chunk);
        }
    }

    /// Reads all files once, from a state in which they may have been left. A file that is not whole fails here, before
    /// the first row is given out.
    pub(crate) fn begin(&self, found: Found) -> Result<Snapshot, Fault> {
        self.settled(&found.file)?;
        self.read(found)
    }

    /// Reads all files once more, in a state that a pass has begun with.
    pub(crate) fn read(&self, found: Found) -> Result<Snapshot, Fault> {
        let Found { token, file, hash } = found;
        let stamp = self.stamp(&file)?;
        let (total, duplicates) = self.keys(&file)?;
        let lookups = self
            .targets()
            .map(|(lookup, target)| self.index(lookup, target))
            .collect::<Result<_, _>>()?;
        let mut issues = Vec::new();
        let mut lines = Vec::new();
        for table in &self.entity.lines {
            lines.push(self.lines(table, &mut issues)?);
        }
        // What was read of the other files is what the token names, or it is not used.
        if self.token(&hash)? != token {
            return Err(Fault::Changed);
        }
        Ok(Snapshot {
            token,
            file,
            total,
            duplicates,
            lookups,
            lines,
            issues,
            hash,
            stamp,
        })
    }

    /// Returns the entity's own file, to be read at a place.
    pub(crate) fn file(&self, snapshot: &Snapshot) -> Result<File, Fault> {
        snapshot
            .file
            .try_clone()
            .map_err(|source| Fault::io(&self.entity.table.file, source))
    }

    /// Fails when somebody wrote into the entity's own file, as far as that shows without reading it.
    pub(crate) fn unmoved(&self, snapshot: &Snapshot) -> Result<(), Fault> {
        if self.stamp(&snapshot.file)? == snapshot.stamp {
            Ok(())
        } else {
            Err(Fault::Changed)
        }
    }

    /// Fails when the entity's own file is not what it was when the pass began.
    pub(crate) fn unchanged(&self, snapshot: &Snapshot) -> Result<(), Fault> {
        let hash = self.hash(&self.entity.table.file, &mut self.file(snapshot)?)?;
        if hash == snapshot.hash {
            Ok(())
        } else {
            Err(Fault::Changed)
        }
    }

    fn stamp(&self, file: &File) -> Result<Stamp, Fault> {
        let metadata = file
            .metadata()
            .map_err(|source| Fault::io(&self.entity.table.file, source))?;
        Ok(Stamp(metadata.len(), metadata.modified().ok()))
    }

    /// Counts the rows and finds the keys that several have. Of all others only a hash is kept meanwhile.
    fn keys(&self, file: &File) -> Result<(u64, HashMap<RemoteKey, u64>), Fault> {
        let file = file
            .try_clone()
            .map_err(|source| Fault::io(&self.entity.table.file, source))?;
        let mut reading = Reading::new(file, &self.entity.table, self.profile.dialect)?;
        let mut first: HashMap<[u8; 16], u64> = HashMap::new();
        let mut duplicates = HashMap::new();
        let mut total = 0;
        while reading.advance()? {
            total += 1;
            self.look(total)?;
            // A row that cannot be read takes no key from one that can: what stands there may be another column's.
            let (Ok(_), Ok(key)) = (reading.cells(), reading.key(&self.entity.key)) else {
                continue;
            };
            match first.entry(short_hash(&key)) {
                Entry::Vacant(entry) => {
                    entry.insert(reading.line());
                }
                Entry::Occupied(entry) => {
                    duplicates.entry(key).or_insert(*entry.get());
                }
            }
        }
        Ok((total, duplicates))
    }

    fn index(&self, lookup: &Lookup, target: &Entity) -> Result<Index, Fault> {
        let mut reading = Reading::open(self.folder, &target.table, self.profile.dialect)?;
        let mut index = Index::new(&target.table.file);
        let mut count = 0;
        while reading.advance()? {
            count += 1;
            self.look(count)?;
            index.add(&reading, lookup, target);
        }
        Ok(index)
    }

    fn lines(
        &self,
        lines: &Lines,
        issues: &mut Vec<RowIssue>,
    ) -> Result<HashMap<String, Vec<Box<RawValue>>>, Fault> {
        let mut reading = Reading::open(self.folder, &lines.table, self.profile.dialect)?;
        let mut found: HashMap<String, Vec<Box<RawValue>>> = HashMap::new();
        let mut count = 0;
        while reading.advance()? {
            count += 1;
            self.look(count)?;
            let cells = match reading.cells() {
                Ok(cells) => cells,
                Err(flaw) => {
                    issues.push(reading.issue(None, &flaw));
                    continue;
                }
            };
            let Some(owner) = compared(&cells, &lines.others) else {
                // The key of nobody: the same complaint as for a row without one.
                if let Err(flaw) = reading.key(&lines.others) {
                    issues.push(reading.issue(None, &flaw));
                }
                continue;
            };
            let mut body = Body::default();
            body.columns(&lines.table, &cells, &self.profile.formats);
            found.entry(owner).or_default().push(raw(&body));
        }
        Ok(found)
    }

    fn look(&self, count: u64) -> Result<(), Fault> {
        if count.is_multiple_of(LOOK_EVERY) {
            self.gate.pass()
        } else {
            Ok(())
        }
    }
}

/// Returns what two rows are compared by: the texts of some columns. Nothing when one is blank.
pub(crate) fn compared(cells: &[Option<&str>], columns: &[usize]) -> Option<String> {
    together(
        columns
            .iter()
            .map(|&column| cells.get(column).copied().flatten()),
    )
}

/// Makes one text of several cells. Nothing when one is blank.
pub(crate) fn together<'a>(cells: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let texts: Option<Vec<&str>> = cells.into_iter().collect();
    texts.map(|texts| texts.join("\u{1f}"))
}

/// Writes a body as JSON.
pub(crate) fn raw(body: &Body<'_>) -> Box<RawValue> {
    to_raw_value(body).expect("texts, flags and JSON under text keys can always be written")
}

fn modified(name: &str, file: &File) -> Result<SystemTime, Fault> {
    let metadata = file.metadata();
    metadata
        .and_then(|metadata| metadata.modified())
        .map_err(|source| Fault::io(name, source))
}

fn short_hash(key: &RemoteKey) -> [u8; 16] {
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(content_hash(&[key.as_str()])) {
        *to = from;
    }
    short
}
