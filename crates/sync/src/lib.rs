#![doc = include_str!("../README.md")]

mod admission;
mod ahead;
mod apply;
mod bound;
mod circle;
mod coverage;
pub mod decide;
mod engine;
mod fetch;
mod flight;
mod joins;
mod ledger;
mod listing;
mod memory;
mod metrics;
mod opening;
mod pass;
mod plan;
mod ready;
mod retry;
mod run;
mod storage;
mod stubs;
mod suspicion;
mod task;
mod turns;
mod verdict;
mod window;

pub use engine::{Engine, EngineOptions, RunError, RunRequest};
pub use memory::{Fault, MemoryDocument, MemoryRecord, MemoryStorage, Writes};
pub use retry::rereads;
pub use run::{Counts, Mode, Outcome, RunProgress, RunReport};
pub use storage::{
    Absence, DocumentWrite, EventClock, Fence, KnownRow, LifecycleEvent, Marks, NewRun, PageCommit,
    PageOutcome, Pass, RecordWrite, Removal, RunFinish, RunStart, RunState, Storage, StorageError,
    StoredDocument, StoredRange, StreamState, UnmappedQuery, Written,
};
pub use suspicion::{Decision, Judgement, Suspicion};
pub use turns::{Turn, Turns, Urgency};
