//! What travels with one call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

/// Deadline, patience, cancellation, priority and trace of one call to a source.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// No attempt begins after this, and attempts under way end.
    pub deadline: Option<DateTime<Utc>>,
    /// No wait inside the call is longer: the error then tells how long it would have been. For who has something better to
    /// do meanwhile. Without it waits may last minutes.
    pub patience: Option<Duration>,
    /// Ends the call early with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    pub cancel: CancellationToken,
    /// Who goes first in the account's rate budget.
    pub priority: Priority,
    /// Ties log lines and requests of one piece of work together: a run's or a request's id.
    pub trace: String,
}

/// Who goes first in an account's rate budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// Reading for a sync.
    #[default]
    Background,
    /// Somebody waits for the answer: a write, a check, a passthrough.
    Interactive,
}

impl Context {
    /// Makes a context for background work without a deadline.
    pub fn new(trace: impl Into<String>) -> Self {
        Self {
            deadline: None,
            patience: None,
            cancel: CancellationToken::new(),
            priority: Priority::default(),
            trace: trace.into(),
        }
    }

    /// Sets who goes first.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: DateTime<Utc>) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long a wait inside the call may last.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Sets the token whose cancellation ends the call.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }
}
