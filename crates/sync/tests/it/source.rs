//! A source with tables of rows, read by time or by key, as its shape says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, DurationRound, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::json;
use serde_json::value::to_raw_value;
use wrenchtime_connector::{
    Account, Bound, ChangeTime, Clock, Connector, ConnectorInfo, Context, Cursor, CursorKind,
    Deletes, Document, EntityInfo, EntityName, Error, ErrorKind, Items, KeyOrder, ManualClock,
    Next, Page, PageRequest, Precision, RemoteKey, Result, Role, RowIssue, StreamInfo, StreamName,
    Stub, SystemName, Yields,
};
use wrenchtime_model::{IdentityClass, Resource};

/// How a source lets itself be read.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) tables: Vec<&'static str>,
    /// Rows of the left table show the value of the row of the right one that has their key.
    pub(crate) joins: Vec<(&'static str, &'static str)>,
    pub(crate) precision: Precision,
    pub(crate) lag: Duration,
    pub(crate) page: u32,
    pub(crate) changes: Option<Yields>,
    pub(crate) changes_sorted: bool,
    pub(crate) listing: Yields,
    pub(crate) listing_sorted: bool,
    pub(crate) token: bool,
    pub(crate) deletes: Deletes,
    pub(crate) fetch_limit: Option<u32>,
    /// How far the source's clock is ahead of ours.
    pub(crate) skew: TimeDelta,
    /// What the stream of changes is declared not to see.
    pub(crate) unseen: Vec<&'static str>,
    /// Pages are cut short without being the last.
    pub(crate) short_pages: bool,
    /// How far back changes are told.
    pub(crate) history: Option<Duration>,
    /// Who asks for older changes is refused, instead of being told less.
    pub(crate) refuses_old: bool,
    /// The listing is declared not to show when rows changed.
    pub(crate) undated_listing: bool,
    /// Every fifth row has no change time.
    pub(crate) undated_rows: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            tables: vec!["pumps"],
            joins: Vec::new(),
            precision: Precision::Second,
            lag: Duration::from_secs(30),
            page: 4,
            changes: Some(Yields::Documents),
            changes_sorted: true,
            listing: Yields::Documents,
            listing_sorted: true,
            token: false,
            deletes: Deletes::FlaggedOrAbsent,
            fetch_limit: Some(3),
            skew: TimeDelta::zero(),
            unseen: vec!["children"],
            short_pages: false,
            history: None,
            refuses_old: false,
            undated_listing: false,
            undated_rows: false,
        }
    }
}

/// Something that happens to a table.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A row gets this value; others see it after some seconds.
    Put { key: u32, value: u32, delay: u32 },
    /// A child row changes, and nothing else of the row.
    Child { key: u32, child: u32 },
    /// A row gets a change time a year ahead.
    Future { key: u32, value: u32 },
    /// A row is marked as deleted.
    Flag { key: u32 },
    /// A row is removed.
    Remove { key: u32 },
    /// Seconds pass.
    Wait(u32),
}

impl Op {
    fn key(&self) -> u32 {
        match self {
            Self::Put { key, .. }
            | Self::Child { key, .. }
            | Self::Future { key, .. }
            | Self::Flag { key }
            | Self::Remove { key } => *key,
            Self::Wait(_) => 0,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) value: u32,
    pub(crate) child: u32,
    pub(crate) at: DateTime<Utc>,
    pub(crate) flagged: bool,
    pub(crate) version: u64,
}

/// A request that arrived.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Asked {
    Page(StreamName, Option<Bound>, Option<Cursor>),
    Fetch(Vec<RemoteKey>),
}

/// A row's place in the order of a stream.
type Place = (i64, u32);

type Tables = BTreeMap<String, BTreeMap<u32, Row>>;

/// Tables and their version.
pub(crate) type Snapshot = (u64, Tables);

type Planned = Box<dyn FnOnce(&Source) + Send>;

#[derive(Default)]
struct State {
    tables: Tables,
    /// Changes that others do not see yet.
    pending: Vec<(DateTime<Utc>, u32, Option<Row>)>,
    version: u64,
    asked: Vec<Asked>,
    /// What happens before each of the next requests.
    script: VecDeque<Vec<Op>>,
    failures: VecDeque<Option<Error>>,
    broken: BTreeMap<String, fn() -> Error>,
    unreadable: BTreeMap<u32, bool>,
    unfetchable: Vec<RemoteKey>,
    planned: Vec<(usize, Planned)>,
}

#[derive(Clone)]
pub(crate) struct Source {
    info: Arc<ConnectorInfo>,
    pub(crate) shape: Shape,
    pub(crate) clock: ManualClock,
    /// Listings come in another order than declared.
    pub(crate) disordered: bool,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn new(shape: Shape, clock: ManualClock) -> Self {
        let mut info = ConnectorInfo::new(SystemName::from_static("test"), "Test");
        for table in &shape.tables {
            info.entities.push(entity(table, &shape));
        }
        Self {
            info: Arc::new(info),
            shape,
            clock,
            disordered: false,
            state: Arc::default(),
        }
    }

    /// Does something to the first table.
    pub(crate) fn act(&self, op: &Op) {
        let now = self.clock.now() + self.shape.skew;
        if let Op::Wait(seconds) = op {
            self.clock.advance(Duration::from_secs(u64::from(*seconds)));
            return;
        }
        if matches!(op, Op::Child { .. }) && self.shape.listing == Yields::Stubs {
            // Nothing would ever show it.
            return;
        }
        let table = self.shape.tables[0].to_owned();
        let state = &mut *self.lock();
        state.version += 1;
        let version = state.version;
        let blank = Row {
            value: 0,
            child: 0,
            at: now,
            flagged: false,
            version,
        };
        let key = op.key();
        let latest = state.latest(&table, key);
        let Some((row, delay)) = after(op, latest, &blank) else {
            return;
        };
        // Changes of one row become visible in their order.
        let waiting = state.pending.iter().filter(|(_, of, _)| *of == key);
        let visible = waiting.map(|(at, ..)| *at).max().unwrap_or(now);
        let visible = visible.max(now + TimeDelta::seconds(i64::from(delay)));
        state.pending.push((visible, key, row));
        drop_due(state, &table, now);
    }

    /// Puts a row into any table, visible at once.
    pub(crate) fn put_into(&self, table: &str, key: u32, value: u32) {
        let at = self.clock.now() + self.shape.skew;
        let mut state = self.lock();
        state.version += 1;
        let version = state.version;
        let row = Row {
            value,
            child: 0,
            at,
            flagged: false,
            version,
        };
        state
            .tables
            .entry(table.to_owned())
            .or_default()
            .insert(key, row);
    }

    /// Takes a row out of any table, at once.
    pub(crate) fn take_from(&self, table: &str, key: u32) {
        let mut state = self.lock();
        state.version += 1;
        state
            .tables
            .entry(table.to_owned())
            .or_default()
            .remove(&key);
    }

    /// Lets these things happen before the next requests, one set before each.
    pub(crate) fn script(&self, script: impl IntoIterator<Item = Vec<Op>>) {
        self.lock().script.extend(script);
    }

    /// Nothing happens of itself any more.
    pub(crate) fn quiet(&self) {
        let mut state = self.lock();
        state.script.clear();
        state.failures.clear();
    }

    /// Lets the next requests fail or not.
    pub(crate) fn fail(&self, failures: impl IntoIterator<Item = Option<Error>>) {
        self.lock().failures.extend(failures);
    }

    /// Breaks all requests of a stream, or mends it.
    pub(crate) fn break_stream(&self, stream: &str, error: Option<fn() -> Error>) {
        let mut state = self.lock();
        match error {
            Some(error) => state.broken.insert(stream.to_owned(), error),
            None => state.broken.remove(stream),
        };
    }

    /// Lets every fetch fail that asks for this row too.
    pub(crate) fn break_fetch(&self, key: u32) {
        self.lock()
            .unfetchable
            .push(RemoteKey::new(key.to_string()));
    }

    /// Makes a row unreadable, with its key or without.
    pub(crate) fn spoil(&self, key: u32, tells_key: bool) {
        self.lock().unreadable.insert(key, tells_key);
    }

    /// Makes all rows readable.
    pub(crate) fn mend(&self) {
        let mut state = self.lock();
        state.unreadable.clear();
        state.unfetchable.clear();
    }

    /// Does something just before the request of this number is answered, counted from 1 on from now.
    pub(crate) fn at_request(&self, number: usize, what: impl FnOnce(&Self) + Send + 'static) {
        let mut state = self.lock();
        let number = state.asked.len() + number;
        state.planned.push((number, Box::new(what)));
    }

    /// Returns all tables as they are.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        (state.version, state.tables.clone())
    }

    /// Makes all tables as they were, versions included.
    pub(crate) fn restore(&self, (version, tables): Snapshot) {
        let mut state = self.lock();
        state.version = version;
        state.tables = tables;
    }

    /// Returns what was asked since this was last called.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().asked)
    }

    /// Returns what was asked since [`Source::asked`] was last called, and keeps it.
    pub(crate) fn all_asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Returns the rows of the first table as everybody sees them when all has settled.
    pub(crate) fn truth(&self) -> BTreeMap<u32, Row> {
        let state = self.lock();
        let mut rows = state
            .tables
            .get(self.shape.tables[0])
            .cloned()
            .unwrap_or_default();
        let mut pending = state.pending.clone();
        pending.sort_by_key(|(at, ..)| *at);
        for (_, key, row) in pending {
            match row {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        rows.retain(|_, row| !row.flagged);
        rows
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn arrive(&self, asked: Asked) -> Result<()> {
        self.clock.advance(Duration::from_millis(300));
        let (ops, planned) = {
            let mut state = self.lock();
            state.asked.push(asked);
            let number = state.asked.len();
            let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut state.planned)
                .into_iter()
                .partition(|(at, _)| *at <= number);
            state.planned = later;
            (state.script.pop_front().unwrap_or_default(), due)
        };
        for op in &ops {
            self.act(op);
        }
        for (_, what) in planned {
            what(self);
        }
        let now = self.clock.now() + self.shape.skew;
        let state = &mut *self.lock();
        drop_due(state, self.shape.tables[0], now);
        match state.failures.pop_front().flatten() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Before this, no changes are told.
    fn forgets(&self) -> Option<DateTime<Utc>> {
        let history = TimeDelta::from_std(self.shape.history?).unwrap();
        Some(self.clock.now() + self.shape.skew - history)
    }

    fn shown(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let step = TimeDelta::from_std(self.shape.precision.step()).unwrap();
        at.duration_trunc(step).unwrap()
    }

    /// Returns the change time that a row shows.
    pub(crate) fn change_time(&self, key: u32, row: &Row) -> Option<ChangeTime> {
        if self.shape.undated_rows && key.is_multiple_of(5) {
            return None;
        }
        let at = self.shown(row.at);
        let text = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Some(ChangeTime { at, text })
    }

    fn document(&self, state: &State, entity: &EntityName, key: u32, row: &Row) -> Document {
        let mut joins = self.shape.joins.iter();
        let joined = joins.find(|(table, _)| *table == entity.as_str());
        let child = joined.map_or(row.child, |(_, joined)| {
            let other = state.tables.get(*joined).and_then(|rows| rows.get(&key));
            other.map_or(0, |other| other.value)
        });
        let body = json!({"v": row.value, "c": child, "noise": row.version});
        let body = to_raw_value(&body).unwrap();
        Document::new(entity.clone(), RemoteKey::new(key.to_string()), body)
            .with_version(Some(row.version.to_string()))
            .with_changed_at(self.change_time(key, row))
            .with_deleted(row.flagged)
    }

    fn stub(&self, role: Role, key: u32, row: &Row) -> Stub {
        // An action log tells no version.
        let version = (role == Role::Listing).then(|| row.version.to_string());
        Stub::new(RemoteKey::new(key.to_string()))
            .with_version(version)
            .with_changed_at(self.change_time(key, row))
            .with_deleted(row.flagged)
    }

    /// Returns the rows of a stream from a bound, behind a place.
    fn rows_behind(
        &self,
        state: &State,
        (entity, stream): (&EntityInfo, &StreamInfo),
        (from, after): (Option<&Bound>, Option<Place>),
    ) -> Vec<(Place, u32, Row)> {
        let since = match from {
            Some(Bound::Time { at, .. }) => Some(*at),
            _ => None,
        };
        let mut rows: Vec<(Place, u32, Row)> = state
            .tables
            .get(entity.name.as_str())
            .into_iter()
            .flatten()
            .filter(|(key, row)| {
                stream.role == Role::Listing || self.change_time(**key, row).is_some()
            })
            .filter(|(_, row)| since.is_none_or(|since| self.shown(row.at) >= since))
            .filter(|(_, row)| {
                let forgets = self.forgets().filter(|_| stream.role == Role::Changes);
                forgets.is_none_or(|forgets| row.at >= forgets)
            })
            .filter(|(_, row)| stream.deletes != Deletes::Absent || !row.flagged)
            .map(|(key, row)| (self.place(stream, *key, row), *key, row.clone()))
            .filter(|(place, ..)| after.is_none_or(|after| *place > after))
            .collect();
        rows.sort_by_key(|(place, ..)| *place);
        rows
    }

    fn page(
        &self,
        state: &State,
        (entity, stream): (&EntityInfo, &StreamInfo),
        mut rows: Vec<(Place, u32, Row)>,
        next: Next,
    ) -> Page {
        let issues: Vec<RowIssue> = rows
            .iter()
            .filter_map(|(_, key, _)| Some((key, state.unreadable.get(key)?)))
            .map(|(key, tells)| {
                let key = tells.then(|| RemoteKey::new(key.to_string()));
                RowIssue::new(key, "somewhere", "cannot be read")
            })
            .collect();
        rows.retain(|(_, key, _)| !state.unreadable.contains_key(key));
        let rows = rows.iter();
        let document =
            |(_, key, row): &(Place, u32, Row)| self.document(state, &entity.name, *key, row);
        let stub = |(_, key, row): &(Place, u32, Row)| self.stub(stream.role, *key, row);
        let items = match stream.yields {
            Yields::Documents => Items::Documents(rows.map(document).collect()),
            Yields::Stubs => Items::Stubs(rows.map(stub).collect()),
        };
        Page::new(items, next).with_issues(issues)
    }

    /// Returns a row's place in a stream's order. Unsorted streams have one too, but none that means anything.
    fn place(&self, stream: &StreamInfo, key: u32, row: &Row) -> Place {
        match stream.role {
            _ if !stream.sorted || self.disordered => {
                (i64::from(key.wrapping_mul(7919) % 101), key)
            }
            Role::Listing => (0, key),
            Role::Changes => (self.shown(row.at).timestamp_micros(), key),
        }
    }
}

/// Returns a row as something leaves it, and after how many seconds others see that.
fn after(op: &Op, before: Option<Row>, blank: &Row) -> Option<(Option<Row>, u32)> {
    let child = before.as_ref().map_or(0, |row| row.child);
    let after = match (op, before) {
        (Op::Put { value, delay, .. }, _) => {
            let value = *value;
            (
                Some(Row {
                    value,
                    child,
                    ..blank.clone()
                }),
                *delay,
            )
        }
        (Op::Future { value, .. }, _) => {
            let value = *value;
            let at = blank.at + TimeDelta::days(365);
            (
                Some(Row {
                    value,
                    child,
                    at,
                    ..blank.clone()
                }),
                0,
            )
        }
        (Op::Child { child, .. }, Some(row)) => (
            Some(Row {
                child: *child,
                ..row
            }),
            0,
        ),
        (Op::Flag { .. }, Some(Row { value, child, .. })) => (
            Some(Row {
                value,
                child,
                flagged: true,
                ..blank.clone()
            }),
            0,
        ),
        (Op::Remove { .. }, _) => (None, 0),
        (Op::Child { .. } | Op::Flag { .. }, None) | (Op::Wait(_), _) => return None,
    };
    Some(after)
}

impl State {
    /// Returns a row as its last change left it, whether others see that yet or not.
    fn latest(&self, table: &str, key: u32) -> Option<Row> {
        let waiting = self.pending.iter().rev().find(|(_, of, _)| *of == key);
        match waiting {
            Some((_, _, row)) => row.clone(),
            None => self.tables.get(table)?.get(&key).cloned(),
        }
    }
}

fn drop_due(state: &mut State, table: &str, now: DateTime<Utc>) {
    let mut pending = std::mem::take(&mut state.pending);
    pending.sort_by_key(|(at, ..)| *at);
    let (due, later): (Vec<_>, Vec<_>) = pending.into_iter().partition(|(at, ..)| *at <= now);
    state.pending = later;
    // A row that becomes visible changes what a listing shows.
    state.version += u64::try_from(due.len()).unwrap();
    let rows = state.tables.entry(table.to_owned()).or_default();
    for (_, key, row) in due {
        match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
    }
}

fn entity(table: &str, shape: &Shape) -> EntityInfo {
    let mut entity = EntityInfo::new(
        EntityName::new(table),
        vec![Resource::Asset, Resource::Location],
        IdentityClass::new(table),
    );
    let joins = shape.joins.iter().filter(|(left, _)| *left == table);
    entity = entity.with_joins(joins.map(|(_, right)| EntityName::from_static(right)));
    entity.key_order = KeyOrder::Numeric;
    entity.fetch_limit = shape.fetch_limit;
    if let Some(yields) = shape.changes {
        let name = StreamName::new(format!("{table}-changes"));
        let mut changes = StreamInfo::changes(name, shape.page, shape.precision, shape.lag);
        changes.yields = yields;
        changes.sorted = shape.changes_sorted;
        changes.deletes = Deletes::Flagged;
        changes.unseen.clone_from(&shape.unseen);
        changes.history = shape.history;
        entity.streams.push(changes);
    }
    let name = StreamName::new(format!("{table}-all"));
    let mut listing = StreamInfo::listing(name, shape.page);
    listing.yields = shape.listing;
    listing.sorted = shape.listing_sorted;
    listing.deletes = shape.deletes;
    listing.dated = !shape.undated_listing;
    if shape.token {
        listing.cursor = CursorKind::Token;
    }
    entity.streams.push(listing);
    entity
}

#[async_trait]
impl Connector for Source {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, _cx: &Context) -> Result<Account> {
        Ok(Account::new("test", "Test"))
    }

    async fn read_page(&self, _cx: &Context, request: PageRequest) -> Result<Page> {
        let PageRequest {
            stream,
            from,
            cursor,
            ..
        } = request;
        self.arrive(Asked::Page(stream.clone(), from.clone(), cursor.clone()))?;
        let (entity, info) = self.info.stream(&stream).unwrap();
        let state = self.lock();
        if let Some(error) = state.broken.get(stream.as_str()) {
            return Err(error());
        }
        let now = (self.clock.now() + self.shape.skew).trunc_subsecs(0);
        let version = state.version;
        if let (Role::Changes, Some(Bound::Time { at, .. })) = (info.role, &from)
            && self.shape.refuses_old
            && self.forgets().is_some_and(|forgets| *at < forgets)
        {
            return Err(Error::new(ErrorKind::NotFound, "changes so old are gone"));
        }
        if info.role == Role::Listing && from == Some(Bound::Token(version.to_string())) {
            let page = Page::new(Items::Documents(Vec::new()), Next::Unchanged);
            return Ok(page.with_source_time(Some(now)));
        }
        // The token at the end is of the version at the beginning.
        let (after, version) = match cursor {
            Some(cursor) => serde_json::from_str(cursor.as_str()).unwrap(),
            None => (None, version),
        };
        let total = self.rows_behind(&state, (entity, info), (from.as_ref(), None));
        let total = u64::try_from(total.len()).unwrap();
        let mut rows = self.rows_behind(&state, (entity, info), (from.as_ref(), after));
        let mut limit = usize::try_from(info.page_limit).unwrap();
        if self.shape.short_pages {
            limit = 1 + state.asked.len() % limit;
        }
        let next = match rows.get(limit - 1) {
            Some((last, ..)) if rows.len() > limit => {
                let cursor = serde_json::to_string(&(Some(last), version)).unwrap();
                Next::Page(Cursor::from_text(cursor).unwrap())
            }
            _ => Next::End {
                token: self.shape.token.then(|| version.to_string()),
            },
        };
        rows.truncate(limit);
        Ok(self
            .page(&state, (entity, info), rows, next)
            .with_total(Some(total))
            .with_source_time(Some(now)))
    }

    async fn fetch(
        &self,
        _cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        assert!(keys.len() <= usize::try_from(self.shape.fetch_limit.unwrap()).unwrap());
        self.arrive(Asked::Fetch(keys.to_vec()))?;
        let state = self.lock();
        if keys.iter().any(|key| state.unfetchable.contains(key)) {
            let message = "fetch rows: one of them is odd";
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let rows = state.tables.get(entity.as_str());
        let found = keys.iter().filter_map(|key| {
            let number: u32 = key.as_str().parse().unwrap();
            let row = rows?.get(&number)?;
            Some(self.document(&state, entity, number, row))
        });
        Ok(found.collect())
    }
}
