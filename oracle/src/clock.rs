//! The clock of a history: it stands still until somebody waits or moves it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use wrenchtime_connector::{Clock, ManualClock};

/// Waits last a multiple of this, so that the chance in the waits between attempts does not reach the history.
const STEP: u64 = 8;

/// A clock that is shared by engine, store, transport and source. Waiting moves it at once.
#[derive(Clone, Debug)]
pub(crate) struct LabClock(ManualClock);

impl LabClock {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self(ManualClock::new(now))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.0.advance(duration);
    }

    pub(crate) fn set(&self, instant: DateTime<Utc>) {
        self.0.set(instant);
    }
}

#[async_trait]
impl Clock for LabClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        let steps = duration.as_secs() / STEP + 1;
        self.0.sleep(Duration::from_secs(steps * STEP)).await;
    }
}
