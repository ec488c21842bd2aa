//! Waiting for what happens by itself.

use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(10);

/// Looks until something is there, and fails with `what` was waited for when it takes more than a minute.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(60, what, look).await
}

/// Looks until something is there, and fails with `what` was waited for when it takes longer.
pub(crate) async fn until_within<T>(
    seconds: u64,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {seconds} seconds in vain: {what}"
        );
        pause(LOOK).await;
    }
}

/// Waits for so long.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes run by the machine's clock"
)]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
