//! The rows of another file by what they are compared by, and what to say when nobody can tell which one is meant.

use std::collections::HashMap;

use wrenchtime_connector::RemoteKey;

use crate::profile::{Entity, Lookup};
use crate::snapshot::{compared, together};
use crate::table::Reading;

/// Where rows that others name stand, for one lookup.
#[derive(Debug)]
pub(crate) struct Index {
    file: String,
    /// The keys, by what is compared; nothing for what several rows have.
    found: HashMap<String, Option<RemoteKey>>,
    /// Of rows whose key cannot be read: the line of the first, by what is compared.
    keyless: HashMap<String, u64>,
    /// Rows of which not even that can be read.
    blind: Option<Blind>,
}

#[derive(Debug)]
struct Blind {
    first: u64,
    rows: u64,
}

/// What a lookup finds.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Answer<'a> {
    /// The one row.
    Key(&'a RemoteKey),
    /// None or several.
    Nothing,
    /// Nobody knows before the other file is mended: why, in words.
    Unknown(String),
}

impl Index {
    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            found: HashMap::new(),
            keyless: HashMap::new(),
            blind: None,
        }
    }

    /// Takes in the row that was just read. What is wrong with it is told where its own entity is read; here it
    /// matters how much of it is certain.
    pub(crate) fn add(&mut self, reading: &Reading<'_>, lookup: &Lookup, target: &Entity) {
        let (name, key) = match reading.cells() {
            Ok(cells) => (
                Some(compared(&cells, &lookup.others)),
                reading.key(&target.key).ok(),
            ),
            Err(flaw) => (
                reading.sure_cells(&lookup.others, &flaw).map(together),
                reading.sure_key(&target.key, &flaw),
            ),
        };
        match (name, key) {
            (None, _) => {
                let first = reading.line();
                self.blind.get_or_insert(Blind { first, rows: 0 }).rows += 1;
            }
            // Nobody can name a row without a name.
            (Some(None), _) => {}
            (Some(Some(name)), Some(key)) => {
                let found = self.found.entry(folded(&name));
                let known = found.or_insert_with(|| Some(key.clone()));
                if known.as_ref() != Some(&key) {
                    *known = None;
                }
            }
            (Some(Some(name)), None) => {
                self.keyless.entry(folded(&name)).or_insert(reading.line());
            }
        }
    }

    /// Looks up what a row names.
    pub(crate) fn answer(&self, name: &str) -> Answer<'_> {
        let (name, file) = (folded(name), &self.file);
        let found = self.found.get(&name);
        if let Some(None) = found {
            // Whatever else has the name, it means none.
            return Answer::Nothing;
        }
        if let Some(line) = self.keyless.get(&name) {
            return Answer::Unknown(format!(
                "the row that it names stands on line {line} of {file}, where the key cannot be read: mend that line first"
            ));
        }
        match (found, &self.blind) {
            (Some(Some(key)), _) => Answer::Key(key),
            (_, None) => Answer::Nothing,
            (_, Some(Blind { first, rows: 1 })) => Answer::Unknown(format!(
                "the row that it names may be line {first} of {file}, which cannot be read: mend that line first"
            )),
            (_, Some(Blind { first, rows })) => Answer::Unknown(format!(
                "the row that it names may be line {first} of {file} or one of {} more that cannot be read: mend them first",
                rows - 1
            )),
        }
    }
}

/// Names are typed by hand: case does not tell them apart.
fn folded(name: &str) -> String {
    name.to_lowercase()
}
