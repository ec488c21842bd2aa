//! Who works: some runs at a time, the others wait for their turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, RwLock, oneshot};

/// After so many turns in a row that went to urgent runs while others waited, one goes to the others.
const URGENT_IN_A_ROW: u32 = 3;

/// Lets some runs work at a time, and all of them in the end. Clones are one.
///
/// A run takes a turn before it begins. When it has read as many pages as a turn has while others wait, it gives the
/// turn up at the end of a page and queues again; what it knows it keeps. So a run of a million rows holds up a small
/// one for the rest of one turn at most. Urgent runs go before the others, but every fourth turn goes to those if they
/// wait.
#[derive(Clone, Debug)]
pub struct Turns {
    shared: Arc<Shared>,
}

/// Whether somebody waits for a run. Clones are one, and it may change while the run waits or works.
#[derive(Clone, Debug, Default)]
pub struct Urgency(Arc<AtomicBool>);

impl Urgency {
    /// Says whether somebody waits.
    pub fn set(&self, is_urgent: bool) {
        self.0.store(is_urgent, Ordering::Relaxed);
    }

    /// Tells whether somebody waits.
    pub fn is_urgent(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A run's turn. Clones are one; it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Turn {
    turns: Turns,
    urgency: Urgency,
    /// Pages begun since the place was taken.
    pages: Arc<AtomicU64>,
    /// Read by each page under way, written to give the place up: so never in the middle of a page.
    place: Arc<RwLock<Option<Place>>>,
}

/// Keeps a run's turn as long as a page is under way.
#[derive(Debug)]
pub(crate) struct Hold {
    _guard: OwnedRwLockReadGuard<Option<Place>>,
}

#[derive(Debug)]
struct Shared {
    /// How many pages a turn has.
    pages: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    urgent_in_a_row: u32,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    urgency: Urgency,
    told: oneshot::Sender<Place>,
}

/// One of the places. Goes to the next in the queue when it is dropped.
#[derive(Debug)]
struct Place(Option<Arc<Shared>>);

impl Turns {
    /// Lets so many runs work at a time, at least one, and each read so many pages while others wait, at least one.
    pub fn new(at_once: usize, pages: u64) -> Self {
        let state = State {
            free: at_once.max(1),
            urgent_in_a_row: 0,
            waiting: VecDeque::new(),
        };
        Self {
            shared: Arc::new(Shared {
                pages: pages.max(1),
                state: Mutex::new(state),
            }),
        }
    }

    /// Waits for a turn. Whoever drops the future leaves the queue.
    pub async fn take(&self, urgency: Urgency) -> Turn {
        let place = self.place(&urgency).await;
        Turn {
            turns: self.clone(),
            urgency,
            pages: Arc::default(),
            place: Arc::new(RwLock::new(Some(place))),
        }
    }

    /// Returns how many runs wait, those between two turns included.
    pub fn waiting(&self) -> usize {
        let mut state = self.shared.state();
        state.forget_those_who_left();
        state.waiting.len()
    }

    async fn place(&self, urgency: &Urgency) -> Place {
        let told = {
            let mut state = self.shared.state();
            if state.free > 0 {
                state.free -= 1;
                return Place(Some(Arc::clone(&self.shared)));
            }
            let (sender, told) = oneshot::channel();
            state.waiting.push_back(Waiting {
                urgency: urgency.clone(),
                told: sender,
            });
            told
        };
        told.await
            .expect("who waits stays in the queue until a place is given")
    }
}

impl Turn {
    /// Begins a page: waits for another turn where this one is used up and others wait. Only for who holds nothing that
    /// others wait for, another page's bytes for example.
    pub(crate) async fn page(&self) -> Hold {
        loop {
            if self.is_used_up() {
                self.renew().await;
            }
            let guard = Arc::clone(&self.place).read_owned().await;
            if guard.is_some() {
                return self.begin_page(guard);
            }
            drop(guard);
            self.renew().await;
        }
    }

    /// Gives the turn up until the next page, as soon as no other page of the run is under way.
    pub(crate) async fn rest(&self) {
        drop(self.place.write().await.take());
    }

    /// Begins a page if the turn lasts. Never waits.
    pub(crate) fn try_page(&self) -> Option<Hold> {
        if self.is_used_up() {
            return None;
        }
        let guard = Arc::clone(&self.place).try_read_owned().ok()?;
        guard.is_some().then(|| self.begin_page(guard))
    }

    fn begin_page(&self, guard: OwnedRwLockReadGuard<Option<Place>>) -> Hold {
        self.pages.fetch_add(1, Ordering::Relaxed);
        Hold { _guard: guard }
    }

    async fn renew(&self) {
        let mut place = self.place.write().await;
        // Another page of this run may have done it meanwhile.
        if place.is_none() || self.is_used_up() {
            drop(place.take());
            *place = Some(self.turns.place(&self.urgency).await);
            self.pages.store(0, Ordering::Relaxed);
        }
    }

    fn is_used_up(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= self.turns.shared.pages && self.turns.waiting() > 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.pass_on();
        }
    }
}

impl Shared {
    /// Gives a place to the next who still waits.
    fn pass_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                let Some(next) = state.next() else {
                    state.free += 1;
                    return;
                };
                next
            };
            match next.told.send(Place(Some(Arc::clone(&self)))) {
                Ok(()) => return,
                // It left just now. Dropped as it is, its place would be passed on from within this loop.
                Err(mut place) => place.0 = None,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_those_who_left(&mut self) {
        self.waiting.retain(|one| !one.told.is_closed());
    }

    /// Takes the next out of the queue: the first urgent one, or the first other one where it is their turn.
    fn next(&mut self) -> Option<Waiting> {
        self.forget_those_who_left();
        let first = |urgent| {
            let mut waiting = self.waiting.iter();
            waiting.position(|one| one.urgency.is_urgent() == urgent)
        };
        let (urgent, other) = (first(true), first(false));
        let at = match (urgent, other) {
            (Some(_), Some(other)) if self.urgent_in_a_row >= URGENT_IN_A_ROW => Some(other),
            (urgent, other) => urgent.or(other),
        };
        self.urgent_in_a_row = match other {
            Some(_) if at == urgent => self.urgent_in_a_row + 1,
            _ => 0,
        };
        self.waiting.remove(at?)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::future::BoxFuture;
    use futures_util::{FutureExt, poll};
    use proptest::prelude::*;

    use super::*;

    fn urgency(is_urgent: bool) -> Urgency {
        let urgency = Urgency::default();
        urgency.set(is_urgent);
        urgency
    }

    /// Those who wait, by name, in the order of their coming.
    struct Queue {
        turns: Turns,
        waiting: Vec<(u32, Urgency, BoxFuture<'static, Turn>)>,
    }

    impl Queue {
        fn new(turns: &Turns) -> Self {
            Self {
                turns: turns.clone(),
                waiting: Vec::new(),
            }
        }

        async fn join(&mut self, name: u32, is_urgent: bool) {
            let (turns, urgency) = (self.turns.clone(), urgency(is_urgent));
            let own = urgency.clone();
            let mut wait = async move { turns.take(own).await }.boxed();
            assert!(poll!(&mut wait).is_pending());
            self.waiting.push((name, urgency, wait));
        }

        /// Returns whose turn it is now, and the turn.
        async fn next(&mut self) -> Option<(u32, Turn)> {
            for at in 0..self.waiting.len() {
                if let Poll::Ready(turn) = poll!(&mut self.waiting[at].2) {
                    return Some((self.waiting.remove(at).0, turn));
                }
            }
            None
        }
    }

    async fn order(queue: &mut Queue, mut turn: Turn) -> Vec<u32> {
        let mut order = Vec::new();
        loop {
            drop(turn);
            let Some((name, next)) = queue.next().await else {
                return order;
            };
            order.push(name);
            turn = next;
        }
    }

    #[tokio::test]
    async fn urgent_runs_overtake_the_others_and_do_not_starve_them() {
        let turns = Turns::new(1, 5);
        let turn = turns.take(Urgency::default()).await;
        let mut queue = Queue::new(&turns);
        for name in 0..3 {
            queue.join(name, false).await;
        }
        for name in 10..20 {
            queue.join(name, true).await;
        }
        let order = order(&mut queue, turn).await;
        assert_eq!(
            order,
            [10, 11, 12, 0, 13, 14, 15, 1, 16, 17, 18, 2, 19],
            "three urgent ones, then another"
        );
    }

    #[tokio::test]
    async fn who_becomes_urgent_while_it_waits_overtakes() {
        let turns = Turns::new(1, 5);
        let turn = turns.take(Urgency::default()).await;
        let mut queue = Queue::new(&turns);
        for name in 0..3 {
            queue.join(name, false).await;
        }
        queue.waiting[2].1.set(true);
        assert_eq!(order(&mut queue, turn).await, [2, 0, 1]);
    }

    #[tokio::test]
    async fn a_turn_is_given_up_between_pages_and_only_for_others() {
        let turns = Turns::new(1, 2);
        let turn = turns.take(Urgency::default()).await;
        for _ in 0..10 {
            drop(turn.page().await);
        }
        let mut queue = Queue::new(&turns);
        queue.join(1, false).await;
        assert!(turn.try_page().is_none(), "it is used up");
        let held = {
            let mut again = turn.page().boxed();
            assert!(poll!(&mut again).is_pending());
            let (name, small) = queue.next().await.unwrap();
            assert_eq!(name, 1);
            assert!(poll!(&mut again).is_pending(), "the small one works");
            drop(small);
            again.await
        };
        queue.join(2, false).await;
        assert!(turn.try_page().is_some(), "a new turn has pages again");
        assert!(turn.try_page().is_none());
        assert!(queue.next().await.is_none(), "a page is under way");
        drop(held);
    }

    #[tokio::test]
    async fn a_page_under_way_keeps_the_turn_of_its_run() {
        let turns = Turns::new(1, 1);
        let turn = turns.take(Urgency::default()).await;
        let page = turn.page().await;
        let mut queue = Queue::new(&turns);
        queue.join(1, false).await;
        let mut other_stream = turn.page().boxed();
        assert!(poll!(&mut other_stream).is_pending());
        assert!(queue.next().await.is_none());
        drop(page);
        assert!(poll!(&mut other_stream).is_pending());
        assert_eq!(queue.next().await.unwrap().0, 1);
    }

    #[tokio::test]
    async fn who_rests_lets_another_work_and_comes_back() {
        let turns = Turns::new(1, 5);
        let turn = turns.take(Urgency::default()).await;
        let page = turn.page().await;
        let mut queue = Queue::new(&turns);
        queue.join(1, false).await;
        let mut rest = turn.rest().boxed();
        assert!(poll!(&mut rest).is_pending(), "a page is under way");
        drop(page);
        rest.await;
        let (_, other) = queue.next().await.unwrap();
        assert!(turn.try_page().is_none());
        let mut page = turn.page().boxed();
        assert!(poll!(&mut page).is_pending());
        drop(other);
        drop(page.await);
        turn.rest().await;
        assert!(turn.page().now_or_never().is_some(), "nobody waits");
    }

    proptest! {
        /// Whatever comes, leaves and ends in which order: no place is lost, none is given twice.
        #[test]
        fn places_are_neither_lost_nor_doubled(
            at_once in 1_usize..4,
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 0..80),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let turns = Turns::new(at_once, 3);
                let mut queue = Queue::new(&turns);
                let mut working = Vec::new();
                for (name, (step, index)) in (0_u32..).zip(steps) {
                    match step {
                        0 | 1 => {
                            let (own, urgency) = (turns.clone(), urgency(step == 1));
                            let kept = urgency.clone();
                            let wait = async move { own.take(urgency).await }.boxed();
                            queue.waiting.push((name, kept, wait));
                        }
                        2 if !working.is_empty() => {
                            let at = index.index(working.len());
                            working.swap_remove(at);
                        }
                        3 if !queue.waiting.is_empty() => {
                            let at = index.index(queue.waiting.len());
                            drop(queue.waiting.remove(at));
                        }
                        _ => {}
                    }
                    // Sometimes a place is given while nobody looks.
                    if name % 3 != 0 {
                        while let Some((_, turn)) = queue.next().await {
                            working.push(turn);
                        }
                    }
                    assert!(working.len() <= at_once);
                }
                while let Some((_, turn)) = queue.next().await {
                    working.push(turn);
                }
                let waiting = queue.waiting.len();
                assert!(working.len() == at_once || waiting == 0);
                drop((working, queue));
                let state = turns.shared.state();
                assert_eq!(state.free, at_once);
            });
        }
    }
}
