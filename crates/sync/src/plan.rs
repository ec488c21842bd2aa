//! Which streams a run reads, in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{
    CursorKind, Deletes, EntityInfo, EntityName, Role, StreamInfo, StreamName,
};

use crate::joins;
use crate::window::{Window, is_wider};
use crate::{Engine, Mode, RunRequest, RunState, StreamState};

/// What a run reads.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Entities that have something to read, what is joined in an earlier wave than what it is joined into.
    pub(crate) waves: Vec<Vec<EntityPlan>>,
    /// Streams that an earlier process of this run has brought to their end.
    pub(crate) done: u32,
}

/// What a run reads of one entity.
#[derive(Debug)]
pub(crate) struct EntityPlan {
    /// The entity.
    pub(crate) entity: EntityInfo,
    /// Its streams, in the order in which they are read: never two at a time, so that what was observed later is
    /// also committed later.
    pub(crate) streams: Vec<StreamInfo>,
    /// Where all its streams stand.
    pub(crate) states: BTreeMap<StreamName, StreamState>,
    /// Streams of changes that get their first bound from the listing.
    pub(crate) unbounded: Vec<StreamInfo>,
    /// It is joined into others, which are held back when it is in doubt.
    relied_on: bool,
    /// Streams that an earlier process of this run has brought to their end.
    ended: Vec<StreamInfo>,
    /// Those of them that are read once more. The run's marks are of the first time too.
    again: BTreeSet<StreamName>,
    /// Streams of changes whose bound the source cannot be asked from any more.
    lost: BTreeSet<StreamName>,
}

/// Where a connection's streams stand before a run.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) states: BTreeMap<StreamName, StreamState>,
    /// Suspect ones whose missing rows were said to be gone.
    pub(crate) confirmed: BTreeSet<StreamName>,
}

impl Plan {
    /// Decides what to read, for a run that begins or is gone on with.
    pub(crate) fn new(
        engine: &Engine,
        request: &RunRequest,
        (run, resumed): (&RunState, bool),
        mut standing: Standing,
    ) -> Self {
        let info = request.connector.info();
        let due = Due {
            all: run.mode == Mode::Full || request.include_listings,
            confirmed: standing.confirmed,
            interval: engine.options.listing_interval,
            asked: request.entities.clone().unwrap_or_default(),
            since: request.since,
            now: engine.clock.now(),
        };
        let waves = joins::waves(info, request.entities.as_deref());
        // Also by what this run does not read: a doubt lasts until a later one has settled it.
        let relied_on: BTreeSet<&EntityName> =
            info.entities.iter().flat_map(joins::joined).collect();
        let ended_by = resumed.then_some(run);
        let mut waves: Vec<Vec<EntityPlan>> = waves
            .iter()
            .map(|wave| {
                let entities = wave.iter().map(|entity| {
                    let joined = relied_on.contains(&entity.name);
                    let states = &mut standing.states;
                    EntityPlan::new((entity, joined), (run.mode, ended_by), &due, states)
                });
                entities.collect()
            })
            .collect();
        look_again(&mut waves);
        let ended = waves.iter().flatten().map(|entity| entity.ended.len());
        let done = count(ended.sum());
        for wave in &mut waves {
            wave.retain(|entity| !entity.streams.is_empty());
        }
        Self { waves, done }
    }

    /// Returns how many streams are left to read.
    pub(crate) fn streams(&self) -> u32 {
        count(self.left().count())
    }

    /// Returns the streams that are left to read.
    pub(crate) fn left(&self) -> impl Iterator<Item = &StreamInfo> {
        let entities = self.waves.iter().flatten();
        entities.flat_map(|entity| &entity.streams)
    }
}

/// A run that was left may be gone on with much later: what others still rely on is looked at once more.
fn look_again(waves: &mut [Vec<EntityPlan>]) {
    let mut needed: BTreeSet<EntityName> = BTreeSet::new();
    for entity in waves.iter_mut().rev().flatten() {
        if needed.contains(&entity.entity.name) {
            let (again, ended) = std::mem::take(&mut entity.ended)
                .into_iter()
                .partition(|stream| stream.role == Role::Listing);
            entity.ended = ended;
            entity.again = names(&again);
            entity.streams.extend(again);
        }
        if !entity.streams.is_empty() {
            needed.extend(joins::joined(&entity.entity).cloned());
        }
    }
}

fn names(streams: &[StreamInfo]) -> BTreeSet<StreamName> {
    streams.iter().map(|stream| stream.name.clone()).collect()
}

impl EntityPlan {
    fn new(
        (entity, relied_on): (&EntityInfo, bool),
        (mode, ended_by): (Mode, Option<&RunState>),
        due: &Due,
        states: &mut BTreeMap<StreamName, StreamState>,
    ) -> Self {
        let states: BTreeMap<StreamName, StreamState> = entity
            .streams
            .iter()
            .map(|stream| {
                let state = states.remove(&stream.name).unwrap_or_default();
                (stream.name.clone(), state)
            })
            .collect();
        let (listings, changes): (Vec<_>, Vec<_>) = entity
            .streams
            .iter()
            .cloned()
            .partition(|stream| stream.role == Role::Listing);
        let unbounded: Vec<_> = changes
            .iter()
            .filter(|stream| matches!(stream.cursor, CursorKind::Time { .. }))
            .filter(|stream| !listings.is_empty() && states[&stream.name].bound.is_none())
            .cloned()
            .collect();
        // Until a listing was complete nobody knows the rows that changed before the first bound.
        let first = !unbounded.is_empty()
            || listings
                .iter()
                .any(|stream| states[&stream.name].completed_at.is_none());
        let is_alone = changes.is_empty() && due.asked.contains(&entity.name);
        let since = Window::of(entity, due.since).map(Window::since);
        let is_narrow = |stream: &StreamInfo| is_wider(since, states[&stream.name].since);
        let listings = listings.into_iter().filter(|stream| {
            let state = &states[&stream.name];
            let by_doubt = relied_on && state.suspect;
            first || is_alone || due.covers(stream, state) || by_doubt || is_narrow(stream)
        });
        let mut streams: Vec<_> = if first || mode == Mode::Full {
            listings.chain(changes).collect()
        } else {
            changes.into_iter().chain(listings).collect()
        };
        let has_ended = |stream: &StreamInfo| {
            let ended = ended_by.is_some_and(|run| ended_in(run, &states[&stream.name]));
            ended && !is_narrow(stream)
        };
        streams.retain(|stream| !has_ended(stream));
        let ended = entity.streams.iter().filter(|stream| has_ended(stream));
        Self {
            entity: entity.clone(),
            ended: ended.cloned().collect(),
            again: BTreeSet::new(),
            lost: BTreeSet::new(),
            streams,
            states,
            unbounded,
            relied_on,
        }
    }

    /// Gives up a bound from which the source does not tell changes any more. Returns what is read instead: listings from
    /// their beginning, then the stream, from a bound before them.
    pub(crate) fn lose(
        &mut self,
        stream: &StreamInfo,
        read: &BTreeSet<StreamName>,
    ) -> Vec<StreamInfo> {
        let state = self.states.entry(stream.name.clone()).or_default();
        (state.bound, state.pass) = (None, None);
        let all = self.entity.streams.iter();
        let listings: Vec<_> = all
            .filter(|one| one.role == Role::Listing)
            .cloned()
            .collect();
        if matches!(stream.cursor, CursorKind::Time { .. }) && !listings.is_empty() {
            self.unbounded.push(stream.clone());
        }
        let read_before = listings.iter().filter(|one| read.contains(&one.name));
        self.again.extend(read_before.map(|one| one.name.clone()));
        self.lost.insert(stream.name.clone());
        listings.into_iter().chain([stream.clone()]).collect()
    }

    /// Tells whether a stream's bound was given up in this run: there is no better one.
    pub(crate) fn has_lost(&self, stream: &StreamInfo) -> bool {
        self.lost.contains(&stream.name)
    }

    /// Tells whether a listing stands for changes that nobody tells any more. Then all of it has to be read after they
    /// were given up, whatever was read before.
    pub(crate) fn stands_for_changes(&self, stream: &StreamInfo) -> bool {
        stream.role == Role::Listing && !self.lost.is_empty()
    }

    /// Tells whether others are held back when this stream shows that rows are missing.
    pub(crate) fn is_relied_on(&self, stream: &StreamInfo) -> bool {
        self.relied_on && stream.role == Role::Listing
    }

    /// Tells whether this run has read the stream to its end before.
    pub(crate) fn reads_again(&self, stream: &StreamInfo) -> bool {
        self.again.contains(&stream.name)
    }

    /// Tells whether absence from this stream is how rows of the entity go.
    pub(crate) fn shows_absence(&self, stream: &StreamInfo) -> bool {
        let by_absence = matches!(stream.deletes, Deletes::Absent | Deletes::FlaggedOrAbsent);
        // Marks are kept by entity, so only one of its listings makes them.
        let first = self.entity.listing().map(|listing| &listing.name);
        by_absence && first == Some(&stream.name)
    }
}

struct Due {
    all: bool,
    /// Entities that are to be read by name. Where nothing but their listing tells what changed, it is what is meant.
    asked: Vec<EntityName>,
    confirmed: BTreeSet<StreamName>,
    interval: Duration,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Due {
    fn covers(&self, stream: &StreamInfo, state: &StreamState) -> bool {
        let Some(completed_at) = state.completed_at else {
            return true;
        };
        // It counts from the end of the last one, and runs come a little early or late: one every day is to list every day.
        let interval =
            TimeDelta::from_std(self.interval - self.interval / 8).unwrap_or(TimeDelta::MAX);
        let since = self.now - completed_at;
        self.all
            || stream.cursor == CursorKind::Token
            || state.pass.is_some()
            || (state.suspect && self.confirmed.contains(&stream.name))
            || since >= interval
            // The clock was set back: better too early than never.
            || since < TimeDelta::zero()
    }
}

fn ended_in(run: &RunState, state: &StreamState) -> bool {
    let ended = state.completed_at.is_some_and(|at| at >= run.started_at);
    ended && state.pass.is_none()
}

fn count(streams: usize) -> u32 {
    u32::try_from(streams).unwrap_or(u32::MAX)
}
