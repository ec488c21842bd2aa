#![doc = include_str!("../README.md")]

mod apply;
mod bound;
pub mod decide;
mod engine;
mod fetch;
mod joins;
mod ledger;
mod listing;
mod memory;
mod pass;
mod plan;
mod run;
mod storage;
mod stubs;
mod task;

pub use engine::{Engine, EngineOptions, RunError, RunRequest};
pub use memory::{Fault, MemoryDocument, MemoryRecord, MemoryStorage, Writes};
pub use run::{Counts, Mode, Outcome, RunProgress, RunReport};
pub use storage::{
    Absence, DocumentWrite, EventClock, Fence, KnownRow, LifecycleEvent, Marks, NewRun, PageCommit,
    PageOutcome, Pass, RecordWrite, Removal, RunFinish, RunStart, RunState, Storage, StorageError,
    StoredRange, StreamState, Written,
};
