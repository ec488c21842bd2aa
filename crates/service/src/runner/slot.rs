//! What is known of one connection's task from outside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wrenchtime_sync::{Mode, RunProgress};

use super::SyncRequested;

/// A run to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SyncOrder {
    /// How much it reads; by what the copy lacks when absent.
    pub(crate) mode: Option<Mode>,
    /// Somebody waits for it: it includes listings that are not due.
    pub(crate) on_demand: bool,
    /// Deletions that look suspicious are accepted.
    pub(crate) accept_deletes: bool,
}

impl SyncOrder {
    pub(crate) fn on_demand(mode: Mode, accept_deletes: bool) -> Self {
        Self {
            mode: Some(mode),
            on_demand: true,
            accept_deletes,
        }
    }

    pub(crate) fn scheduled() -> Self {
        Self {
            mode: None,
            on_demand: false,
            accept_deletes: false,
        }
    }

    /// Tells whether a run made for this order does all that the other asks for.
    fn covers(self, other: Self) -> bool {
        let mode = self.mode == Some(Mode::Full) || other.mode != Some(Mode::Full);
        let listings = self.on_demand || self.mode == Some(Mode::Full) || !other.on_demand;
        mode && listings && (self.accept_deletes || !other.accept_deletes)
    }

    /// Returns an order for a run that does what both ask for.
    fn with(self, other: Self) -> Self {
        let full = [self.mode, other.mode].contains(&Some(Mode::Full));
        Self {
            mode: if full {
                Some(Mode::Full)
            } else {
                self.mode.or(other.mode)
            },
            on_demand: self.on_demand || other.on_demand,
            accept_deletes: self.accept_deletes || other.accept_deletes,
        }
    }
}

pub(crate) struct Slot {
    pub(super) stop: CancellationToken,
    pub(super) wake: Notify,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    wanted: Option<SyncOrder>,
    /// How often a run was asked for.
    asked: u64,
    current: Option<Current>,
    next_at: Option<DateTime<Utc>>,
}

/// A run that begins: what it is for, what it is ended by, and what it tells its progress with.
pub(super) struct Begun {
    pub(super) order: SyncOrder,
    pub(super) cancel: CancellationToken,
    /// Ends it where it is, for another to go on with it.
    pub(super) leave: CancellationToken,
    pub(super) progress: watch::Sender<RunProgress>,
}

struct Current {
    order: SyncOrder,
    cancel: CancellationToken,
    leave: CancellationToken,
    progress: watch::Receiver<RunProgress>,
}

impl Current {
    fn is_ending(&self) -> bool {
        self.cancel.is_cancelled() || self.leave.is_cancelled()
    }
}

impl Shared {
    fn want(&mut self, order: SyncOrder) {
        self.wanted = Some(self.wanted.map_or(order, |wanted| wanted.with(order)));
        self.asked += 1;
    }
}

impl Slot {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            wake: Notify::new(),
            shared: Mutex::default(),
        }
    }

    /// Asks for a run: joins the one under way if that does it all, else it comes next.
    pub(super) fn request(&self, order: SyncOrder) -> SyncRequested {
        let mut shared = self.shared();
        let joins = shared
            .current
            .as_ref()
            .is_some_and(|current| !current.is_ending() && current.order.covers(order));
        if joins {
            return SyncRequested::Joined;
        }
        shared.want(order);
        drop(shared);
        self.wake.notify_one();
        SyncRequested::Queued
    }

    /// Leaves the run under way where it is, and wants one that goes on with it.
    pub(super) fn renew(&self) {
        let mut shared = self.shared();
        let mut order = SyncOrder::scheduled();
        if let Some(current) = &shared.current
            && !current.is_ending()
        {
            order = order.with(current.order);
            current.leave.cancel();
        }
        shared.want(order);
        drop(shared);
        self.wake.notify_one();
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.shared().wanted.is_some()
    }

    /// Wants a run by schedule, unless there is more to do.
    pub(super) fn want_some(&self) {
        self.shared()
            .wanted
            .get_or_insert_with(SyncOrder::scheduled);
    }

    /// Returns how often a run was asked for so far.
    pub(super) fn asked(&self) -> u64 {
        self.shared().asked
    }

    /// Forgets the run that is wanted, unless one was asked for since then.
    pub(super) fn forget_wanted(&self, asked: u64) {
        let mut shared = self.shared();
        if shared.asked == asked {
            shared.wanted = None;
        }
    }

    /// Turns the run that is wanted into the one under way, in one step: at any time it can be cancelled as the one or
    /// the other. Nothing when it was cancelled before.
    pub(super) fn begin(&self) -> Option<Begun> {
        let mut shared = self.shared();
        let order = shared.wanted.take()?;
        let (cancel, leave) = (CancellationToken::new(), CancellationToken::new());
        let (sender, progress) = watch::channel(RunProgress::default());
        shared.next_at = None;
        shared.current = Some(Current {
            order,
            cancel: cancel.clone(),
            leave: leave.clone(),
            progress,
        });
        Some(Begun {
            order,
            cancel,
            leave,
            progress: sender,
        })
    }

    /// Tells what the run under way reads, once it is known.
    pub(super) fn set_mode(&self, mode: Mode) {
        if let Some(current) = &mut self.shared().current {
            current.order.mode = Some(mode);
        }
    }

    pub(super) fn end(&self) {
        self.shared().current = None;
    }

    pub(super) fn cancel_run(&self) -> bool {
        let mut shared = self.shared();
        let wanted = shared.wanted.take().is_some();
        match &shared.current {
            Some(current) => {
                current.cancel.cancel();
                true
            }
            None => wanted,
        }
    }

    pub(super) fn live(&self) -> Option<RunProgress> {
        let shared = self.shared();
        let current = shared.current.as_ref()?;
        Some(current.progress.borrow().clone())
    }

    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        self.shared().next_at
    }

    pub(super) fn set_next_at(&self, at: Option<DateTime<Utc>>) {
        self.shared().next_at = at;
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_joined_only_if_it_does_all_that_is_asked() {
        let scheduled = SyncOrder::scheduled();
        let incremental = SyncOrder::on_demand(Mode::Incremental, false);
        let full = SyncOrder::on_demand(Mode::Full, false);
        let forced = SyncOrder::on_demand(Mode::Full, true);
        let all = [scheduled, incremental, full, forced];
        for (at, bigger) in all.iter().enumerate() {
            for (below, smaller) in all.iter().enumerate() {
                assert_eq!(
                    bigger.covers(*smaller),
                    below <= at,
                    "{bigger:?} {smaller:?}"
                );
                assert!(bigger.with(*smaller).covers(*bigger));
                assert!(bigger.with(*smaller).covers(*smaller));
            }
        }
    }

    #[test]
    fn a_cancelled_run_is_not_joined() {
        let slot = Slot::new(CancellationToken::new());
        let order = SyncOrder::on_demand(Mode::Full, false);
        assert_eq!(slot.request(order), SyncRequested::Queued);
        assert!(slot.begin().is_some());
        assert_eq!(slot.request(order), SyncRequested::Joined);
        assert!(slot.cancel_run());
        assert_eq!(slot.request(order), SyncRequested::Queued);
    }

    #[test]
    fn a_run_that_is_left_is_not_joined_and_all_that_it_does_is_wanted() {
        let slot = Slot::new(CancellationToken::new());
        let order = SyncOrder::on_demand(Mode::Full, true);
        slot.request(order);
        let left = slot.begin().unwrap();
        slot.renew();
        assert!(left.leave.is_cancelled() && !left.cancel.is_cancelled());
        assert_eq!(slot.request(order), SyncRequested::Queued);
        slot.end();
        assert!(slot.begin().unwrap().order.covers(order));
    }

    #[test]
    fn only_what_was_asked_for_before_is_forgotten() {
        let slot = Slot::new(CancellationToken::new());
        slot.request(SyncOrder::scheduled());
        let asked = slot.asked();
        slot.renew();
        slot.forget_wanted(asked);
        assert!(slot.is_wanted());
        slot.forget_wanted(slot.asked());
        assert!(!slot.is_wanted());
    }

    #[test]
    fn a_run_that_was_cancelled_before_it_began_does_not_begin() {
        let slot = Slot::new(CancellationToken::new());
        slot.want_some();
        assert!(slot.cancel_run());
        assert!(slot.begin().is_none());
        assert!(!slot.cancel_run());
    }
}
