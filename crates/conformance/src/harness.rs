//! What a connector's tests bring along.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wrenchtime_connector::{Connector, EntityName, Mapper, RemoteKey};

/// A small source and a connector to it, new for each test.
///
/// # Requires
/// Each entity has at least three rows at the start that are not marked as deleted (and not many hundreds: passes are
/// read row by row), and rows with change times have at least three different ones, more than a step of their
/// precision apart. What is done to the source shows in the next request.
#[async_trait]
pub trait Harness: Send + Sync + Sized {
    /// Starts a source.
    async fn start() -> Self;

    /// Returns what the source can be made to do.
    fn powers(&self) -> Powers;

    /// Opens the account anew: nothing but the settings is carried over from connectors opened before.
    fn connector(&self) -> Arc<dyn Connector>;

    /// Returns the default mapping.
    fn mapper(&self) -> Arc<dyn Mapper>;

    /// Returns every secret that the connector holds or was given: settings, tokens. None may show anywhere.
    fn canaries(&self) -> Vec<String>;

    /// Inserts a row. Nothing where rows of this entity are not made.
    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey>;

    /// Changes a row in a way that every stream of its entity must see. Nothing where rows are never changed.
    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey>;

    /// Deletes one row in the source's way. Nothing where that is not possible.
    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey>;

    /// Gives that many rows one and the same change time, later than all others, and returns their keys. Nothing
    /// where rows have no change time.
    async fn tie(&self, entity: &EntityName, count: usize) -> Option<Vec<RemoteKey>>;

    /// Lets that many of the next requests fail so. False where the source has no such fault.
    async fn inject(&self, fault: Fault, times: u32) -> bool;

    /// Returns how many requests the source has received so far, tokens included.
    fn requests(&self) -> u64;

    /// Returns how long has been waited by the connector's clock since the start; nothing where it has none.
    fn waited(&self) -> Option<Duration> {
        None
    }
}

/// Ways in which a source fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Asks for fewer requests without saying for how long.
    RateLimited,
    /// Asks for no request for [`Fault::RETRY_AFTER`].
    RateLimitedFor,
    /// Says that something is wrong on its side.
    ServerError,
    /// Hangs up without a reply.
    Dropped,
    /// Hangs up in the middle of the reply.
    Truncated,
    /// Refuses the token as too old.
    ExpiredToken,
    /// Answers something that is not of its format.
    Malformed,
    /// Adds fields that no documentation knows.
    UnknownField,
    /// Uses a member of an enumeration that no documentation knows.
    UnknownMember,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 9] = [
        Self::RateLimited,
        Self::RateLimitedFor,
        Self::ServerError,
        Self::Dropped,
        Self::Truncated,
        Self::ExpiredToken,
        Self::Malformed,
        Self::UnknownField,
        Self::UnknownMember,
    ];

    /// How long [`Fault::RateLimitedFor`] asks to wait.
    pub const RETRY_AFTER: Duration = Duration::from_secs(7);
}

/// What a source can be made to do, and what it lacks, with the reason.
#[derive(Clone, Debug)]
pub struct Powers {
    pub(crate) faults: Vec<Fault>,
    pub(crate) lacks: BTreeMap<Fault, &'static str>,
    pub(crate) without: BTreeMap<(EntityName, Edit), &'static str>,
}

/// What can be done to the rows of an entity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Edit {
    /// [`Harness::insert`].
    Insert,
    /// [`Harness::touch`].
    Touch,
    /// [`Harness::delete`]. Need not be declared for an entity whose streams declare no deletions.
    Delete,
}

impl Powers {
    /// Declares the faults that can be injected.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            faults: faults.into_iter().collect(),
            lacks: BTreeMap::new(),
            without: BTreeMap::new(),
        }
    }

    /// Declares the faults that this kind of source does not have, with the reason.
    #[must_use]
    pub fn lacking(mut self, faults: impl IntoIterator<Item = (Fault, &'static str)>) -> Self {
        self.lacks.extend(faults);
        self
    }

    /// Declares something that the harness cannot do to an entity's rows, with the reason.
    #[must_use]
    pub fn without(mut self, entity: EntityName, edit: Edit, reason: &'static str) -> Self {
        self.without.insert((entity, edit), reason);
        self
    }

    /// Asserts that something was done where it is not declared as impossible, and only there.
    #[track_caller]
    pub(crate) fn expect(&self, entity: &EntityName, edit: Edit, done: bool) {
        let reason = self.without.get(&(entity.clone(), edit));
        assert_eq!(
            done,
            reason.is_none(),
            "{entity}: {edit:?} is possible, or declared as impossible: {reason:?}"
        );
    }
}
