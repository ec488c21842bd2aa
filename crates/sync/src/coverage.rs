//! What the streams of changes should have told already, and so whether a listing's news is drift.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use wrenchtime_connector::{Bound, Document, Role, StreamInfo};
use wrenchtime_model::{EventType, Resource};

use crate::plan::EntityPlan;
use crate::window::{Window, is_wider};
use crate::{KnownRow, LifecycleEvent};

/// How far the streams of changes of an entity have been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Coverage {
    /// Every row that changed before this instant, by the source's clock, was shown by them.
    until: DateTime<Utc>,
    /// No part of a row is declared as unseen by all of them.
    whole: bool,
}

impl Coverage {
    /// Tells whether the streams of changes should have shown this row, which a listing showed to differ from what is
    /// stored.
    ///
    /// Rows without a change date, and those that come back, are a listing's to find.
    pub(crate) fn missed(self, row: &Document, stored: Option<&KnownRow>) -> bool {
        let covered = row
            .changed_at
            .as_ref()
            .is_some_and(|change| change.at < self.until);
        let expected = stored.is_none_or(|stored| !stored.gone && self.whole);
        covered && expected && !row.deleted
    }
}

impl EntityPlan {
    /// Returns what should be known before this stream is read; nothing where its news is nobody else's to tell: in
    /// streams of changes, before the entity was listed whole or without leaving out what comes in now, where it has no
    /// stream of changes in time, and where the listing stands for changes that the source has forgotten, or may do so
    /// because an earlier process began it.
    pub(crate) fn covered(&self, stream: &StreamInfo, window: Option<Window>) -> Option<Coverage> {
        if stream.role == Role::Changes || self.stands_for_changes(stream) {
            return None;
        }
        let listed = &self.states[&self.entity.listing()?.name];
        let takes_in_more = is_wider(window.map(Window::since), listed.since);
        if listed.completed_at.is_none() || listed.pass.is_some() || takes_in_more {
            return None;
        }
        let changes = || {
            let streams = self.entity.streams.iter();
            streams.filter(|stream| stream.role == Role::Changes)
        };
        let mut until: Option<DateTime<Utc>> = None;
        for stream in changes() {
            let Some(Bound::Time { at, .. }) = self.states[&stream.name].bound else {
                return None;
            };
            until = Some(until.map_or(at, |until| until.min(at)));
        }
        let first = changes().next()?;
        let by_none = |part: &&str| changes().all(|stream| stream.unseen.contains(part));
        Some(Coverage {
            until: until?,
            whole: !first.unseen.iter().any(by_none),
        })
    }
}

/// Tells that streams of changes did not tell everything; nothing where they did.
pub(crate) fn drift(
    listing: &StreamInfo,
    rows: &BTreeMap<Resource, u64>,
) -> Option<LifecycleEvent> {
    let rows: BTreeMap<_, _> = rows.iter().filter(|(_, rows)| **rows > 0).collect();
    if rows.is_empty() {
        return None;
    }
    let stream = listing.name.as_str();
    tracing::error!(
        stream,
        ?rows,
        "the copy had drifted from the source; it is as the source again"
    );
    Some(LifecycleEvent {
        event: EventType::SystemError,
        data: json!({ "code": "drift", "stream": stream, "rows": rows }),
    })
}
