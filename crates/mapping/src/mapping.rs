//! A compiled mapping, and what it does to a document.

use wrenchtime_connector::{
    ConnectorInfo, Document, Factory, MapError, Mapped, Mapper, content_hash,
};
use wrenchtime_model::ConnectionId;

use crate::compile::{Maps, compile};
use crate::{CompileError, Functions};

/// Raised with every change of this crate after which a document may become another record, so that stored
/// documents are mapped again.
const CODE_VERSION: &str = "1";

/// A compiled mapping: immutable, and cheap to use from many threads at once.
#[derive(Debug)]
pub struct Mapping {
    version: String,
    maps: Maps,
}

impl Mapping {
    /// Compiles the default mapping of a system, with the system's own functions.
    ///
    /// # Errors
    /// When anything in it is wrong, which is a mistake of the connector.
    pub fn default_of(factory: &dyn Factory) -> Result<Self, CompileError> {
        let functions = Functions::builtin().with_named(factory.functions());
        Self::compile(factory.default_mapping(), factory.info(), &functions)
    }

    /// Compiles the text of a mapping for a connector, whose entities and classes of keys it is checked against.
    ///
    /// # Errors
    /// When anything in it is wrong. All faults are told at once, each with its place.
    pub fn compile(
        text: &str,
        info: &ConnectorInfo,
        functions: &Functions,
    ) -> Result<Self, CompileError> {
        let maps = compile(text, info, functions)?;
        Ok(Self {
            version: version_of(text, info),
            maps,
        })
    }
}

/// Hashes all that decides what records become, except the code of functions.
fn version_of(text: &str, info: &ConnectorInfo) -> String {
    let mut parts = vec![CODE_VERSION, text];
    for entity in &info.entities {
        parts.extend([entity.name.as_str(), entity.class.as_str()]);
    }
    let hash = content_hash(&parts);
    hex::encode(hash.get(..8).unwrap_or(&hash))
}

impl Mapper for Mapping {
    fn version(&self) -> &str {
        &self.version
    }

    /// Documents of entities that no map names become no records.
    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        match self.maps.get(&document.entity) {
            Some(maps) => crate::eval::records(maps, connection, document),
            None => Ok(Vec::new()),
        }
    }
}
