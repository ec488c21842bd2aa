//! The look-back: which rows are too old to come into the copy.

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{ChangeTime, CursorKind, EntityInfo, Precision};

use crate::plan::EntityPlan;
use crate::task::Task;

/// Rows of an entity that the copy does not have come into it only if they changed since an instant.
///
/// What a row's change time is cut off from its instant is not known, so a row whose last change may lie within comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    since: DateTime<Utc>,
    /// How coarse the change times may be.
    step: TimeDelta,
}

impl Window {
    /// Returns an entity's window; nothing where all its rows come in: without a look-back, and where a listing does not
    /// show when its rows changed.
    pub(crate) fn of(entity: &EntityInfo, since: Option<DateTime<Utc>>) -> Option<Self> {
        if !entity.listing()?.dated {
            return None;
        }
        let times = entity.streams.iter().filter_map(|stream| {
            let CursorKind::Time { precision, .. } = stream.cursor else {
                return None;
            };
            Some(precision.step())
        });
        let step = times.max().unwrap_or(Precision::Day.step());
        Some(Self {
            since: since?,
            step: TimeDelta::from_std(step).unwrap_or(TimeDelta::MAX),
        })
    }

    /// Returns from when on rows come in.
    pub(crate) fn since(self) -> DateTime<Utc> {
        self.since
    }

    /// Tells whether a row stays out that the copy does not have. One without a change time comes in.
    pub(crate) fn leaves_out(self, changed_at: Option<&ChangeTime>) -> bool {
        let latest = changed_at.map(|change| change.at.checked_add_signed(self.step));
        latest.flatten().is_some_and(|latest| latest <= self.since)
    }
}

/// Tells whether rows come in by `wanted` that stayed out by `before`.
pub(crate) fn is_wider(wanted: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> bool {
    before.is_some_and(|before| wanted.is_none_or(|wanted| wanted < before))
}

impl Task<'_> {
    /// Returns which rows of an entity come into the copy.
    pub(crate) fn window(&self, plan: &EntityPlan) -> Option<Window> {
        Window::of(&plan.entity, self.request.since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wrenchtime_connector::{EntityName, StreamInfo, StreamName};
    use wrenchtime_model::{IdentityClass, Resource};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2031-05-01T{text}Z").parse().unwrap()
    }

    fn entity(dated: bool, precision: Option<Precision>) -> EntityInfo {
        let name = EntityName::from_static("pumps");
        let class = IdentityClass::new("pumps");
        let mut entity = EntityInfo::new(name, vec![Resource::Asset], class);
        let mut all = StreamInfo::listing(StreamName::from_static("all"), 10);
        all.dated = dated;
        entity.streams.push(all);
        let changes = precision.map(|precision| {
            let name = StreamName::from_static("changes");
            StreamInfo::changes(name, 10, precision, Duration::ZERO)
        });
        entity.streams.extend(changes);
        entity
    }

    #[track_caller]
    fn check(entity: &EntityInfo, changed: Option<&str>, stays_out: bool) {
        let window = Window::of(entity, Some(at("12:00:00")));
        let changed = changed.map(|text| ChangeTime {
            at: at(text),
            text: text.to_owned(),
        });
        let is_out = window.is_some_and(|window| window.leaves_out(changed.as_ref()));
        assert_eq!(is_out, stays_out, "{changed:?}");
    }

    #[test]
    fn what_may_have_changed_since_comes_in() {
        let by_minute = entity(true, Some(Precision::Minute));
        check(&by_minute, Some("11:58:00"), true);
        check(&by_minute, Some("11:59:00"), true);
        // It may have changed at 12:00:30 by a source that rounds up.
        check(&by_minute, Some("11:59:30"), false);
        check(&by_minute, Some("12:00:00"), false);
        check(&by_minute, None, false);
        // Nobody says how coarse they are: days, at worst.
        check(&entity(true, None), Some("00:00:00"), false);
        // Not every row shows one: the listing is not to be relied on.
        let undated = entity(false, Some(Precision::Minute));
        check(&undated, Some("11:58:00"), false);
        assert_eq!(Window::of(&by_minute, None), None);
    }

    #[test]
    fn an_earlier_instant_is_wider_and_none_is_the_widest() {
        let (early, late) = (Some(at("11:00:00")), Some(at("12:00:00")));
        assert!(is_wider(early, late) && is_wider(None, late));
        assert!(!is_wider(late, early) && !is_wider(late, late));
        assert!(!is_wider(late, None) && !is_wider(None, None));
    }
}
