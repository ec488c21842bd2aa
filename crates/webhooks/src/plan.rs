//! When a delivery is tried again, and when it is given up. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::storage::AttemptOutcome;

const FIRST: TimeDelta = TimeDelta::seconds(30);
const LONGEST: TimeDelta = TimeDelta::hours(12);
const PERIOD: TimeDelta = TimeDelta::hours(72);

/// What came of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// A status, and how long the receiver asks to wait.
    Status {
        /// The status.
        status: u16,
        /// From `Retry-After`.
        retry_after: Option<TimeDelta>,
    },
    /// No reply: refused, reset, timed out, or not allowed.
    None,
}

/// Where a delivery stands in its plan.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Standing {
    /// When the plan began.
    pub(crate) started_at: DateTime<Utc>,
    /// How many attempts were made before this one.
    pub(crate) attempts: u32,
    /// When this attempt ended.
    pub(crate) now: DateTime<Utc>,
    /// Chance, from 0 to 1, so that many deliveries do not come at once.
    pub(crate) chance: f64,
}

/// Decides what follows from an attempt.
///
/// 2xx is success. 410 means gone for good. Everything else is tried again: first after 30 s, each gap twice the one
/// before up to 12 h, each stretched at random by up to a tenth, until 72 h after the plan began. `Retry-After` is
/// honoured where it asks for more, up to the longest gap.
pub(crate) fn decide(answer: &Answer, standing: Standing) -> AttemptOutcome {
    let asked = match answer {
        Answer::Status {
            status: 200..=299, ..
        } => return AttemptOutcome::Delivered,
        Answer::Status { status: 410, .. } => return AttemptOutcome::Gone,
        Answer::Status { retry_after, .. } => retry_after.unwrap_or_default(),
        Answer::None => TimeDelta::zero(),
    };
    let doubled = FIRST * 2_i32.pow(standing.attempts.min(12));
    let gap = doubled.min(LONGEST);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most a tenth of twelve hours in milliseconds"
    )]
    let stretch =
        TimeDelta::milliseconds((gap.num_milliseconds() as f64 * 0.1 * standing.chance) as i64);
    let next = standing.now + (gap + stretch).max(asked.min(LONGEST));
    if next > standing.started_at + PERIOD {
        AttemptOutcome::Failed
    } else {
        AttemptOutcome::RetryAt(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    #[track_caller]
    fn check(answer: &Answer, attempts: u32, expected: Option<(i64, i64)>) {
        for chance in [0.0, 1.0] {
            let standing = Standing {
                started_at: start(),
                attempts,
                now: start(),
                chance,
            };
            let outcome = decide(answer, standing);
            match (expected, outcome) {
                (Some((from, to)), AttemptOutcome::RetryAt(at)) => {
                    let gap = (at - start()).num_seconds();
                    assert!(
                        (from..=to).contains(&gap),
                        "{gap} is not within {from} to {to}"
                    );
                }
                (None, outcome) => assert!(!matches!(outcome, AttemptOutcome::RetryAt(_))),
                (Some(_), outcome) => panic!("{outcome:?}"),
            }
        }
    }

    fn status(status: u16, retry_after: Option<i64>) -> Answer {
        Answer::Status {
            status,
            retry_after: retry_after.map(TimeDelta::seconds),
        }
    }

    #[test]
    fn one_row_for_each_rule() {
        check(&status(200, None), 0, None);
        check(&status(204, None), 0, None);
        check(&status(410, None), 0, None);
        check(&status(500, None), 0, Some((30, 33)));
        check(&status(302, None), 0, Some((30, 33)));
        check(&status(404, None), 1, Some((60, 66)));
        check(&Answer::None, 2, Some((120, 132)));
        check(&Answer::None, 30, Some((12 * 3600, 12 * 3600 + 4320)));
        check(&status(429, Some(3600)), 0, Some((3600, 3600)));
        check(&status(503, Some(1)), 0, Some((30, 33)));
        check(
            &status(503, Some(10_000_000)),
            0,
            Some((12 * 3600, 12 * 3600)),
        );
    }

    #[test]
    fn the_plan_ends_after_three_days() {
        let mut now = start();
        let mut attempts = 0;
        while let AttemptOutcome::RetryAt(at) = decide(
            &Answer::None,
            Standing {
                started_at: start(),
                attempts,
                now,
                chance: 0.5,
            },
        ) {
            assert!(at > now);
            now = at;
            attempts += 1;
        }
        assert!(now - start() > TimeDelta::hours(60) && now - start() <= PERIOD);
        assert!((12..20).contains(&attempts), "{attempts}");
    }
}
