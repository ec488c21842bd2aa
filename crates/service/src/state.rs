//! The states of a connection, and what leads from one to another.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wrenchtime_model::EventType;

/// Where a connection stands.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Asked for, credentials not accepted yet. Nothing is read.
    Pending,
    /// Works.
    Active,
    /// The source does not answer. It is tried again with growing gaps; what is stored is served.
    Offline,
    /// The source refuses the credentials: somebody must give others. Nothing is read.
    ReauthorizationRequired,
    /// An operator stopped it for now. Nothing is read; what is stored is served.
    Paused,
    /// Ended for good. Its token is void; what is stored is kept until it is erased.
    Disconnected,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Active,
        Self::Offline,
        Self::ReauthorizationRequired,
        Self::Paused,
        Self::Disconnected,
    ];

    /// Returns the name used in storage and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Offline => "offline",
            Self::ReauthorizationRequired => "reauthorization_required",
            Self::Paused => "paused",
            Self::Disconnected => "disconnected",
        }
    }

    /// Tells whether runs are made in this state.
    pub fn runs(self) -> bool {
        matches!(self, Self::Active | Self::Offline)
    }

    /// Returns what this state becomes by a trigger, or nothing where the trigger means nothing in it.
    pub fn after(self, trigger: Trigger) -> Option<Change> {
        let (to, event) = match (self, trigger) {
            (
                Self::Pending | Self::Offline | Self::ReauthorizationRequired,
                Trigger::Authorized,
            )
            | (Self::Offline, Trigger::Succeeded) => {
                (Self::Active, Some(EventType::ConnectionOnline))
            }
            (Self::Active, Trigger::Unreachable) => {
                (Self::Offline, Some(EventType::ConnectionOffline))
            }
            (Self::Active | Self::Offline, Trigger::Refused) => (
                Self::ReauthorizationRequired,
                Some(EventType::ReauthorizationRequired),
            ),
            (Self::Active | Self::Offline, Trigger::Pause) => (Self::Paused, None),
            (Self::Paused, Trigger::Resume) => (Self::Active, None),
            (
                Self::Pending
                | Self::Active
                | Self::Offline
                | Self::ReauthorizationRequired
                | Self::Paused,
                Trigger::Disconnect,
            ) => (Self::Disconnected, Some(EventType::ConnectionDisconnected)),
            _ => return None,
        };
        Some(Change { to, event })
    }

    /// Returns the states in which a trigger means something and leads to `to`.
    pub fn sources(trigger: Trigger, to: Self) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|state| state.after(trigger).is_some_and(|change| change.to == to))
            .collect()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no state's.
#[derive(Debug, thiserror::Error)]
#[error("no state of a connection is named {0:?}")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// What moves a connection from one state to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Trigger {
    /// The source accepted credentials that somebody gave.
    Authorized,
    /// A run read something.
    Succeeded,
    /// The source did not answer several times in a row.
    Unreachable,
    /// The source refused the credentials.
    Refused,
    /// An operator stops it for now.
    Pause,
    /// An operator lets it go on.
    Resume,
    /// An operator ends it.
    Disconnect,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 7] = [
        Self::Authorized,
        Self::Succeeded,
        Self::Unreachable,
        Self::Refused,
        Self::Pause,
        Self::Resume,
        Self::Disconnect,
    ];
}

/// What a trigger does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The state from then on.
    pub to: State,
    /// The event that tells of it, where there is one.
    pub event: Option<EventType>,
}
