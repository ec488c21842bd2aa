//! The call log: one line for each call, without address, query, headers and body.

use std::sync::Arc;

use tower::ServiceExt;

use super::{Failure, Inner, Job, Shared, layer};
use crate::Reply;

layer! {
    /// Adds system, operation and the number of requests to what comes back, and writes the call log.
    TraceLayer(shared: Arc<Shared>) => Trace
}

impl<S: Inner> Trace<S> {
    async fn handle(self, job: Job) -> Result<Reply, Failure> {
        let clock = Arc::clone(&self.shared.clock);
        let system = self.shared.profile.system.as_str();
        let begun = clock.now();
        let answer = self.inner.oneshot(job.clone()).await;
        let millis = (clock.now() - begun).num_milliseconds();
        let (operation, attempts) = (&*job.name, job.requests());
        match answer {
            Ok(mut reply) => {
                reply.attempts = attempts;
                tracing::debug!(
                    system, operation, trace = %job.cx.trace, attempts, millis,
                    status = reply.status.as_u16(), bytes = reply.body.len(), "called the source"
                );
                Ok(reply)
            }
            Err(mut failure) => {
                let kind = failure.error.kind().name();
                tracing::debug!(
                    system, operation, trace = %job.cx.trace, attempts, millis, kind, "the call failed"
                );
                if attempts > 1 {
                    failure.error = failure.error.with_context("attempts", attempts.to_string());
                }
                failure.error = failure.error.at(system, operation);
                Err(failure)
            }
        }
    }
}
