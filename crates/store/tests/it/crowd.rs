//! Fifty readers follow one connection while fifty writers commit to it, all at once.

mod readers;
mod writers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;
use wrenchtime_connector::ManualClock;
use wrenchtime_model::ConnectionId;

use crate::fixture::{Store, new_connection};
use readers::{FeedReader, ListReader};
use writers::Writers;

const WRITERS: u64 = 50;
const READERS: usize = 50;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Where readers found a gap or a repeat.
    pub(crate) findings: Vec<String>,
    /// What writers were refused that nobody may refuse.
    pub(crate) refused: Vec<String>,
    /// How many events the log has in the end.
    pub(crate) events: usize,
}

impl Outcome {
    /// Asserts that nobody missed anything, and that there was something to miss.
    #[track_caller]
    pub(crate) fn assert_whole(&self, turns: u64) {
        assert_eq!(self.refused, [""; 0]);
        assert_eq!(self.findings, [""; 0]);
        // Not every turn makes an event, but most make one or two.
        let least = usize::try_from(WRITERS * turns / 2).unwrap();
        assert!(self.events > least, "only {} events", self.events);
    }
}

/// Lets everybody at one connection, each through one of the two stores, and each writer this many times.
pub(crate) async fn gather<S: Store + Clone>(
    stores: [S; 2],
    clock: &ManualClock,
    turns: u64,
) -> Outcome {
    let id = ConnectionId::new();
    stores[0]
        .create_connection(new_connection(id))
        .await
        .unwrap();
    let writers = Arc::new(Writers::begin(stores.clone(), clock.clone(), id).await);
    let is_writing = Arc::new(AtomicBool::new(true));
    let mut reading = JoinSet::new();
    for number in 0..READERS {
        // Half of them on each store, and of each half every second one by either way.
        let store = stores[number / 2 % 2].clone();
        let still = Arc::clone(&is_writing);
        reading.spawn(async move {
            if number.is_multiple_of(2) {
                FeedReader::follow(&store, id, &still).await
            } else {
                ListReader::follow(&store, id, &still).await
            }
        });
    }
    let mut writing = JoinSet::new();
    for number in 0..WRITERS {
        let writers = Arc::clone(&writers);
        writing.spawn(async move {
            let mut refused = Vec::new();
            for turn in 0..turns {
                if let Err(why) = writers.turn(number, turn).await {
                    refused.push(format!("writer {number} in turn {turn}: {why}"));
                }
            }
            refused
        });
    }
    let refused = writing.join_all().await.concat();
    is_writing.store(false, Ordering::SeqCst);
    let read = reading.join_all().await;
    Outcome {
        findings: read.into_iter().filter_map(Result::err).collect(),
        refused,
        events: readers::log(&stores[0], id).await.len(),
    }
}
