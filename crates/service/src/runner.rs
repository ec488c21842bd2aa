//! One task for each connection that is synced: when, again after failures, on demand, to a clean end.

mod plan;
mod slot;
mod tend;

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, warn};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{RunProgress, Turns};

use self::slot::Slot;
pub(crate) use self::slot::SyncOrder;
use crate::engine::Syncs;
use crate::error::chain;
use crate::service::Core;
use crate::storage::ConnectionFilter;
use crate::{Error, Result, State};

const PAGE: u32 = 500;

/// Owns the tasks.
pub(crate) struct Runner {
    core: Arc<Core>,
    syncs: Arc<dyn Syncs>,
    slots: Mutex<HashMap<ConnectionId, Arc<Slot>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    turns: Turns,
    waker: OnceLock<Arc<Notify>>,
    /// Since when connections are tended.
    started: OnceLock<DateTime<Utc>>,
}

/// What became of a request for a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SyncRequested {
    /// It begins as soon as there is room.
    Queued,
    /// A run under way does what was asked for.
    Joined,
}

impl Runner {
    pub(crate) fn new(core: Arc<Core>, syncs: Arc<dyn Syncs>) -> Self {
        let turns = Turns::new(core.options.concurrent_runs, core.options.pages_per_turn);
        Self {
            core,
            syncs,
            slots: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            turns,
            waker: OnceLock::new(),
            started: OnceLock::new(),
        }
    }

    pub(crate) async fn start(self: &Arc<Self>, waker: Option<Arc<Notify>>) -> Result<()> {
        if let Some(waker) = waker {
            self.waker.get_or_init(|| waker);
        }
        self.started.get_or_init(|| self.core.clock.now());
        let mut filter = ConnectionFilter {
            states: State::ALL
                .into_iter()
                .filter(|state| *state != State::Disconnected)
                .collect(),
            limit: PAGE,
            ..ConnectionFilter::default()
        };
        loop {
            let page = self.core.connections.connections(&filter).await?;
            for connection in &page {
                self.attach(connection.id, None);
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => filter.after = Some(last.id),
                _ => return Ok(()),
            }
        }
    }

    /// Begins to tend a connection. Does nothing before the start, which finds it in the store, nor after the end.
    pub(crate) fn attach(self: &Arc<Self>, id: ConnectionId, first: Option<SyncOrder>) {
        if self.started.get().is_none() || self.stop.is_cancelled() {
            return;
        }
        let (slot, is_new) = {
            let mut slots = self.slots();
            let known = slots.get(&id).cloned();
            let is_new = known.is_none();
            let slot = known.unwrap_or_else(|| Arc::new(Slot::new(self.stop.child_token())));
            slots.insert(id, Arc::clone(&slot));
            (slot, is_new)
        };
        if let Some(order) = first {
            slot.request(order);
        }
        if is_new {
            let tended = Tended {
                runner: Arc::clone(self),
                id,
                slot,
            };
            self.tasks.spawn(async move {
                let Tended { runner, id, slot } = &tended;
                runner.tend(*id, slot).await;
            });
        }
    }

    /// Does something to its end, also when whoever waits for it goes away: what was written is then told of. The end
    /// of the service waits for it.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        match self.tasks.spawn(work.in_current_span()).await {
            Ok(result) => result,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(Error::NotRunning),
            },
        }
    }

    /// Ends a connection's task and its run.
    pub(crate) fn detach(&self, id: ConnectionId) {
        if let Some(slot) = self.slots().remove(&id) {
            slot.stop.cancel();
        }
        self.tell_of_events();
    }

    /// Lets a connection's task look at its schedule and state anew.
    pub(crate) fn look_again(&self, id: ConnectionId) {
        if let Some(slot) = self.slots().get(&id) {
            slot.wake.notify_one();
        }
    }

    /// Leaves a connection's run under way after its last page, and lets the next go on there at once, with the
    /// settings that are stored by now. Where none is under way, one is made if it is wanted.
    pub(crate) fn renew(self: &Arc<Self>, id: ConnectionId, wants_run: bool) {
        self.attach(id, None);
        let slot = self.slots().get(&id).cloned();
        if let Some(slot) = slot {
            slot.renew(wants_run);
        }
        self.tell_of_events();
    }

    /// Leaves a connection's run under way after its last page, to go on at the end of the pause.
    pub(crate) fn pause(&self, id: ConnectionId) {
        if let Some(slot) = self.slots().get(&id) {
            slot.pause();
        }
    }

    /// Goes on after a pause: with what it kept, with a run that was left unfinished, else by schedule.
    pub(crate) async fn resume(self: &Arc<Self>, id: ConnectionId) {
        self.attach(id, None);
        let slot = self.slots().get(&id).cloned();
        let Some(slot) = slot else { return };
        if !slot.resume() && self.is_unfinished(id).await {
            slot.request(SyncOrder::scheduled());
        }
    }

    /// Tells whether the last run was left unfinished, before a restart for example.
    async fn is_unfinished(&self, id: ConnectionId) -> bool {
        match self.last_run(id).await {
            Ok((_, unfinished)) => unfinished,
            Err(error) => {
                warn!(connection = %id, error = %chain(&error), "the last run is not known");
                false
            }
        }
    }

    pub(crate) fn request(&self, id: ConnectionId, order: SyncOrder) -> Result<SyncRequested> {
        let slot = self.slots().get(&id).cloned().ok_or(Error::NotRunning)?;
        Ok(slot.request(order))
    }

    /// Ends the run under way after its page. Tells whether there was one, or one asked for.
    pub(crate) fn cancel(&self, id: ConnectionId) -> bool {
        let slot = self.slots().get(&id).cloned();
        slot.is_some_and(|slot| slot.cancel_run())
    }

    pub(crate) fn live(&self, id: ConnectionId) -> Option<RunProgress> {
        let slot = self.slots().get(&id).cloned()?;
        slot.live()
    }

    /// Tells whether a run is wanted that has not begun.
    pub(crate) fn is_queued(&self, id: ConnectionId) -> bool {
        let slot = self.slots().get(&id).cloned();
        slot.is_some_and(|slot| slot.is_queued())
    }

    pub(crate) fn waiting(&self) -> usize {
        self.turns.waiting()
    }

    pub(crate) fn next_at(&self, id: ConnectionId) -> Option<DateTime<Utc>> {
        let slot = self.slots().get(&id).cloned()?;
        slot.next_at()
    }

    pub(crate) fn tell_of_events(&self) {
        if let Some(waker) = self.waker.get() {
            waker.notify_one();
        }
    }

    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.slots().clear();
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection while its task lives. However the task ends, the next request makes another.
struct Tended {
    runner: Arc<Runner>,
    id: ConnectionId,
    slot: Arc<Slot>,
}

impl Drop for Tended {
    fn drop(&mut self) {
        let mut slots = self.runner.slots();
        // By now another task may tend the connection.
        if slots
            .get(&self.id)
            .is_some_and(|slot| Arc::ptr_eq(slot, &self.slot))
        {
            slots.remove(&self.id);
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("connections", &self.slots().len())
            .finish_non_exhaustive()
    }
}
