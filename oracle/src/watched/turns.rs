//! One thing at a time: what the entities of a run do side by side takes turns, in an order that the seed decides.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Dice;

/// So often everything else gets on before a turn is given: whoever is about to ask for one has asked by then.
const PATIENCE: u32 = 4;

/// Gives turns, one after the other.
#[derive(Debug)]
pub(super) struct Turns {
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Debug)]
struct Line {
    dice: Dice,
    tickets: u64,
    waiting: BTreeSet<u64>,
    next: Option<u64>,
    holder: Option<u64>,
    /// How often a turn or a place was given back.
    given_back: u64,
}

/// A place in the line, then a turn. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Turns {
    pub(super) fn new(dice: Dice) -> Self {
        Self {
            line: Mutex::new(Line {
                dice,
                tickets: 0,
                waiting: BTreeSet::new(),
                next: None,
                holder: None,
                given_back: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits for a turn.
    pub(super) async fn take(&self) -> Turn<'_> {
        let turn = self.stand_in_line();
        loop {
            // Before the look, so that no change falls in between.
            let changed = self.changed.notified();
            let given_back = self.lock().given_back;
            for _ in 0..PATIENCE {
                tokio::task::yield_now().await;
            }
            if self.lock().gives(turn.ticket, given_back) {
                return turn;
            }
            changed.await;
        }
    }

    fn stand_in_line(&self) -> Turn<'_> {
        let mut line = self.lock();
        line.tickets += 1;
        let ticket = line.tickets;
        line.waiting.insert(ticket);
        Turn {
            turns: self,
            ticket,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Tells whether it is a ticket's turn, for one who waited since so many turns were given back. How long a turn
    /// lasts is chance, so nobody's patience counts that began before its end.
    fn gives(&mut self, ticket: u64, given_back: u64) -> bool {
        if self.holder.is_some() || self.given_back != given_back {
            return false;
        }
        if self.next.is_none() {
            let waiting: Vec<u64> = self.waiting.iter().copied().collect();
            self.next = Some(self.dice.pick(&waiting));
        }
        if self.next != Some(ticket) {
            return false;
        }
        self.waiting.remove(&ticket);
        self.holder = Some(ticket);
        true
    }

    fn leave(&mut self, ticket: u64) {
        self.given_back += 1;
        self.waiting.remove(&ticket);
        for place in [&mut self.next, &mut self.holder] {
            if *place == Some(ticket) {
                *place = None;
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().leave(self.ticket);
        self.turns.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn order(seed: u64) -> Vec<u32> {
        let turns = Turns::new(Dice::new(seed));
        let order = Mutex::new(Vec::new());
        let work = |name: u32| {
            let (turns, order) = (&turns, &order);
            async move {
                for _ in 0..8 {
                    let _turn = turns.take().await;
                    order.lock().unwrap().push(name);
                    tokio::task::yield_now().await;
                    order.lock().unwrap().push(name);
                }
            }
        };
        futures_util::future::join3(work(0), work(1), work(2)).await;
        order.into_inner().unwrap()
    }

    #[tokio::test]
    async fn nobody_comes_between_and_the_seed_decides() {
        let first = order(1).await;
        assert!(first.chunks(2).all(|turn| turn[0] == turn[1]), "{first:?}");
        assert_eq!(first, order(1).await);
        assert_ne!(first, order(2).await);
    }

    #[tokio::test]
    async fn whoever_gives_up_keeps_nobody_waiting() {
        let turns = Turns::new(Dice::new(1));
        let held = turns.take().await;
        let mut second = Box::pin(turns.take());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        drop(held);
        drop(turns.take().await);
    }
}
