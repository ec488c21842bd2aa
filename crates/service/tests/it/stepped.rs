//! Time that passes when a test says so.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use wrenchtime_connector::Clock;

use crate::fixture::clock;

/// A clock that moves only when told, and wakes those whose time has come. Short waits, of the engine between two
/// attempts, pass at once.
#[derive(Clone, Debug)]
pub(crate) struct Stepped {
    now: watch::Sender<DateTime<Utc>>,
}

impl Stepped {
    pub(crate) fn new() -> Self {
        Self {
            now: watch::Sender::new(clock().now()),
        }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.now
            .send_modify(|now| *now += TimeDelta::seconds(seconds));
    }
}

#[async_trait]
impl Clock for Stepped {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        if duration < Duration::from_secs(20) {
            return;
        }
        let until = self.now() + TimeDelta::from_std(duration).unwrap();
        let mut now = self.now.subscribe();
        now.wait_for(|now| *now >= until).await.unwrap();
    }
}
