//! What was wrong with a value that nevertheless did not stop its record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value of the source that could not be taken over as it was meant. The record is served without it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DataIssue {
    /// The unified field, dotted: `tasks.0.completed_at`.
    pub field: String,
    /// What kind of trouble it is.
    pub code: IssueCode,
    /// The source's value as text, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// Kinds of [`DataIssue`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueCode {
    /// A status, priority or kind that the connection's map does not know.
    UnmappedValue,
    /// A number, date or flag that cannot be read as one.
    Unreadable,
    /// A local time whose zone is not known, or that does not exist there.
    UnknownZone,
    /// A date that the source itself would not have written, such as a change far in the future.
    Implausible,
}
