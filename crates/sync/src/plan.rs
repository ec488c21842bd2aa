//! Which streams a run reads, in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{
    ConnectorInfo, CursorKind, Deletes, EntityInfo, Role, StreamInfo, StreamName,
};

use crate::{Engine, Mode, RunRequest, RunState, StreamState};

/// What a run reads.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Entities that have something to read.
    pub(crate) entities: Vec<EntityPlan>,
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
}

impl Plan {
    /// Decides what to read.
    pub(crate) fn new(
        engine: &Engine,
        request: &RunRequest,
        run: &RunState,
        resumed: bool,
        mut states: BTreeMap<StreamName, StreamState>,
    ) -> Self {
        let info = request.connector.info();
        let due = Due {
            all: run.mode == Mode::Full || request.include_listings || request.accept_deletes,
            interval: engine.options.listing_interval,
            now: engine.clock.now(),
        };
        let mut plan = Self {
            entities: Vec::new(),
            done: 0,
        };
        for entity in wanted(info, request) {
            let mut next = EntityPlan::new(entity, run.mode, &due, &mut states);
            if resumed {
                let all = next.streams.len();
                next.streams
                    .retain(|stream| !ended_in(run, &next.states[&stream.name]));
                plan.done += count(all - next.streams.len());
            }
            if !next.streams.is_empty() {
                plan.entities.push(next);
            }
        }
        plan
    }

    /// Returns how many streams are left to read.
    pub(crate) fn streams(&self) -> u32 {
        let streams = self.entities.iter().map(|entity| entity.streams.len());
        count(streams.sum())
    }
}

impl EntityPlan {
    fn new(
        entity: &EntityInfo,
        mode: Mode,
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
        let listings = listings
            .into_iter()
            .filter(|stream| first || due.covers(stream, &states[&stream.name]));
        let streams = if first || mode == Mode::Full {
            listings.chain(changes).collect()
        } else {
            changes.into_iter().chain(listings).collect()
        };
        Self {
            entity: entity.clone(),
            streams,
            states,
            unbounded,
        }
    }

    /// Tells whether absence from this stream is how rows of the entity go.
    pub(crate) fn shows_absence(&self, stream: &StreamInfo) -> bool {
        let by_absence = matches!(stream.deletes, Deletes::Absent | Deletes::FlaggedOrAbsent);
        // Marks are kept by entity, so only one of its listings makes them.
        let first = self.entity.listing().map(|listing| &listing.name);
        by_absence && first == Some(&stream.name)
    }
}

fn wanted<'a>(
    info: &'a ConnectorInfo,
    request: &'a RunRequest,
) -> impl Iterator<Item = &'a EntityInfo> {
    info.entities.iter().filter(|entity| {
        request
            .entities
            .as_ref()
            .is_none_or(|names| names.contains(&entity.name))
    })
}

struct Due {
    all: bool,
    interval: Duration,
    now: DateTime<Utc>,
}

impl Due {
    fn covers(&self, stream: &StreamInfo, state: &StreamState) -> bool {
        let Some(completed_at) = state.completed_at else {
            return true;
        };
        let interval = TimeDelta::from_std(self.interval).unwrap_or(TimeDelta::MAX);
        let since = self.now - completed_at;
        self.all
            || stream.cursor == CursorKind::Token
            || state.pass.is_some()
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
