//! The clock that simulators live by.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Time of a simulated vendor: fixed and moved by hand, running from a chosen instant, or the system's.
///
/// Clones share one clock.
#[derive(Clone)]
pub struct SimClock {
    mode: Arc<Mutex<Mode>>,
}

#[derive(Clone, Copy)]
enum Mode {
    Fixed(DateTime<Utc>),
    Running { from: DateTime<Utc>, since: Instant },
    System,
}

impl SimClock {
    /// Returns a clock that stands still until [`set`](Self::set) or [`advance`](Self::advance) moves it.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::with(Mode::Fixed(at))
    }

    /// Returns a clock that shows `from` now and runs at the usual speed.
    #[must_use]
    pub fn running_from(from: DateTime<Utc>) -> Self {
        Self::with(Mode::Running {
            from,
            since: Instant::now(),
        })
    }

    /// Returns a clock that shows the time of the computer.
    #[must_use]
    pub fn system() -> Self {
        Self::with(Mode::System)
    }

    fn with(mode: Mode) -> Self {
        Self {
            mode: Arc::new(Mutex::new(mode)),
        }
    }

    /// Returns the present instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match *self.mode.lock().unwrap_or_else(PoisonError::into_inner) {
            Mode::Fixed(at) => at,
            Mode::Running { from, since } => from + delta(since.elapsed()),
            Mode::System => system_now(),
        }
    }

    /// Sets the clock; a running one goes on from there, the system's becomes fixed.
    pub fn set(&self, at: DateTime<Utc>) {
        let mut mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        *mode = match *mode {
            Mode::Running { .. } => Mode::Running {
                from: at,
                since: Instant::now(),
            },
            Mode::Fixed(_) | Mode::System => Mode::Fixed(at),
        };
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + delta(by));
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimClock").field(&self.now()).finish()
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the simulators are injected with"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::{DateTime, Duration, SimClock, Utc};

    #[test]
    fn moves_only_when_told() {
        let clock = SimClock::fixed(DateTime::UNIX_EPOCH);
        let twin = clock.clone();
        clock.advance(Duration::from_secs(90));
        assert_eq!(twin.now().timestamp(), 90);
        clock.set(DateTime::<Utc>::UNIX_EPOCH);
        assert_eq!(twin.now(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn runs_from_the_chosen_instant() {
        let from = DateTime::<Utc>::from_timestamp(1_900_000_000, 0).unwrap();
        let clock = SimClock::running_from(from);
        let first = clock.now();
        assert!(first >= from && clock.now() >= first);
    }
}
