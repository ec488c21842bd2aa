#![doc = include_str!("../README.md")]

mod run;
mod storage;

pub use run::{Counts, Mode, Outcome, RunProgress, RunReport};
pub use storage::{
    Absence, DocumentWrite, EventClock, Fence, KnownRow, LifecycleEvent, Marks, NewRun, PageCommit,
    PageOutcome, Pass, RecordWrite, Removal, RunFinish, RunStart, RunState, Storage, StorageError,
    StoredRange, StreamState, Written,
};
