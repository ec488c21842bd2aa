//! What is known of one connection's task from outside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wrenchtime_sync::{Mode, RunProgress, Turn, Urgency};

use super::SyncRequested;

/// A run to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SyncOrder {
    /// How much it reads; by what the copy lacks when absent.
    pub(crate) mode: Option<Mode>,
    /// When somebody last asked for it, by our clock, and waits: it includes listings that are not due.
    pub(crate) asked_at: Option<DateTime<Utc>>,
    /// Only what is due is read, where single resources have schedules of their own.
    pub(crate) due_only: bool,
    /// Somebody decided something that a run under way may have passed by.
    pub(crate) decided: bool,
}

impl SyncOrder {
    pub(crate) fn on_demand(mode: Mode, now: DateTime<Utc>) -> Self {
        Self {
            mode: Some(mode),
            asked_at: Some(now),
            due_only: false,
            decided: false,
        }
    }

    /// A run that begins after a decision.
    pub(crate) fn decided() -> Self {
        Self {
            decided: true,
            ..Self::scheduled()
        }
    }

    pub(crate) fn scheduled() -> Self {
        Self {
            mode: None,
            asked_at: None,
            due_only: false,
            decided: false,
        }
    }

    /// A run whose time has come.
    pub(crate) fn due() -> Self {
        Self {
            due_only: true,
            ..Self::scheduled()
        }
    }

    /// Tells whether somebody waits for it.
    pub(crate) fn is_on_demand(self) -> bool {
        self.asked_at.is_some()
    }

    /// Tells whether a run made for this order does all that the other asks for.
    fn covers(self, other: Self) -> bool {
        let mode = self.mode == Some(Mode::Full) || other.mode != Some(Mode::Full);
        let listings =
            self.is_on_demand() || self.mode == Some(Mode::Full) || !other.is_on_demand();
        let all = !self.due_only || other.due_only;
        all && mode && listings && !other.decided
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
            asked_at: self.asked_at.max(other.asked_at),
            due_only: self.due_only && other.due_only,
            decided: self.decided || other.decided,
        }
    }
}

pub(crate) struct Slot {
    pub(super) stop: CancellationToken,
    pub(super) wake: Notify,
    /// Somebody waits for the run that is wanted or under way.
    urgency: Urgency,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    wanted: Option<SyncOrder>,
    /// What waits for the end of a pause.
    set_aside: Option<SyncOrder>,
    /// What the last run was for, where the store failed it: part of the next one.
    left_over: Option<SyncOrder>,
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
    /// Is cancelled by the run when it reads nothing more.
    pub(super) ending: CancellationToken,
    pub(super) progress: watch::Sender<RunProgress>,
    pub(super) turn: Turn,
}

struct Current {
    order: SyncOrder,
    cancel: CancellationToken,
    leave: CancellationToken,
    ending: CancellationToken,
    progress: watch::Receiver<RunProgress>,
}

impl Current {
    fn is_ending(&self) -> bool {
        let tokens = [&self.cancel, &self.leave, &self.ending];
        tokens.into_iter().any(CancellationToken::is_cancelled)
    }
}

impl Shared {
    fn want(&mut self, order: SyncOrder) {
        self.wanted = Some(self.wanted.map_or(order, |wanted| wanted.with(order)));
        self.asked += 1;
    }

    fn keep(&mut self, order: SyncOrder) {
        self.set_aside = Some(self.set_aside.map_or(order, |kept| kept.with(order)));
    }
}

impl Slot {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            wake: Notify::new(),
            urgency: Urgency::default(),
            shared: Mutex::default(),
        }
    }

    /// Asks for a run: joins the one under way if that does it all, else it comes next.
    pub(super) fn request(&self, order: SyncOrder) -> SyncRequested {
        let mut shared = self.shared();
        let joined = shared
            .current
            .as_mut()
            .filter(|current| !current.is_ending() && current.order.covers(order));
        if let Some(current) = joined {
            // A run by schedule may be one that somebody waits for from now on.
            current.order = current.order.with(order);
            self.tell_urgency(&shared);
            return SyncRequested::Joined;
        }
        shared.want(order);
        self.tell_urgency(&shared);
        drop(shared);
        self.wake.notify_one();
        SyncRequested::Queued
    }

    /// Leaves the run under way where it is, and wants one that goes on with it; where there is none, only if one is
    /// wanted.
    pub(super) fn renew(&self, wants_run: bool) {
        let mut shared = self.shared();
        let mut order = wants_run.then(SyncOrder::scheduled);
        if let Some(current) = &shared.current
            && !current.is_ending()
        {
            order = Some(SyncOrder::scheduled().with(current.order));
            current.leave.cancel();
        }
        if let Some(order) = order {
            shared.want(order);
        }
        self.tell_urgency(&shared);
        drop(shared);
        self.wake.notify_one();
    }

    /// Leaves the run under way where it is, and keeps what it is for, and what is wanted, for the end of the pause.
    pub(super) fn pause(&self) {
        let mut shared = self.shared();
        let left = shared.current.as_ref().filter(|one| !one.is_ending());
        if let Some(current) = left {
            current.leave.cancel();
            let order = current.order;
            shared.keep(order);
        }
        let (wanted, left_over) = (shared.wanted.take(), shared.left_over.take());
        for order in wanted.into_iter().chain(left_over) {
            shared.keep(order);
        }
        drop(shared);
        self.wake.notify_one();
    }

    /// Wants what was kept since the pause. Tells whether there was something.
    pub(super) fn resume(&self) -> bool {
        let mut shared = self.shared();
        let kept = shared.set_aside.take();
        if let Some(kept) = kept {
            shared.want(kept);
        }
        self.tell_urgency(&shared);
        drop(shared);
        self.wake.notify_one();
        kept.is_some()
    }

    /// Keeps an order that began to be carried out when the connection was paused already.
    pub(super) fn keep(&self, order: SyncOrder) {
        self.shared().keep(order);
    }

    /// Tells whether a run is wanted, now or later.
    pub(super) fn is_queued(&self) -> bool {
        let shared = self.shared();
        let orders = [&shared.wanted, &shared.left_over, &shared.set_aside];
        orders.into_iter().any(Option::is_some)
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.shared().wanted.is_some()
    }

    /// Wants a run for what is due, unless there is more to do.
    pub(super) fn want_what_is_due(&self) {
        self.shared().wanted.get_or_insert_with(SyncOrder::due);
    }

    /// Returns how often a run was asked for so far.
    pub(super) fn asked(&self) -> u64 {
        self.shared().asked
    }

    /// Forgets the run that is wanted, unless one was asked for since then. In a pause it is kept until the end of it.
    pub(super) fn forget_wanted(&self, asked: u64, is_paused: bool) {
        let mut shared = self.shared();
        if shared.asked != asked {
            return;
        }
        let (wanted, left_over) = (shared.wanted.take(), shared.left_over.take());
        if is_paused {
            for order in wanted.into_iter().chain(left_over) {
                shared.keep(order);
            }
        }
    }

    /// Turns the run that is wanted into the one under way, in one step: at any time it can be cancelled as the one or
    /// the other. Nothing when it was cancelled before.
    pub(super) fn begin(&self, turn: Turn) -> Option<Begun> {
        let mut shared = self.shared();
        let order = shared.wanted.take()?;
        let order = shared
            .left_over
            .take()
            .map_or(order, |left| order.with(left));
        let (cancel, leave) = (CancellationToken::new(), CancellationToken::new());
        let ending = CancellationToken::new();
        let (sender, progress) = watch::channel(RunProgress::default());
        shared.next_at = None;
        shared.current = Some(Current {
            order,
            cancel: cancel.clone(),
            leave: leave.clone(),
            ending: ending.clone(),
            progress,
        });
        self.tell_urgency(&shared);
        Some(Begun {
            order,
            cancel,
            leave,
            ending,
            progress: sender,
            turn,
        })
    }

    /// Tells what the run under way reads, once it is known.
    pub(super) fn set_read(&self, mode: Mode, is_part: bool) {
        if let Some(current) = &mut self.shared().current {
            current.order.mode = Some(mode);
            current.order.due_only = is_part;
        }
    }

    pub(super) fn end(&self) {
        let mut shared = self.shared();
        shared.current = None;
        self.tell_urgency(&shared);
    }

    /// Returns whether somebody waits, now and from now on.
    pub(super) fn urgency(&self) -> Urgency {
        self.urgency.clone()
    }

    /// Remembers what a run was for that failed in the store, unless it was cancelled or is made anew by itself.
    pub(super) fn leave_over(&self, begun: &Begun) {
        if !begun.cancel.is_cancelled() && !SyncOrder::scheduled().covers(begun.order) {
            self.shared().left_over = Some(begun.order);
        }
    }

    pub(super) fn cancel_run(&self) -> bool {
        let mut shared = self.shared();
        let kept = [
            shared.wanted.take(),
            shared.left_over.take(),
            shared.set_aside.take(),
        ];
        let wanted = kept.iter().any(Option::is_some);
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

    fn tell_urgency(&self, shared: &Shared) {
        let current = shared.current.as_ref().map(|current| current.order);
        let mut orders = current.into_iter().chain(shared.wanted);
        self.urgency.set(orders.any(SyncOrder::is_on_demand));
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use wrenchtime_sync::Turns;

    use super::*;

    fn on_demand(mode: Mode) -> SyncOrder {
        SyncOrder::on_demand(mode, DateTime::UNIX_EPOCH)
    }

    impl Slot {
        fn begin_now(&self) -> Option<Begun> {
            let turn = Turns::new(1, 1).take(self.urgency()).now_or_never();
            self.begin(turn.unwrap())
        }
    }

    #[test]
    fn a_run_is_joined_only_if_it_does_all_that_is_asked() {
        let scheduled = SyncOrder::scheduled();
        let incremental = on_demand(Mode::Incremental);
        let full = on_demand(Mode::Full);
        let all = [SyncOrder::due(), scheduled, incremental, full];
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
    fn what_is_decided_during_a_run_takes_another() {
        let slot = Slot::new(CancellationToken::new());
        for _ in 0..2 {
            assert_eq!(slot.request(SyncOrder::decided()), SyncRequested::Queued);
            let begun = slot.begin_now().unwrap();
            assert!(begun.order.decided && begun.order.covers(SyncOrder::scheduled()));
        }
        let full = on_demand(Mode::Full);
        assert!(full.with(SyncOrder::decided()).covers(full));
    }

    #[test]
    fn a_cancelled_run_is_not_joined() {
        let slot = Slot::new(CancellationToken::new());
        let order = on_demand(Mode::Full);
        assert_eq!(slot.request(order), SyncRequested::Queued);
        assert!(slot.begin_now().is_some());
        assert_eq!(slot.request(order), SyncRequested::Joined);
        assert!(slot.cancel_run());
        assert_eq!(slot.request(order), SyncRequested::Queued);
    }

    #[test]
    fn a_run_that_reads_nothing_more_is_not_joined() {
        let slot = Slot::new(CancellationToken::new());
        let order = on_demand(Mode::Incremental);
        slot.request(order);
        let begun = slot.begin_now().unwrap();
        begun.ending.cancel();
        assert_eq!(slot.request(order), SyncRequested::Queued);
        slot.end();
        assert!(slot.begin_now().is_some());
    }

    #[test]
    fn a_run_that_is_left_is_not_joined_and_all_that_it_does_is_wanted() {
        let slot = Slot::new(CancellationToken::new());
        let order = on_demand(Mode::Full);
        slot.request(order);
        let left = slot.begin_now().unwrap();
        slot.renew(false);
        assert!(left.leave.is_cancelled() && !left.cancel.is_cancelled());
        assert_eq!(slot.request(order), SyncRequested::Queued);
        slot.end();
        assert!(slot.begin_now().unwrap().order.covers(order));
    }

    #[test]
    fn what_a_run_was_for_that_the_store_failed_is_part_of_the_next() {
        let slot = Slot::new(CancellationToken::new());
        let order = on_demand(Mode::Full);
        let fail = |order| {
            slot.request(order);
            slot.leave_over(&slot.begin_now().unwrap());
            slot.end();
        };
        fail(order);
        slot.want_what_is_due();
        assert!(slot.begin_now().unwrap().order.covers(order));
        slot.end();
        fail(order);
        assert!(slot.cancel_run());
        slot.want_what_is_due();
        assert!(!slot.begin_now().unwrap().order.covers(order));
    }

    #[test]
    fn other_settings_alone_want_no_run() {
        let slot = Slot::new(CancellationToken::new());
        slot.renew(false);
        assert!(!slot.is_wanted());
        slot.renew(true);
        assert!(slot.is_wanted());
    }

    #[test]
    fn only_what_was_asked_for_before_is_forgotten() {
        let slot = Slot::new(CancellationToken::new());
        slot.request(SyncOrder::scheduled());
        let asked = slot.asked();
        slot.renew(true);
        slot.forget_wanted(asked, false);
        assert!(slot.is_wanted());
        slot.forget_wanted(slot.asked(), false);
        assert!(!slot.is_wanted());
    }

    #[test]
    fn a_pause_keeps_what_was_under_way_and_what_was_wanted() {
        let slot = Slot::new(CancellationToken::new());
        let (incremental, full) = (on_demand(Mode::Incremental), on_demand(Mode::Full));
        slot.request(incremental);
        let left = slot.begin_now().unwrap();
        assert_eq!(slot.request(full), SyncRequested::Queued);
        slot.pause();
        assert!(left.leave.is_cancelled() && !left.cancel.is_cancelled());
        slot.end();
        assert!(slot.begin_now().is_none());
        // What somebody asked for too late to hear of the pause is kept as well.
        slot.want_what_is_due();
        slot.forget_wanted(slot.asked(), true);
        assert!(slot.resume() && !slot.resume());
        let order = slot.begin_now().unwrap().order;
        assert!(order.covers(incremental) && order.covers(full));
    }

    #[test]
    fn what_a_pause_keeps_can_be_cancelled() {
        let slot = Slot::new(CancellationToken::new());
        slot.want_what_is_due();
        slot.pause();
        assert!(slot.cancel_run());
        assert!(!slot.resume() && !slot.is_wanted());
    }

    #[test]
    fn a_run_that_was_cancelled_before_it_began_does_not_begin() {
        let slot = Slot::new(CancellationToken::new());
        slot.want_what_is_due();
        assert!(slot.cancel_run());
        assert!(slot.begin_now().is_none());
        assert!(!slot.cancel_run());
    }

    #[test]
    fn a_run_is_urgent_as_long_as_somebody_waits() {
        let slot = Slot::new(CancellationToken::new());
        let urgency = slot.urgency();
        slot.want_what_is_due();
        slot.begin_now().unwrap();
        slot.set_read(Mode::Full, false);
        assert!(!urgency.is_urgent());
        let order = on_demand(Mode::Incremental);
        assert_eq!(slot.request(order), SyncRequested::Joined);
        assert!(urgency.is_urgent());
        slot.end();
        assert!(!urgency.is_urgent());
        slot.request(order);
        assert!(urgency.is_urgent());
        slot.begin_now().unwrap();
        assert!(urgency.is_urgent());
        slot.pause();
        slot.end();
        assert!(!urgency.is_urgent());
        slot.resume();
        assert!(urgency.is_urgent());
    }
}
