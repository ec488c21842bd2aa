//! The rows, and what a test does to them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use wrenchtime_connector::{
    Bound, Clock, Cursor, Deletes, EntityInfo, EntityName, Error, Precision, RemoteKey, Result,
    StreamInfo, StreamName, Yields,
};
use wrenchtime_model::{IdentityClass, Resource};

/// A source whose rows are in memory. Clones share one source.
///
/// Entities are named by text; one that was not declared simply never shows.
#[derive(Clone)]
pub struct MemorySource {
    entities: Arc<Vec<EntityInfo>>,
    state: Arc<Mutex<State>>,
}

/// A request that reached a [`MemorySource`], also when it was then refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Asked {
    /// Whose account it is.
    Check,
    /// A page.
    Page {
        /// Of this stream.
        stream: StreamName,
        /// From here.
        from: Option<Bound>,
        /// After this.
        cursor: Option<Cursor>,
    },
    /// Rows by key.
    Fetch {
        /// Of this entity.
        entity: EntityName,
        /// The keys.
        keys: Vec<RemoteKey>,
    },
}

/// A row as the source holds it: the truth to which a copy is compared.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct RowView {
    /// The row's key.
    pub key: RemoteKey,
    /// The row.
    pub body: Value,
    /// Marked as deleted.
    pub deleted: bool,
    /// When it changed, as it was given.
    pub at: Option<DateTime<Utc>>,
}

pub(crate) struct State {
    pub(crate) rows: BTreeMap<(String, RemoteKey), Row>,
    /// Grows with every change; the token of snapshots.
    pub(crate) revision: u64,
    pub(crate) identity: String,
    clock: Option<Arc<dyn Clock>>,
    secret: SecretString,
    failures: VecDeque<Error>,
    asked: Vec<Asked>,
    actions: Vec<(usize, Action)>,
}

type Action = Box<dyn FnOnce(&MemorySource) + Send>;

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) body: Value,
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) deleted: bool,
    pub(crate) version: u64,
    /// When it first came, among all rows: the order of unsorted streams.
    pub(crate) arrival: u64,
    pub(crate) fault: Option<String>,
}

impl MemorySource {
    /// Makes an empty source with the [`default_entities`].
    #[expect(
        clippy::new_without_default,
        reason = "a default source would hide that each is another"
    )]
    pub fn new() -> Self {
        Self::with_entities(default_entities())
    }

    /// Makes an empty source with these entities and streams. The connector behaves as they declare.
    pub fn with_entities(entities: Vec<EntityInfo>) -> Self {
        let state = State {
            rows: BTreeMap::new(),
            revision: 0,
            identity: "memory-account".to_owned(),
            clock: None,
            secret: SecretString::from("secret"),
            failures: VecDeque::new(),
            asked: Vec::new(),
            actions: Vec::new(),
        };
        Self {
            entities: Arc::new(entities),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Inserts or replaces a row, with a new version and this change time. A replaced row loses its mark of
    /// deletion. A time in the past makes a late commit; a row without one is in no stream of changes.
    pub fn put(&self, entity: &str, key: &str, body: Value, at: impl Into<Option<DateTime<Utc>>>) {
        let at = at.into();
        self.change(|state| {
            let revision = state.revision;
            let place = (entity.to_owned(), RemoteKey::new(key));
            let arrival = state.rows.get(&place).map_or(revision, |row| row.arrival);
            let row = Row {
                body,
                at,
                deleted: false,
                version: revision,
                arrival,
                fault: None,
            };
            state.rows.insert(place, row);
        });
    }

    /// Replaces a row's body as an edit of a child row would: change time and version stay. Nothing where there
    /// is no such row.
    pub fn edit_quietly(&self, entity: &str, key: &str, body: Value) {
        self.change_row(entity, key, |row, _| row.body = body);
    }

    /// Removes a row without a trace.
    pub fn remove(&self, entity: &str, key: &str) {
        self.change(|state| {
            state.rows.remove(&(entity.to_owned(), RemoteKey::new(key)));
        });
    }

    /// Marks a row as deleted, with a new version and this change time.
    pub fn flag_deleted(&self, entity: &str, key: &str, at: DateTime<Utc>) {
        self.change_row(entity, key, |row, revision| {
            row.deleted = true;
            row.at = Some(at);
            row.version = revision;
        });
    }

    /// Makes a row unreadable: pages tell of it as an issue with this reason, until it is put again.
    pub fn spoil(&self, entity: &str, key: &str, reason: &str) {
        self.change_row(entity, key, |row, _| row.fault = Some(reason.to_owned()));
    }

    /// Lets the next request fail; several failures queue up.
    pub fn fail_next(&self, error: Error) {
        self.lock().failures.push_back(error);
    }

    /// Does something to the source just before it answers the request with this number, counted from 1 over
    /// everything asked since the source was made: rows inserted between pages, a secret changed in a pass.
    pub fn at_request(&self, number: usize, action: impl FnOnce(&Self) + Send + 'static) {
        self.lock().actions.push((number, Box::new(action)));
    }

    /// Returns everything that was asked, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Returns the rows of an entity by key, those marked as deleted included.
    pub fn rows(&self, entity: &str) -> Vec<RowView> {
        let state = self.lock();
        let rows = state.rows.iter().filter(|((of, _), _)| of == entity);
        rows.map(|((_, key), row)| RowView {
            key: key.clone(),
            body: row.body.clone(),
            deleted: row.deleted,
            at: row.at,
        })
        .collect()
    }

    /// Sets the secret that is accepted from now on, by open connectors too. At first it is `secret`.
    pub fn set_secret(&self, secret: &str) {
        self.lock().secret = SecretString::from(secret);
    }

    /// Sets whose account this is. At first it is `memory-account`.
    pub fn set_identity(&self, identity: &str) {
        identity.clone_into(&mut self.lock().identity);
    }

    /// Sets the clock that pages tell as the source's. At first they tell none.
    pub fn set_clock(&self, clock: Arc<dyn Clock>) {
        self.lock().clock = Some(clock);
    }

    pub(crate) fn entities(&self) -> &[EntityInfo] {
        &self.entities
    }

    /// Notes a request, does what was planned for it, and refuses it where it is to be.
    pub(crate) fn receive(&self, asked: Asked, secret: &SecretString) -> Result<()> {
        for action in self.note(asked) {
            action(self);
        }
        let mut state = self.lock();
        if let Some(error) = state.failures.pop_front() {
            return Err(error);
        }
        if state.secret.expose_secret() == secret.expose_secret() {
            return Ok(());
        }
        Err(Error::new(
            wrenchtime_connector::ErrorKind::ReauthorizationRequired,
            "open the account: the source refuses the secret",
        ))
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.lock().clock.as_ref().map(|clock| clock.now())
    }

    fn note(&self, asked: Asked) -> Vec<Action> {
        let mut state = self.lock();
        state.asked.push(asked);
        let number = state.asked.len();
        let (due, later) = std::mem::take(&mut state.actions)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= number);
        state.actions = later;
        due.into_iter().map(|(_, action)| action).collect()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.revision += 1;
        change(&mut state);
    }

    fn change_row(&self, entity: &str, key: &str, change: impl FnOnce(&mut Row, u64)) {
        self.change(|state| {
            let revision = state.revision;
            if let Some(row) = state
                .rows
                .get_mut(&(entity.to_owned(), RemoteKey::new(key)))
            {
                change(row, revision);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource")
            .field("rows", &self.lock().rows.len())
            .finish_non_exhaustive()
    }
}

/// Returns the entities that the crate's page lists, for tests that change a limit or a lag of them.
pub fn default_entities() -> Vec<EntityInfo> {
    let mut work_orders = EntityInfo::new(
        EntityName::from_static("work_orders"),
        vec![Resource::WorkOrder],
        IdentityClass::new("work_order"),
    );
    work_orders.fetch_limit = Some(50);
    let mut changes = StreamInfo::changes(
        StreamName::from_static("work_orders-changes"),
        100,
        Precision::Millisecond,
        Duration::ZERO,
    );
    changes.deletes = Deletes::Flagged;
    let mut all = StreamInfo::listing(StreamName::from_static("work_orders-all"), 100);
    all.dated = true;
    all.deletes = Deletes::FlaggedOrAbsent;
    work_orders.streams = vec![changes, all];

    let mut assets = EntityInfo::new(
        EntityName::from_static("assets"),
        vec![Resource::Asset],
        IdentityClass::new("asset"),
    );
    assets.fetch_limit = Some(50);
    let mut sweep = StreamInfo::listing(StreamName::from_static("assets-sweep"), 200);
    sweep.yields = Yields::Stubs;
    sweep.dated = true;
    sweep.unseen = vec!["quiet edits"];
    sweep.deletes = Deletes::FlaggedOrAbsent;
    assets.streams = vec![sweep];
    vec![work_orders, assets]
}
