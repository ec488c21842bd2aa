//! Ends a call whose time is over, or that nobody wants any more.

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt;
use wrenchtime_connector::{ErrorKind, Retry};

use super::{Failure, Inner, Job, Shared, layer};
use crate::Reply;

layer! {
    /// Ends a call at its deadline or when it is cancelled.
    DeadlineLayer(shared: Arc<Shared>) => Deadline
}

impl<S: Inner> Deadline<S> {
    async fn handle(self, job: Job) -> Result<Reply, Failure> {
        let (cx, now) = (job.cx.clone(), self.shared.clock.now());
        let over =
            |job: &Job| Failure::last(job.error(ErrorKind::Unavailable, "the time for it is over"));
        // Without a deadline the longest time that timers know.
        let left = match cx.deadline {
            Some(deadline) if deadline <= now => return Err(over(&job)),
            Some(deadline) => (deadline - now).to_std().unwrap_or_default(),
            None => Duration::MAX,
        };
        let call = self.inner.oneshot(job.clone());
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => {
                let error = job.error(ErrorKind::Unavailable, "cancelled").with_retry(Retry::Never);
                Err(Failure::last(error))
            }
            // Waits are checked against the injected clock before they begin. What is bounded here is the time that a
            // source or another caller takes, which no clock of ours can move.
            answer = tokio::time::timeout(left, call) => answer.unwrap_or_else(|_| Err(over(&job))),
        }
    }
}
