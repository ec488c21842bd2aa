//! Where the next pass of a stream begins, and what time it is at the source.

use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{Bound, ChangeTime, CursorKind, Precision, Role, StreamInfo};

use crate::Pass;

/// Returns how old a bound may be: a pass takes time, and the bound must be remembered until its end; and clocks differ.
pub(crate) fn safe_history(stream: &StreamInfo) -> Option<Duration> {
    stream.history.map(|history| history - history / 10)
}

/// Tells whether a source whose clock shows `now` has forgotten changes since a bound, or will have before they are read.
pub(crate) fn is_forgotten(stream: &StreamInfo, from: Option<&Bound>, now: DateTime<Utc>) -> bool {
    match (from, safe_history(stream)) {
        (Some(Bound::Time { at, .. }), Some(safe)) => *at < earlier(now, delta(safe)),
        _ => false,
    }
}

/// Returns the bound that a stream has after a complete pass.
pub(crate) fn after_pass(
    stream: &StreamInfo,
    stored: Option<Bound>,
    pass: &Pass,
    token: Option<String>,
) -> Option<Bound> {
    match stream.cursor {
        CursorKind::Time { precision, lag } if stream.role == Role::Changes => {
            let settled = Settled::new(pass.started_at, lag, precision);
            let next = settled.next(stored, pass.largest.as_ref());
            settled.within(stream.history, next)
        }
        // An older token would answer for a copy that is not what it was then.
        CursorKind::Token if stream.role == Role::Listing => token.map(Bound::Token),
        CursorKind::Token => token.map(Bound::Token).or(stored),
        _ => None,
    }
}

/// Returns the bound of a stream of changes before its first pass, when everything older is read by a listing that
/// begins at this instant of the source's clock.
pub(crate) fn before_first(stream: &StreamInfo, listing_begins: DateTime<Utc>) -> Option<Bound> {
    match stream.cursor {
        CursorKind::Time { precision, lag } => {
            let settled = Settled::new(listing_begins, lag, precision);
            Some(Bound::at(settled.open()))
        }
        _ => None,
    }
}

/// The part of time in which nothing can appear any more: rows that changed before `until` were visible when the
/// pass began.
struct Settled {
    until: DateTime<Utc>,
    step: TimeDelta,
}

impl Settled {
    fn new(begun: DateTime<Utc>, lag: Duration, precision: Precision) -> Self {
        let until = earlier(begun, delta(lag));
        let step = delta(precision.step());
        Self { until, step }
    }

    fn next(&self, stored: Option<Bound>, largest: Option<&ChangeTime>) -> Option<Bound> {
        let Some(largest) = largest else {
            return stored;
        };
        let next = match largest.at.checked_add_signed(self.step) {
            // The whole tie group is settled, so the next pass need not read it again.
            Some(past) if past <= self.until => Bound::at(past),
            _ if largest.at <= self.until => Bound::from_change(largest),
            _ => Bound::at(self.open()),
        };
        match (&stored, &next) {
            (Some(Bound::Time { at: stored_at, .. }), Bound::Time { at, .. })
                if stored_at >= at =>
            {
                stored
            }
            _ => Some(next),
        }
    }

    /// Moves a bound on that has grown old because nothing changed, before the source forgets what was then.
    fn within(&self, history: Option<Duration>, bound: Option<Bound>) -> Option<Bound> {
        match (history, &bound) {
            (Some(history), Some(Bound::Time { at, .. })) => {
                let is_old = *at < earlier(self.until, delta(history / 2));
                if is_old && *at < self.open() {
                    return Some(Bound::at(self.open()));
                }
                bound
            }
            _ => bound,
        }
    }

    /// The latest bound that needs no row's time. Sources show times cut to their precision, in a zone of their own,
    /// so a change just after `until` may show as up to one step before it.
    fn open(&self) -> DateTime<Utc> {
        earlier(self.until, self.step)
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn earlier(instant: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    instant
        .checked_sub_signed(by)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// What the source's clock shows when ours shows something, estimated from the first reply that tells it.
#[derive(Debug, Default)]
pub(crate) struct SourceClock {
    offset: OnceLock<TimeDelta>,
}

impl SourceClock {
    /// Takes note of a reply's time. It was written before the reply came, so the estimate is never ahead of the
    /// source by the length of the request, which would lose changes; behind only reads some again.
    pub(crate) fn told(&self, source_time: DateTime<Utc>, received: DateTime<Utc>) {
        self.offset.get_or_init(|| source_time - received);
    }

    /// Returns the source's time at an instant of ours.
    pub(crate) fn at(&self, ours: DateTime<Utc>) -> DateTime<Utc> {
        let offset = self.offset.get().copied().unwrap_or_default();
        ours.checked_add_signed(offset).unwrap_or(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_secs(60);

    fn at(text: &str) -> DateTime<Utc> {
        format!("2031-05-01T{text}Z").parse().unwrap()
    }

    #[track_caller]
    fn check(stored: &str, largest: Option<&str>, begun: &str, expected: &str) {
        let largest = largest.map(|text| ChangeTime {
            at: at(text),
            text: text.to_owned(),
        });
        let settled = Settled::new(at(begun), LAG, Precision::Second);
        let next = settled.next(Some(Bound::at(at(stored))), largest.as_ref());
        let Some(Bound::Time { at: next, .. }) = next else {
            panic!("no bound in time: {next:?}");
        };
        assert_eq!(next, at(expected));
    }

    #[test]
    fn the_bound_follows_the_largest_change_but_not_into_what_may_still_appear() {
        // Nothing seen, nothing moved.
        check("09:00:00", None, "12:00:00", "09:00:00");
        // A settled tie group is left behind.
        check("09:00:00", Some("10:00:00"), "12:00:00", "10:00:01");
        check("09:00:00", Some("11:58:59"), "12:00:00", "11:59:00");
        // One that is not is read again.
        check("09:00:00", Some("11:59:00"), "12:00:00", "11:59:00");
        // The future, and what lies in the lag, holds nothing up and moves nothing too far.
        check("09:00:00", Some("11:59:30"), "12:00:00", "11:58:59");
        check("09:00:00", Some("23:00:00"), "12:00:00", "11:58:59");
        // Never back.
        check("11:59:00", Some("11:58:00"), "12:00:00", "11:59:00");
        check("13:00:00", Some("12:30:00"), "12:00:00", "13:00:00");
    }

    #[test]
    fn a_bound_in_an_idle_stream_is_not_forgotten() {
        let name = wrenchtime_connector::StreamName::from_static("x");
        let mut stream = StreamInfo::changes(name, 10, Precision::Second, LAG);
        let bound = |text| Some(Bound::at(at(text)));
        let settled = Settled::new(at("12:00:00"), LAG, Precision::Second);
        let hour = Some(Duration::from_secs(60 * 60));
        assert_eq!(settled.within(None, bound("09:00:00")), bound("09:00:00"));
        assert_eq!(settled.within(hour, bound("11:40:00")), bound("11:40:00"));
        assert_eq!(settled.within(hour, bound("11:20:00")), bound("11:58:59"));
        assert_eq!(settled.within(hour, bound("13:00:00")), bound("13:00:00"));
        for (from, now, forgotten) in [
            ("11:00:00", "11:53:00", false),
            ("11:00:00", "11:55:00", true),
            ("11:00:00", "10:00:00", false),
        ] {
            assert!(!is_forgotten(&stream, bound(from).as_ref(), at(now)));
            stream.history = hour;
            let is = is_forgotten(&stream, bound(from).as_ref(), at(now));
            assert_eq!(is, forgotten, "{now}");
            stream.history = None;
        }
    }

    #[test]
    fn the_text_of_a_row_is_kept() {
        let largest = ChangeTime {
            at: at("11:59:00"),
            text: "May 1 2031 11:59AM".to_owned(),
        };
        let settled = Settled::new(at("12:00:00"), LAG, Precision::Second);
        let next = settled.next(None, Some(&largest));
        assert_eq!(next, Some(Bound::from_change(&largest)));
    }

    #[test]
    fn times_at_the_end_of_the_calendar_do_no_harm() {
        let largest = ChangeTime {
            at: DateTime::<Utc>::MAX_UTC,
            text: String::new(),
        };
        let settled = Settled::new(at("12:00:00"), LAG, Precision::Day);
        assert!(settled.next(None, Some(&largest)).is_some());
        let long_lag = Settled::new(at("12:00:00"), Duration::MAX, Precision::Day);
        assert!(long_lag.next(None, Some(&largest)).is_some());
    }

    #[test]
    fn the_first_clock_told_counts() {
        let clock = SourceClock::default();
        assert_eq!(clock.at(at("12:00:00")), at("12:00:00"));
        clock.told(at("12:05:00"), at("12:00:00"));
        clock.told(at("18:00:00"), at("12:00:00"));
        assert_eq!(clock.at(at("13:00:00")), at("13:05:00"));
    }
}
