//! Identifiers. Each kind is a type of its own, so that one cannot stand where another belongs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        #[schemars(transparent, inline)]
        pub struct $name(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

        impl $name {
            /// Wraps a UUID that was read back from storage or a request.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID itself, for storage.
            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// One customer's connected account. A UUID v7, new for every connection: connecting the same source
    /// again makes another one.
    ConnectionId
}

uuid_id! {
    /// A unified record, derived from its connection, identity class and remote key by [`RecordId::derive`].
    RecordId
}

uuid_id! {
    /// One run of the sync engine. A UUID v7.
    RunId
}

uuid_id! {
    /// A suspicion against a listing of the sync engine: so many rows are missing that somebody has to say whether
    /// they are gone. A UUID v7.
    SuspicionId
}

uuid_id! {
    /// A webhook endpoint. A UUID v7.
    EndpointId
}

macro_rules! random_id {
    ($($name:ident)*) => {$(
        impl $name {
            /// Makes a new one, ordered by the time of its making (UUID v7).
            #[expect(clippy::new_without_default, reason = "a default id would hide that each is another")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }
    )*};
}

random_id!(ConnectionId RunId SuspicionId EndpointId);

/// The name space in which one source's keys are unique.
///
/// A resource's own name by default. Where one source table feeds several resources, the connector declares
/// one class that they share, so that a reference is known before its target was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentityClass(String);

impl IdentityClass {
    /// Names a class. Names are compared exactly.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentityClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RecordId {
    /// Derives the id of the record with this remote key.
    ///
    /// UUID v5 whose name space is the connection's UUID and whose name is the class's length in bytes as
    /// decimal digits, a colon, the class, and the remote key, all UTF-8. The length makes the split between
    /// class and key unambiguous. The encoding never changes; a test vector holds it.
    ///
    /// ```
    /// use wrenchtime_model::{ConnectionId, IdentityClass, RecordId};
    ///
    /// let connection: ConnectionId = "0190d9a0-0000-7000-8000-000000000001".parse()?;
    /// let id = RecordId::derive(connection, &IdentityClass::new("work_order"), "42");
    /// assert_eq!(id, RecordId::derive(connection, &IdentityClass::new("work_order"), "42"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn derive(connection: ConnectionId, class: &IdentityClass, remote_key: &str) -> Self {
        let class = class.as_str();
        let name = format!("{}:{class}{remote_key}", class.len());
        Self(Uuid::new_v5(connection.as_uuid(), name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_ids_keep_their_test_vector() {
        let connection: ConnectionId = "0190d9a0-0000-7000-8000-000000000001".parse().unwrap();
        let id = |class: &str, key: &str| {
            RecordId::derive(connection, &IdentityClass::new(class), key).to_string()
        };
        insta::assert_snapshot!(
            [
                id("work_order", "42"),
                id("Location", "42"),
                id("part", "A-100 ü"),
                id("", ""),
            ]
            .join("\n")
        );
    }

    #[test]
    fn the_split_between_class_and_key_is_unambiguous() {
        let connection = ConnectionId::new();
        let a = RecordId::derive(connection, &IdentityClass::new("ab"), "c");
        let b = RecordId::derive(connection, &IdentityClass::new("a"), "bc");
        assert_ne!(a, b);
    }
}
