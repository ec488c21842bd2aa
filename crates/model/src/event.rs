//! What a connection's event log holds.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConnectionId, RecordId, Resource, Timestamp};

/// One entry of a connection's event log, written in the transaction of what caused it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Place in the connection's log, from 1, without promise of being dense.
    pub sequence: u64,
    /// The connection.
    pub connection_id: ConnectionId,
    /// When it was written, by Wrenchtime's clock; rises with `sequence`.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EventBody {
    /// A unified record changed.
    Record {
        /// `record.created`, `record.updated` or `record.deleted`.
        #[serde(rename = "type")]
        change: RecordChange,
        /// The record's resource.
        resource: Resource,
        /// The record.
        record_id: RecordId,
        /// Written by the connection's first sync.
        initial: bool,
    },
    /// Something happened to the connection itself.
    Lifecycle {
        /// What.
        #[serde(rename = "type")]
        event: EventType,
        /// Details, as the event's documentation says.
        data: Value,
    },
}

impl EventBody {
    /// Returns the type of the event that tells of it.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Record { change, .. } => (*change).into(),
            Self::Lifecycle { event, .. } => *event,
        }
    }
}

/// How a record changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum RecordChange {
    /// Seen for the first time, or back after it was gone.
    #[serde(rename = "record.created")]
    Created,
    /// Its content is another.
    #[serde(rename = "record.updated")]
    Updated,
    /// Gone at the source.
    #[serde(rename = "record.deleted")]
    Deleted,
}

impl From<RecordChange> for EventType {
    fn from(change: RecordChange) -> Self {
        match change {
            RecordChange::Created => Self::RecordCreated,
            RecordChange::Updated => Self::RecordUpdated,
            RecordChange::Deleted => Self::RecordDeleted,
        }
    }
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $member:ident = $name:literal,)*) => {
        /// The closed list of events that an endpoint can ask for.
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
        )]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $name)] $member,)*
        }

        impl EventType {
            /// Every event type.
            pub const ALL: &'static [Self] = &[$(Self::$member,)*];

            /// Returns the name on the wire: `record.created`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $name,)*
                }
            }
        }
    };
}

event_types! {
    /// A record was seen for the first time, or came back.
    RecordCreated = "record.created",
    /// A record's content changed.
    RecordUpdated = "record.updated",
    /// A record is gone at the source.
    RecordDeleted = "record.deleted",
    /// A run came to its end, completely or in part.
    SyncCompleted = "sync.completed",
    /// A run ended without result.
    SyncFailed = "sync.failed",
    /// The source refuses the credentials.
    ReauthorizationRequired = "connection.reauthorization_required",
    /// The source answers again.
    ConnectionOnline = "connection.online",
    /// The source has not answered for a while.
    ConnectionOffline = "connection.offline",
    /// The connection was ended.
    ConnectionDisconnected = "connection.disconnected",
    /// Something wants an operator; `code` says what.
    SystemError = "system.error",
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no event's.
#[derive(Debug, thiserror::Error)]
#[error("no event is named {0:?}")]
pub struct UnknownEventType(String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|event| event.name() == text)
            .ok_or_else(|| UnknownEventType(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let connection_id = ConnectionId::new();
        let time = Timestamp::from_micros(1_900_000_000_000_001).unwrap();
        let bodies = [
            EventBody::Record {
                change: RecordChange::Updated,
                resource: Resource::Asset,
                record_id: RecordId::derive(
                    connection_id,
                    &crate::IdentityClass::new("asset"),
                    "7",
                ),
                initial: false,
            },
            EventBody::Lifecycle {
                event: EventType::SyncCompleted,
                data: serde_json::json!({"outcome": "complete"}),
            },
        ];
        for body in bodies {
            let event = Event {
                sequence: 3,
                connection_id,
                time,
                body,
            };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn names_are_read_back() {
        for event in EventType::ALL {
            assert_eq!(event.name().parse::<EventType>().unwrap(), *event);
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
    }
}
