//! What every unified record has around its content.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConnectionId, RecordId, Timestamp};

/// Fields that a source or a customer has beyond the unified ones, by name.
pub type CustomFields = BTreeMap<String, Value>;

/// Identity, times and place in the change feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// The record's id, stable for the life of the connection.
    pub id: RecordId,
    /// The source's own key.
    pub remote_id: String,
    /// The connection that it was read over.
    pub connection_id: ConnectionId,
    /// When Wrenchtime first stored it, by Wrenchtime's clock.
    pub created_at: Timestamp,
    /// When its content last changed here, by Wrenchtime's clock. Rises with `sequence`.
    pub modified_at: Timestamp,
    /// When the source says that it was made, by the source's clock.
    pub remote_created_at: Option<Timestamp>,
    /// When the source says that it last changed, by the source's clock.
    pub remote_modified_at: Option<Timestamp>,
    /// Gone at the source. The content is the last that was seen.
    pub deleted: bool,
    /// Place of its last change in the connection's event log.
    pub sequence: u64,
}

/// A unified record as the API shows it: envelope and content side by side in one object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record<T> {
    /// Identity, times and place in the change feed.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The resource's own fields.
    #[serde(flatten)]
    pub content: T,
}
