//! What is in flight between sources and the store, in bytes: pages that are asked for, read, mapped or written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use wrenchtime_connector::{Document, Items, Page, StreamInfo, Stub, Yields};

use crate::StoredDocument;

/// What a row takes beside its text, with the record that is made of it.
const ROW: u64 = 512;
/// What a row of a page that nobody has seen yet is taken to take.
const UNSEEN_ROW: u64 = 4 * 1024;

/// So many bytes may be in flight. Clones are one.
///
/// Loads are taken in the order of asking. One that is larger than the whole budget waits until nothing else is in
/// flight, and goes alone. Whoever holds a load must wait neither for another one nor for anybody who does.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    shared: Arc<Shared>,
}

/// Bytes in flight. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    bytes: u64,
}

#[derive(Debug)]
struct Shared {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    bytes: u64,
    told: oneshot::Sender<Load>,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        let shared = Shared {
            limit,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Waits until so many bytes fit. Whoever drops the future leaves the queue.
    pub(crate) async fn take(&self, bytes: u64) -> Load {
        let told = {
            let mut state = self.shared.state();
            state.forget_those_who_left();
            if state.waiting.is_empty() && state.fits(bytes, self.shared.limit) {
                return self.shared.load(&mut state, bytes);
            }
            let (sender, told) = oneshot::channel();
            state.waiting.push_back(Waiting {
                bytes,
                told: sender,
            });
            told
        };
        told.await
            .expect("who waits stays in the queue until its bytes fit")
    }

    /// Takes so many bytes if they fit and nobody waits. Never waits.
    pub(crate) fn try_take(&self, bytes: u64) -> Option<Load> {
        let mut state = self.shared.state();
        state.forget_those_who_left();
        let fits = state.waiting.is_empty() && state.fits(bytes, self.shared.limit);
        fits.then(|| self.shared.load(&mut state, bytes))
    }

    pub(crate) fn taken(&self) -> u64 {
        self.shared.state().taken
    }
}

impl Load {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Says how many bytes it is, now that it is known. They are in memory by then: if they are more than was thought,
    /// nothing else begins until there is room again.
    pub(crate) fn set(&mut self, bytes: u64) {
        let mut state = self.shared.state();
        state.taken = state.taken.saturating_sub(self.bytes) + bytes;
        self.bytes = bytes;
        drop(state);
        self.shared.pass_on();
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.set(self.bytes + bytes);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.taken = state.taken.saturating_sub(self.bytes);
        drop(state);
        self.shared.pass_on();
    }
}

impl Shared {
    fn load(self: &Arc<Self>, state: &mut State, bytes: u64) -> Load {
        state.taken += bytes;
        Load {
            shared: Arc::clone(self),
            bytes,
        }
    }

    /// Lets those begin whose turn it is and who fit.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let (next, load) = {
                let mut state = self.state();
                state.forget_those_who_left();
                let bytes = state.waiting.front().map(|one| one.bytes);
                let Some(bytes) = bytes.filter(|bytes| state.fits(*bytes, self.limit)) else {
                    return;
                };
                let Some(next) = state.waiting.pop_front() else {
                    return;
                };
                (next, self.load(&mut state, bytes))
            };
            // Who left just now gives its bytes back, and that passes them on.
            drop(next.told.send(load));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fits(&self, bytes: u64, limit: u64) -> bool {
        self.taken == 0 || self.taken.saturating_add(bytes) <= limit
    }

    fn forget_those_who_left(&mut self) {
        self.waiting.retain(|one| !one.told.is_closed());
    }
}

/// Returns what a page of a stream is taken to be that was not read yet.
pub(crate) fn unseen(stream: &StreamInfo) -> u64 {
    let row = match stream.yields {
        Yields::Documents => UNSEEN_ROW,
        // Most of them are as stored, so their rows are not read.
        Yields::Stubs => ROW,
    };
    row * u64::from(stream.page_limit)
}

/// Returns what rows are taken to be that are asked for by key.
pub(crate) fn unseen_rows(rows: usize) -> u64 {
    UNSEEN_ROW * count(rows)
}

/// Returns what a page takes.
pub(crate) fn of_page(page: &Page) -> u64 {
    let items = match &page.items {
        Items::Documents(rows) => of_documents(rows),
        Items::Stubs(rows) => rows.iter().map(of_stub).sum(),
    };
    let issues = page.issues.iter();
    items + issues.map(|issue| count(issue.reason.len())).sum::<u64>()
}

/// Returns what documents take, with the records that are made of them.
pub(crate) fn of_documents(rows: &[Document]) -> u64 {
    rows.iter().map(of_document).sum()
}

/// Returns what stored documents take, with the records that are made of them.
pub(crate) fn of_stored(rows: &[StoredDocument]) -> u64 {
    let rows = rows.iter().map(|row| &row.document);
    rows.map(of_document).sum()
}

fn of_document(row: &Document) -> u64 {
    ROW + 2 * count(row.body.get().len())
}

fn of_stub(stub: &Stub) -> u64 {
    let version = stub.version.as_ref().map_or(0, String::len);
    ROW / 4 + count(stub.key.as_str().len() + version)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use futures_util::poll;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 100;

    #[tokio::test]
    async fn a_page_larger_than_the_budget_goes_alone_and_is_not_overtaken() {
        let budget = Budget::new(LIMIT);
        let small = budget.take(30).await;
        let mut large = budget.take(1000).boxed();
        assert!(poll!(&mut large).is_pending());
        assert!(budget.try_take(1).is_none(), "the large one was first");
        let mut late = budget.take(1).boxed();
        assert!(poll!(&mut late).is_pending());
        drop(small);
        let Poll::Ready(large) = poll!(&mut large) else {
            panic!("nothing else is in flight");
        };
        assert!(poll!(&mut late).is_pending());
        drop(large);
        assert!(poll!(&mut late).is_ready());
    }

    #[tokio::test]
    async fn what_is_found_out_counts_at_once() {
        let budget = Budget::new(LIMIT);
        let mut first = budget.take(10).await;
        first.set(95);
        assert!(budget.try_take(10).is_none());
        let mut second = budget.take(10).boxed();
        assert!(poll!(&mut second).is_pending());
        first.set(5);
        assert!(poll!(&mut second).is_ready());
        first.add(200);
        assert_eq!(first.bytes(), 205);
        assert!(budget.try_take(1).is_none(), "more than thought");
    }

    #[tokio::test]
    async fn who_leaves_the_queue_holds_nobody_up() {
        let budget = Budget::new(LIMIT);
        let first = budget.take(LIMIT).await;
        let mut gives_up = budget.take(LIMIT).boxed();
        let mut given_too_late = budget.take(LIMIT).boxed();
        let mut stays = budget.take(LIMIT).boxed();
        for waiting in [&mut gives_up, &mut given_too_late, &mut stays] {
            assert!(poll!(waiting).is_pending());
        }
        drop(gives_up);
        drop(first);
        assert!(poll!(&mut stays).is_pending());
        drop(given_too_late);
        assert!(poll!(&mut stays).is_ready());
    }

    /// A stream that reads its pages as a pass does: up to two ahead where there is room for them, else when those before are
    /// written.
    async fn reads(budget: Budget, pages: Vec<(u64, u64)>, exact: bool) {
        let mut held = VecDeque::new();
        for (thought, true_size) in pages {
            let mut load = match budget.try_take(thought) {
                Some(load) => load,
                None => {
                    while held.pop_front().is_some() {
                        tokio::task::yield_now().await;
                    }
                    budget.take(thought).await
                }
            };
            let taken = budget.taken();
            assert!(!exact || taken <= LIMIT || taken == load.bytes(), "{taken}");
            tokio::task::yield_now().await;
            load.set(true_size);
            tokio::task::yield_now().await;
            held.push_back(load);
            if held.len() > 2 {
                drop(held.pop_front());
            }
        }
    }

    fn streams(errs: bool) -> impl Strategy<Value = Vec<Vec<(u64, u64)>>> {
        let page = (1_u64..150, 1_u64..150);
        let page = page.prop_map(move |(thought, true_size)| {
            (thought, if errs { true_size } else { thought })
        });
        prop::collection::vec(prop::collection::vec(page, 0..8), 1..7)
    }

    /// Polls streams in an order that the case decides, until all came to their end.
    fn interleave(streams: Vec<Vec<(u64, u64)>>, order: &[prop::sample::Index], exact: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let budget = Budget::new(LIMIT);
            let mut left: Vec<BoxFuture<'_, ()>> = streams
                .into_iter()
                .map(|pages| reads(budget.clone(), pages, exact).boxed())
                .collect();
            let mut order = order.iter().cycle();
            let mut in_vain = 0;
            while !left.is_empty() {
                let at = order.next().unwrap().index(left.len());
                if poll!(&mut left[at]).is_ready() {
                    drop(left.swap_remove(at));
                }
                // In turn now and then, so that the order cannot leave one out for ever.
                let turn = in_vain % left.len().max(1);
                if turn < left.len() && poll!(&mut left[turn]).is_ready() {
                    drop(left.swap_remove(turn));
                }
                in_vain += 1;
                assert!(in_vain < 10_000, "nobody gets on any more");
            }
            assert_eq!(budget.taken(), 0);
        });
    }

    proptest! {
        /// With sizes as thought, the budget is never exceeded but by one page alone; and all come to their end.
        #[test]
        fn the_budget_holds_in_every_interleaving(
            streams in streams(false),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
        ) {
            interleave(streams, &order, true);
        }

        /// With sizes that turn out otherwise, nothing begins over the budget; and all come to their end.
        #[test]
        fn wrong_guesses_stop_nobody_for_ever(
            streams in streams(true),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
        ) {
            interleave(streams, &order, false);
        }
    }
}
