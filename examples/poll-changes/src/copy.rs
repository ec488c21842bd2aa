//! The copy: records and the instant to ask for next, in one file that is replaced whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known, and since when to ask.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Copy {
    pub(crate) modified_after: Option<String>,
    pub(crate) records: BTreeMap<String, Value>,
}

impl Copy {
    /// Reads the copy; an absent file is an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is no copy that this program wrote", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Writes the copy beside the old one, then puts it in its place: a crash leaves one or the other.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(self)?)
            .with_context(|| format!("write {}", beside.display()))?;
        fs::rename(&beside, path).with_context(|| format!("replace {}", path.display()))
    }

    /// Takes over one record as the API shows it.
    pub(crate) fn apply(&mut self, record: Value) -> Result<()> {
        let id = record["id"]
            .as_str()
            .context("a record without id")?
            .to_owned();
        if record["deleted"] == true {
            self.records.remove(&id);
        } else {
            self.records.insert(id, record);
        }
        Ok(())
    }
}
