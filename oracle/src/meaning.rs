//! What rows mean: two mappings, each with rows that it refuses or without.

use std::sync::Arc;

use anyhow::Result;
use serde::Deserialize;
use wrenchtime_connector::{ConnectorInfo, Document, MapError, Mapped, Mapper};
use wrenchtime_mapping::{Functions, Mapping};
use wrenchtime_model::ConnectionId;

/// How the rows become records: the first table's orders, the second's assets.
const MAPPING: &str = include_str!("../mapping.toml");

/// Which mapping there is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Meaning {
    /// Orders are titled by the source's name of the machine.
    pub by_name: bool,
    /// Rows with certain values cannot be mapped.
    pub picky: bool,
}

impl Meaning {
    /// Returns the title of an order with a value.
    pub(crate) fn title(self, value: u32) -> String {
        let word = if self.by_name { "Pump" } else { "Job" };
        format!("{word} {value}")
    }
}

/// Both mappings, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Mappings {
    by_title: Arc<Mapping>,
    by_name: Arc<Mapping>,
}

impl Mappings {
    pub(crate) fn compile(info: &ConnectorInfo) -> Result<Self> {
        // A source with one table has no machines.
        let end = MAPPING.find("[[map]]\nentity = \"machines\"");
        let end = end.filter(|_| info.entities.len() < 2);
        let text = end.and_then(|end| MAPPING.get(..end)).unwrap_or(MAPPING);
        let other = text.replace("title = \"title\"\ntasks", "title = \"name\"\ntasks");
        let compile = |text: &str| Mapping::compile(text, info, &Functions::builtin());
        Ok(Self {
            by_title: Arc::new(compile(text)?),
            by_name: Arc::new(compile(&other)?),
        })
    }

    pub(crate) fn mapper(&self, meaning: Meaning) -> Arc<dyn Mapper> {
        let inner = if meaning.by_name {
            &self.by_name
        } else {
            &self.by_title
        };
        Arc::new(Picky {
            version: format!("{} {}", inner.version(), meaning.picky),
            inner: Arc::clone(inner),
            picky: meaning.picky,
        })
    }
}

/// A mapper that refuses what ends with a 7, if it is picky.
#[derive(Debug)]
struct Picky {
    inner: Arc<Mapping>,
    version: String,
    picky: bool,
}

#[derive(Deserialize)]
struct Titled {
    title: String,
}

impl Mapper for Picky {
    fn version(&self) -> &str {
        &self.version
    }

    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        let row: Result<Titled, _> = serde_json::from_str(document.body.get());
        if self.picky && row.is_ok_and(|row| row.title.ends_with('7')) {
            let reason = "the title is refused".to_owned();
            return Err(MapError { reason });
        }
        self.inner.map(connection, document)
    }
}
