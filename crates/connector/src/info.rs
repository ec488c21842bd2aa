//! What a connector declares about its system: data, checked by the conformance suite.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wrenchtime_model::{IdentityClass, Resource};

use crate::{KeyOrder, SettingField};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// Takes a name known when the program was written.
            pub const fn from_static(name: &'static str) -> Self {
                Self(Cow::Borrowed(name))
            }

            /// Takes a name read at run time.
            pub fn new(name: impl Into<String>) -> Self {
                Self(Cow::Owned(name.into()))
            }

            /// Returns the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

name! {
    /// A system's one formal lower-case name, the same in folder, feature, configuration and metrics.
    SystemName
}

name! {
    /// One of a system's tables or object types, in the vendor's spelling.
    EntityName
}

name! {
    /// One way of reading an entity's rows. Unique within its connector, stored with its checkpoints: a stream
    /// that begins to mean something else gets another name.
    StreamName
}

/// What a system is and offers.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ConnectorInfo {
    /// The formal name.
    pub system: SystemName,
    /// The vendor's own name of it.
    pub display_name: &'static str,
    /// Where its accounts run.
    pub hosting: Hosting,
    /// What must be known to connect.
    pub settings: Vec<SettingField>,
    /// What is read.
    pub entities: Vec<EntityInfo>,
    /// What can be done with each resource.
    pub resources: Vec<ResourceInfo>,
}

impl ConnectorInfo {
    /// Makes a declaration of a system in the vendor's cloud, without settings, entities and resources.
    pub fn new(system: SystemName, display_name: &'static str) -> Self {
        Self {
            system,
            display_name,
            hosting: Hosting::Cloud,
            settings: Vec::new(),
            entities: Vec::new(),
            resources: Vec::new(),
        }
    }

    /// Returns the entity of this name.
    pub fn entity(&self, name: &EntityName) -> Option<&EntityInfo> {
        self.entities.iter().find(|entity| entity.name == *name)
    }

    /// Returns the stream of this name and its entity.
    pub fn stream(&self, name: &StreamName) -> Option<(&EntityInfo, &StreamInfo)> {
        self.entities.iter().find_map(|entity| {
            let stream = entity.streams.iter().find(|stream| stream.name == *name)?;
            Some((entity, stream))
        })
    }
}

/// Where a system's accounts run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hosting {
    /// At the vendor.
    Cloud,
    /// At the customer.
    OnPremises,
}

/// One entity of a system.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EntityInfo {
    /// Its name, in the vendor's spelling.
    pub name: EntityName,
    /// The resources that its rows may become.
    pub resources: Vec<Resource>,
    /// The name space of its keys. Several entities or resources may share one.
    pub class: IdentityClass,
    /// How the source orders its keys.
    pub key_order: KeyOrder,
    /// How many keys one call of [`Connector::fetch`](crate::Connector::fetch) takes; nothing where rows cannot be
    /// fetched by key.
    pub fetch_limit: Option<u32>,
    /// Other entities whose rows are joined into this one's documents so that these would be wrong while those are in
    /// doubt: a row that is looked up there by name and not found, for example. They are read first, and this one is
    /// held back in a run that cannot rely on them. Never the entity itself, never in a circle.
    pub joins: Vec<EntityName>,
    /// Ways of reading it. At least one has [`Role::Listing`].
    pub streams: Vec<StreamInfo>,
}

impl EntityInfo {
    /// Makes an entity with text keys that cannot be fetched, without streams.
    pub fn new(name: EntityName, resources: Vec<Resource>, class: IdentityClass) -> Self {
        Self {
            name,
            resources,
            class,
            key_order: KeyOrder::Text,
            fetch_limit: None,
            joins: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// Declares entities that are [joined](Self::joins) into this one's documents.
    #[must_use]
    pub fn with_joins(mut self, joins: impl IntoIterator<Item = EntityName>) -> Self {
        self.joins.extend(joins);
        self
    }

    /// Returns the stream that lists every row.
    pub fn listing(&self) -> Option<&StreamInfo> {
        self.streams
            .iter()
            .find(|stream| stream.role == Role::Listing)
    }
}

/// What a stream is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Yields rows that changed since a bound in time. Rows may be missing that changed in other ways.
    Changes,
    /// Yields every row of the entity: a version sweep, a full read, a snapshot. What is absent is gone.
    Listing,
}

/// What a stream's pages hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Yields {
    /// Whole rows.
    Documents,
    /// Keys and versions.
    Stubs,
}

/// What begins a pass of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CursorKind {
    /// A bound in time, asked for inclusively.
    Time {
        /// How finely the source compares and shows it.
        precision: Precision,
        /// How late a row may become visible after the time that it carries.
        #[serde(serialize_with = "seconds")]
        lag: Duration,
    },
    /// A token that the source gave at the end of the last complete pass.
    Token,
    /// Nothing: each pass reads everything.
    None,
}

/// How finely a source tells time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Thousandths of a second.
    Millisecond,
    /// Whole seconds.
    Second,
    /// Whole minutes.
    Minute,
    /// Whole days.
    Day,
}

impl Precision {
    /// Returns the length of one step.
    pub fn step(self) -> Duration {
        match self {
            Self::Millisecond => Duration::from_millis(1),
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_secs(60),
            Self::Day => Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// How deletions show in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deletes {
    /// Not at all: the source never removes rows, or shows it elsewhere.
    Never,
    /// Rows stay, with a mark.
    Flagged,
    /// Rows are absent.
    Absent,
    /// Some rows stay with a mark, others are absent.
    FlaggedOrAbsent,
}

/// One way of reading an entity.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its name.
    pub name: StreamName,
    /// What it is for.
    pub role: Role,
    /// What its pages hold.
    pub yields: Yields,
    /// What begins a pass.
    pub cursor: CursorKind,
    /// Rows come in order: of change time and key in a stream of changes, of key in a listing. Where false, a
    /// bound moves only at the end of a pass.
    pub sorted: bool,
    /// How many rows a page has at most.
    pub page_limit: u32,
    /// How far back the source can be asked for changes. Who asks for older ones is refused, or told less without a word:
    /// with a bound so old all rows are listed instead.
    #[serde(serialize_with = "optional_seconds")]
    pub history: Option<Duration>,
    /// Rows show when they changed, as far as the source knows it. In a listing, rows that changed too long ago can then be
    /// left out of a copy that has a look-back.
    pub dated: bool,
    /// Which joined rows may change without being seen here. Seen by the next listing that yields documents.
    pub unseen: Vec<&'static str>,
    /// How deletions show.
    pub deletes: Deletes,
}

impl StreamInfo {
    /// Makes a stream of documents, sorted, that reads everything each time, shows deletions by absence and does not show
    /// when rows changed.
    pub fn listing(name: StreamName, page_limit: u32) -> Self {
        Self {
            name,
            role: Role::Listing,
            yields: Yields::Documents,
            cursor: CursorKind::None,
            sorted: true,
            page_limit,
            history: None,
            dated: false,
            unseen: Vec::new(),
            deletes: Deletes::Absent,
        }
    }

    /// Makes a stream of documents in order of their change, which shows no deletions.
    pub fn changes(name: StreamName, page_limit: u32, precision: Precision, lag: Duration) -> Self {
        Self {
            role: Role::Changes,
            cursor: CursorKind::Time { precision, lag },
            dated: true,
            deletes: Deletes::Never,
            ..Self::listing(name, page_limit)
        }
    }
}

/// What can be done with a resource.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// The resource.
    pub resource: Resource,
    /// What can be done.
    pub operations: Vec<Operation>,
    /// Unified fields that must be given when one is created.
    pub required: Vec<&'static str>,
    /// Unified fields that can be written.
    pub writable: Vec<&'static str>,
}

impl ResourceInfo {
    /// Declares a resource that can be read and nothing else.
    pub fn read_only(resource: Resource) -> Self {
        Self {
            resource,
            operations: vec![Operation::Read],
            required: Vec::new(),
            writable: Vec::new(),
        }
    }
}

/// What can be done with a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Reading it.
    Read,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn optional_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs())
        .serialize(serializer)
}
