//! How often an account may be asked, and who goes first.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wrenchtime_connector::{Clock, Context, Priority};

use crate::Quota;

/// Nobody waits longer than this inside a call: the caller is told how long it takes and plans for it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// A source that asks for more is taken for mistaken.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

type Limiter = RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Nanos>>;

/// The budget of one account, shared by all who use it.
pub(crate) struct Budget {
    clock: Arc<dyn Clock>,
    rate: Mutex<Rate>,
    places: Arc<Semaphore>,
    /// How many interactive callers wait. Background callers stand back while it is not zero.
    waiting: watch::Sender<usize>,
    /// One caller of each priority is at the front; the others stand in line behind it.
    interactive: tokio::sync::Mutex<()>,
    background: tokio::sync::Mutex<()>,
}

struct Rate {
    quota: Quota,
    limiter: Limiter,
    paused_until: Option<DateTime<Utc>>,
}

/// The account is out of reach for longer than the caller would wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong(pub(crate) Duration);

impl Budget {
    pub(crate) fn new(quota: Quota, parallel: usize, clock: Arc<dyn Clock>) -> Self {
        let limiter = limiter(quota, Arc::clone(&clock));
        Self {
            clock,
            rate: Mutex::new(Rate {
                quota,
                limiter,
                paused_until: None,
            }),
            places: Arc::new(Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: watch::Sender::new(0),
            interactive: tokio::sync::Mutex::default(),
            background: tokio::sync::Mutex::default(),
        }
    }

    /// Changes the quota. A limiter's cannot be changed, so it begins anew.
    pub(crate) fn set_quota(&self, quota: Quota) {
        let mut rate = self.rate();
        if rate.quota != quota {
            rate.quota = quota;
            rate.limiter = limiter(quota, Arc::clone(&self.clock));
        }
    }

    /// Waits until a request may be sent. What it returns is held until the reply was read.
    pub(crate) async fn enter(&self, cx: &Context) -> Result<OwnedSemaphorePermit, TooLong> {
        let behind = cx.priority == Priority::Background;
        let _announced = (!behind).then(|| Announced::new(&self.waiting));
        let line = if behind {
            &self.background
        } else {
            &self.interactive
        };
        let _front = line.lock().await;
        loop {
            if behind {
                // Fails only when the sender is gone, and it is ours.
                self.waiting
                    .subscribe()
                    .wait_for(|waiting| *waiting == 0)
                    .await
                    .ok();
            }
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .expect("nobody closes the semaphore");
            if behind && *self.waiting.borrow() > 0 {
                continue;
            }
            let Some(wait) = self.needed_wait() else {
                return Ok(place);
            };
            drop(place);
            self.wait(cx, wait).await?;
        }
    }

    /// Waits until a request may be sent by somebody who holds a place.
    pub(crate) async fn again(&self, cx: &Context) -> Result<(), TooLong> {
        while let Some(wait) = self.needed_wait() {
            self.wait(cx, wait).await?;
        }
        Ok(())
    }

    /// Lets nobody send for this long.
    pub(crate) fn pause(&self, wait: Duration) {
        let until =
            self.clock.now() + TimeDelta::from_std(wait.min(LONGEST_PAUSE)).unwrap_or_default();
        let mut rate = self.rate();
        rate.paused_until = rate.paused_until.max(Some(until));
    }

    /// Takes one request out of the budget, or tells how long to wait before asking again.
    fn needed_wait(&self) -> Option<Duration> {
        let mut rate = self.rate();
        let now = self.clock.now();
        if let Some(until) = rate.paused_until {
            match (until - now).to_std() {
                Ok(wait) if !wait.is_zero() => return Some(wait),
                Ok(_) | Err(_) => rate.paused_until = None,
            }
        }
        let refused = rate.limiter.check().err()?;
        // Never zero: a clock that stands still would keep us here.
        Some(
            refused
                .wait_time_from(rate.limiter.clock().now())
                .max(Duration::from_millis(1)),
        )
    }

    async fn wait(&self, cx: &Context, wait: Duration) -> Result<(), TooLong> {
        let left = cx
            .deadline
            .map(|deadline| (deadline - self.clock.now()).to_std().unwrap_or_default());
        if wait > longest_wait(cx) || left.is_some_and(|left| wait > left) {
            return Err(TooLong(wait));
        }
        self.clock.sleep(wait).await;
        Ok(())
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long a wait inside a call may last.
pub(crate) fn longest_wait(cx: &Context) -> Duration {
    let patience = cx.patience.unwrap_or(LONGEST_WAIT);
    // A limit that cannot be kept by waiting up to the next second would be kept by nobody.
    patience.clamp(Duration::from_secs(1), LONGEST_WAIT)
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("quota", &self.rate().quota)
            .finish_non_exhaustive()
    }
}

/// Keeps an interactive caller counted while it waits, also when it gives up.
struct Announced<'a>(&'a watch::Sender<usize>);

impl<'a> Announced<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|waiting| *waiting += 1);
        Self(waiting)
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

fn limiter(quota: Quota, clock: Arc<dyn Clock>) -> Limiter {
    let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let quota = governor::Quota::per_second(at_least_one(quota.per_second))
        .allow_burst(at_least_one(quota.burst));
    RateLimiter::direct_with_clock(quota, Monotonic::new(clock))
}

/// The injected clock as the limiter wants it. A clock set back counts as standing still, or the account would be
/// silent until the old time is reached again.
#[derive(Clone)]
struct Monotonic {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<(DateTime<Utc>, u64)>>,
}

impl Monotonic {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Arc::new(Mutex::new((clock.now(), 0)));
        Self { clock, seen }
    }
}

impl governor::clock::Clock for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = (now - seen.0).num_nanoseconds().unwrap_or(i64::MAX);
        *seen = (
            now,
            seen.1.saturating_add(u64::try_from(passed).unwrap_or(0)),
        );
        Nanos::from(seen.1)
    }
}

#[cfg(test)]
mod tests {
    use wrenchtime_connector::ManualClock;

    use super::*;

    fn budget(quota: Quota, parallel: usize) -> (Arc<Budget>, ManualClock) {
        let clock = ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap());
        (
            Arc::new(Budget::new(quota, parallel, Arc::new(clock.clone()))),
            clock,
        )
    }

    const PLENTY: Quota = Quota {
        per_second: 1000,
        burst: 1000,
    };

    fn background() -> Context {
        Context::new("t")
    }

    fn interactive() -> Context {
        Context::new("t").with_priority(Priority::Interactive)
    }

    /// Lets every task run until it waits.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_rate_is_kept() {
        let (budget, clock) = budget(
            Quota {
                per_second: 2,
                burst: 3,
            },
            9,
        );
        let begun = clock.now();
        for _ in 0..13 {
            drop(budget.enter(&background()).await.unwrap());
        }
        assert_eq!(clock.now() - begun, TimeDelta::seconds(5));
    }

    #[tokio::test]
    async fn a_quota_of_zero_counts_as_one() {
        let (budget, clock) = budget(
            Quota {
                per_second: 0,
                burst: 0,
            },
            0,
        );
        let begun = clock.now();
        for _ in 0..3 {
            drop(budget.enter(&background()).await.unwrap());
        }
        assert_eq!(clock.now() - begun, TimeDelta::seconds(2));
    }

    #[tokio::test]
    async fn a_clock_set_back_does_not_silence_the_account() {
        let (budget, clock) = budget(
            Quota {
                per_second: 1,
                burst: 1,
            },
            9,
        );
        drop(budget.enter(&background()).await.unwrap());
        let yesterday = clock.now() - TimeDelta::days(1);
        clock.set(yesterday);
        drop(budget.enter(&background()).await.unwrap());
        assert_eq!(clock.now() - yesterday, TimeDelta::seconds(1));
    }

    #[tokio::test]
    async fn a_pause_holds_and_the_longest_one_wins() {
        let (budget, clock) = budget(PLENTY, 9);
        let begun = clock.now();
        budget.pause(Duration::from_secs(60));
        budget.pause(Duration::from_secs(5));
        drop(budget.enter(&interactive()).await.unwrap());
        assert_eq!(clock.now() - begun, TimeDelta::seconds(60));
        budget.pause(LONGEST_WAIT + Duration::from_secs(1));
        assert_eq!(
            budget.enter(&background()).await.unwrap_err().0,
            LONGEST_WAIT + Duration::from_secs(1)
        );
        budget.pause(Duration::MAX);
        assert_eq!(
            budget.enter(&background()).await.unwrap_err(),
            TooLong(LONGEST_PAUSE)
        );
    }

    #[tokio::test]
    async fn nobody_waits_beyond_a_deadline() {
        let (budget, clock) = budget(PLENTY, 9);
        budget.pause(Duration::from_secs(60));
        let cx = background().with_deadline(clock.now() + TimeDelta::seconds(59));
        assert_eq!(
            budget.enter(&cx).await.unwrap_err(),
            TooLong(Duration::from_secs(60))
        );
        let cx = background().with_deadline(clock.now() + TimeDelta::seconds(60));
        drop(budget.enter(&cx).await.unwrap());
    }

    #[tokio::test]
    async fn who_has_no_patience_is_told_how_long_it_takes() {
        let (budget, clock) = budget(PLENTY, 9);
        let begun = clock.now();
        let wait = Duration::from_secs(3);
        budget.pause(wait);
        let cx = background().with_patience(Duration::from_secs(2));
        assert_eq!(budget.enter(&cx).await.unwrap_err(), TooLong(wait));
        assert_eq!(clock.now(), begun);
        drop(budget.enter(&cx.with_patience(wait)).await.unwrap());
        assert_eq!(clock.now() - begun, TimeDelta::seconds(3));
    }

    #[tokio::test]
    async fn no_patience_is_enough_for_the_rate() {
        let once = Quota {
            per_second: 1,
            burst: 1,
        };
        let (budget, _) = budget(once, 9);
        let cx = background().with_patience(Duration::ZERO);
        for _ in 0..3 {
            drop(budget.enter(&cx).await.unwrap());
        }
    }

    #[tokio::test]
    async fn places_are_limited() {
        let (budget, _) = budget(PLENTY, 2);
        let (one, _two) = (
            budget.enter(&background()).await.unwrap(),
            budget.enter(&background()).await.unwrap(),
        );
        let third = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.enter(&background()).await.is_ok() }
        });
        settle().await;
        assert!(!third.is_finished());
        drop(one);
        assert!(third.await.unwrap());
    }

    #[tokio::test]
    async fn interactive_callers_go_first() {
        let (budget, _) = budget(PLENTY, 1);
        let taken = budget.enter(&background()).await.unwrap();
        let order = Arc::<Mutex<Vec<&str>>>::default();
        let spawn = |name: &'static str, cx: Context| {
            let (budget, order) = (Arc::clone(&budget), Arc::clone(&order));
            tokio::spawn(async move {
                let _place = budget.enter(&cx).await.unwrap();
                order.lock().unwrap().push(name);
                tokio::task::yield_now().await;
            })
        };
        let mut callers = vec![spawn("b1", background()), spawn("b2", background())];
        settle().await;
        callers.extend([spawn("i1", interactive()), spawn("i2", interactive())]);
        settle().await;
        drop(taken);
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["i1", "i2", "b1", "b2"]);
    }

    #[tokio::test]
    async fn an_interactive_caller_who_gives_up_holds_nobody_back() {
        let (budget, _) = budget(PLENTY, 1);
        let taken = budget.enter(&background()).await.unwrap();
        let caller = |cx: Context| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.enter(&cx).await.is_ok() })
        };
        let (impatient, patient) = (caller(interactive()), caller(background()));
        settle().await;
        impatient.abort();
        drop(taken);
        assert!(patient.await.unwrap());
    }

    #[tokio::test]
    async fn a_changed_quota_holds_at_once() {
        let (budget, clock) = budget(
            Quota {
                per_second: 1,
                burst: 1,
            },
            9,
        );
        drop(budget.enter(&background()).await.unwrap());
        let begun = clock.now();
        budget.set_quota(PLENTY);
        for _ in 0..100 {
            drop(budget.enter(&background()).await.unwrap());
        }
        assert_eq!(clock.now(), begun);
    }
}
