//! The door: one seed, or many of them on several threads.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow};

use crate::world::Room;
use crate::{Case, Sabotage, StoreKind, Tally};

/// How many smaller cases are tried.
const ATTEMPTS: u32 = 250;

/// How much of the source's log is told.
const LINES: usize = 60;

/// Lives through cases, one after the other, on the thread that made it.
#[derive(Debug)]
pub struct Lab {
    runtime: tokio::runtime::Runtime,
    room: Room,
}

/// A case that does not hold, made as small as it gets.
#[derive(Debug)]
pub struct Failure {
    /// The store.
    pub store: StoreKind,
    /// The smallest case.
    pub case: Case,
    /// What was found in it.
    pub words: String,
    /// What was found in the case as drawn.
    pub first_words: String,
    /// What the source was asked and answered in the smallest case.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.case.seed;
        writeln!(f, "seed {seed} does not hold: {}", self.first_words)?;
        let store = self.store;
        writeln!(
            f,
            "again: cargo xtask oracle --first {seed} --seeds 1 --store {store}"
        )?;
        writeln!(f, "the smallest case found: {}", self.words)?;
        write!(f, "{}", self.case)?;
        let log = self.log.iter().take(LINES);
        writeln!(f, "the source's log, of {} lines:", self.log.len())?;
        for line in log {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

impl Lab {
    /// Opens a lab.
    ///
    /// # Errors
    /// When nothing can be listened to on the loopback, or no store opened.
    pub fn open(store: StoreKind, sabotage: Option<Sabotage>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start a runtime")?;
        let room = runtime.block_on(Room::open(store, sabotage))?;
        Ok(Self { runtime, room })
    }

    /// Lives through a case.
    ///
    /// # Errors
    /// What does not hold.
    pub fn live(&mut self, case: &Case) -> Result<Tally> {
        self.runtime.block_on(self.room.live(case))
    }

    /// Returns what the source of the last case was asked and answered, without its address.
    pub fn log(&self) -> Vec<String> {
        self.room.log()
    }

    /// Lives through the case of a seed, and makes it smaller when it does not hold.
    ///
    /// # Errors
    /// The smallest case that does not hold.
    pub fn try_seed(&mut self, seed: u64) -> Result<Tally, Box<Failure>> {
        let case = Case::draw(seed);
        let error = match self.live(&case) {
            Ok(tally) => return Ok(tally),
            Err(error) => error,
        };
        let case = case.shrink(ATTEMPTS, |smaller| self.live(smaller).is_err());
        let words = match self.live(&case) {
            Ok(_) => "it held when it was tried again".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        Err(Box::new(Failure {
            store: self.room.kind(),
            case,
            words,
            log: self.room.log(),
            first_words: format!("{error:#}"),
        }))
    }
}

/// Lives through the cases of many seeds on several threads, and stops at the first that does not hold.
///
/// `progress` is told the number of cases after each.
///
/// # Errors
/// The case that does not hold, or why none could be tried.
pub fn search(
    seeds: Range<u64>,
    (store, threads): (StoreKind, u64),
    progress: impl Fn(u64) + Sync,
) -> Result<Tally> {
    let next = AtomicU64::new(seeds.start);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let work = || -> Result<Tally> {
        let mut lab = Lab::open(store, None)?;
        let mut total = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match lab.try_seed(seed) {
                Ok(tally) => total += tally,
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(anyhow!("{failure}"));
                }
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(total)
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut total = Tally::default();
        for handle in handles {
            let ended = handle.join().map_err(|_| anyhow!("a thread broke down"))?;
            total += ended?;
        }
        Ok(total)
    })
}
