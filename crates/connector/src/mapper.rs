//! From one document to unified records.

use std::fmt;

use serde_json::value::RawValue;
use wrenchtime_model::{ConnectionId, Facets, RecordId, Resource, Timestamp};

use crate::{Document, RemoteKey, Value};

/// A pure function from one source document to its unified records.
pub trait Mapper: fmt::Debug + Send + Sync + 'static {
    /// Returns what tells this mapping from others: documents mapped under another version are mapped again.
    fn version(&self) -> &str;

    /// Maps a document that is not deleted. The same document and version always give the same records.
    ///
    /// # Errors
    /// When no record can be made; the document is then quarantined with the reason. Single values that cannot be
    /// read are no error but data issues of their record.
    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError>;
}

/// A unified record made from a document.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mapped {
    /// Its id.
    pub id: RecordId,
    /// Its resource.
    pub resource: Resource,
    /// The source's key of it.
    pub remote_key: RemoteKey,
    /// Its content: a JSON object with the fields of the resource's schema, absent ones left out.
    pub content: Box<RawValue>,
    /// When the source says that it was made.
    pub remote_created_at: Option<Timestamp>,
    /// When the source says that it last changed.
    pub remote_modified_at: Option<Timestamp>,
    /// What lists are filtered by.
    pub facets: Facets,
}

impl Mapped {
    /// Makes a record without times and facets.
    pub fn new(
        id: RecordId,
        resource: Resource,
        remote_key: RemoteKey,
        content: Box<RawValue>,
    ) -> Self {
        Self {
            id,
            resource,
            remote_key,
            content,
            remote_created_at: None,
            remote_modified_at: None,
            facets: Facets::default(),
        }
    }
}

/// Why no record could be made of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapError {
    /// The reason, without values of the document.
    pub reason: String,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for MapError {}

/// A function that a connector's default mapping calls by name, where data alone does not say it.
#[derive(Clone, Copy, Debug)]
pub struct NamedFunction {
    /// Its name in mapping files. Unique within the connector, and none of the mapping language's own.
    pub name: &'static str,
    /// What it does: pure, from one value of a document to another; [`Value::Null`] leaves the field out. It is never
    /// called with an absent value, and never panics.
    ///
    /// Its error says what is wrong with the value, without the value. It becomes a data issue.
    pub apply: for<'a> fn(&Value<'a>) -> Result<Value<'a>, String>,
}
