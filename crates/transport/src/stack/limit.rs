//! Keeps to the account's rate budget.

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt;
use wrenchtime_connector::{ErrorKind, Retry};

use super::{Failure, Inner, Job, Shared, layer};
use crate::Reply;
use crate::budget::TooLong;

layer! {
    /// Lets each attempt wait for its turn.
    LimitLayer(shared: Arc<Shared>) => Limit
}

impl<S: Inner> Limit<S> {
    async fn handle(self, job: Job) -> Result<Reply, Failure> {
        let clock = &self.shared.clock;
        let asked = clock.now();
        let entered = self.shared.budget.enter(&job.cx).await;
        let waited = (clock.now() - asked).to_std().unwrap_or_default();
        if waited >= Duration::from_millis(1) {
            let system = self.shared.profile.system.to_string();
            metrics::histogram!("wrenchtime_source_budget_wait_seconds", "system" => system)
                .record(waited.as_secs_f64());
        }
        let place = entered.map_err(|wait| too_long(&job, wait))?;
        let answer = self.inner.oneshot(job).await;
        drop(place);
        answer
    }
}

/// Returns what is told to a caller who would have to wait for too long.
pub(super) fn too_long(job: &Job, TooLong(wait): TooLong) -> Failure {
    let what = format!(
        "the account's budget is paused for {} more seconds",
        wait.as_secs().max(1)
    );
    let error = job
        .error(ErrorKind::RateLimited, what)
        .with_retry(Retry::After(Some(wait)));
    Failure::last(error)
}
