//! Decides whether a call is sent again, and when.

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt;
use wrenchtime_connector::Retry as Advice;

use super::{Failure, Inner, Job, Shared, layer};
use crate::Reply;
use crate::budget::longest_wait;
use crate::delays::Delays;

/// How often a call is sent at most, replays with a new token not counted.
const ATTEMPTS: u32 = 5;

layer! {
    /// Sends again what may be sent again.
    RetryLayer(shared: Arc<Shared>) => Retry
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
struct Situation {
    /// How many attempts were made.
    attempt: u32,
    /// The call may be repeated.
    safe: bool,
    /// The failure may pass.
    again: bool,
    /// What the error says.
    advice: Advice,
    /// How much time is left, if it is bounded.
    left: Option<Duration>,
    /// How long to wait if nobody says otherwise.
    delay: Duration,
    /// How long a wait may be.
    longest: Duration,
}

impl Situation {
    /// Returns how long to wait before the next attempt; nothing if there is none.
    fn decide(self) -> Option<Duration> {
        let Advice::After(asked) = self.advice else {
            return None;
        };
        let wait = asked.unwrap_or(self.delay);
        let possible = self.safe && self.again && self.attempt < ATTEMPTS;
        let bearable = wait <= self.longest && self.left.is_none_or(|left| wait < left);
        (possible && bearable).then_some(wait)
    }
}

impl<S: Inner> Retry<S> {
    async fn handle(self, job: Job) -> Result<Reply, Failure> {
        let clock = &self.shared.clock;
        let mut delays = Delays::new();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.inner.clone().oneshot(job.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let delay = delays.next();
            let advice = failure.error.retry();
            if failure.limited {
                let asked = if let Advice::After(asked) = advice {
                    asked
                } else {
                    None
                };
                self.shared.budget.pause(asked.unwrap_or(delay));
            }
            let left = job
                .cx
                .deadline
                .map(|end| (end - clock.now()).to_std().unwrap_or_default());
            let situation = Situation {
                attempt,
                safe: job.call.safe,
                again: failure.again,
                advice,
                left,
                delay,
                longest: longest_wait(&job.cx),
            };
            let Some(wait) = situation.decide() else {
                return Err(failure);
            };
            let (system, kind) = (
                self.shared.profile.system.as_str(),
                failure.error.kind().name(),
            );
            tracing::debug!(
                system, operation = &*job.name, trace = %job.cx.trace, attempt, kind,
                wait_millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "will ask again"
            );
            metrics::counter!("wrenchtime_source_retries_total", "system" => system.to_owned(), "reason" => kind)
                .increment(1);
            clock.sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::LONGEST_WAIT;

    const DELAY: Duration = Duration::from_millis(700);

    /// Changes one thing of a safe call's first passing failure, and looks what is decided.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Situation), expected: Option<Duration>) {
        let advice = Advice::After(None);
        let mut situation = Situation {
            attempt: 1,
            safe: true,
            again: true,
            advice,
            left: None,
            delay: DELAY,
            longest: LONGEST_WAIT,
        };
        change(&mut situation);
        assert_eq!(situation.decide(), expected, "{situation:?}");
    }

    #[test]
    fn each_decision() {
        let secs = Duration::from_secs;
        let asked = |wait| Advice::After(Some(wait));
        let longer = LONGEST_WAIT + secs(1);
        check(|_| {}, Some(DELAY));
        check(|it| it.attempt = 4, Some(DELAY));
        check(|it| it.attempt = 5, None);
        check(|it| it.safe = false, None);
        check(|it| it.again = false, None);
        check(|it| it.advice = Advice::Never, None);
        check(|it| it.advice = asked(secs(60)), Some(secs(60)));
        check(|it| it.advice = asked(Duration::ZERO), Some(Duration::ZERO));
        check(|it| it.advice = asked(LONGEST_WAIT), Some(LONGEST_WAIT));
        check(|it| it.advice = asked(longer), None);
        check(
            |it| (it.longest, it.advice) = (secs(2), asked(secs(3))),
            None,
        );
        check(|it| it.longest = DELAY, Some(DELAY));
        check(|it| it.left = Some(secs(1)), Some(DELAY));
        check(|it| it.left = Some(DELAY), None);
        check(
            |it| (it.left, it.advice) = (Some(secs(30)), asked(secs(60))),
            None,
        );
        check(|it| (it.safe, it.advice) = (false, asked(secs(1))), None);
    }
}
