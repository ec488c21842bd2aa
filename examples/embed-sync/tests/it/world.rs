//! A simulated tenant, a journal and an engine, all by clocks that stand still.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use embed_sync::{FileStorage, Source};
use serde_json::Value;
use tempfile::TempDir;
use wrenchtime_connector::{Clock, ManualClock};
use wrenchtime_model::{ConnectionId, Envelope, Resource};
use wrenchtime_sandbox::SimClock;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox, Tenant};
use wrenchtime_sync::{Engine, EngineOptions, MemoryStorage, Mode, RunReport, Storage};

pub(crate) struct World {
    pub(crate) sandbox: CorrigoSandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) source: Source,
    pub(crate) connection: ConnectionId,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        wrenchtime_egress::install_tls_provider();
        let mut options = CorrigoOptions::new(seed, 40);
        let clock = Arc::new(ManualClock::new(options.plant.now));
        options.clock = SimClock::fixed(options.plant.now);
        let sandbox = CorrigoSandbox::start(options).await.unwrap();
        // Waiting for the rate budget moves the clock that waits, so the source has one of its own.
        let waits = Arc::new(ManualClock::new(clock.now()));
        let source = Source::of_sandbox(&sandbox, waits).unwrap();
        Self {
            sandbox,
            clock,
            source,
            connection: ConnectionId::new(),
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    pub(crate) fn open(&self) -> FileStorage {
        open(&self.journal(), &self.clock)
    }

    /// Lets a quarter of an hour pass at both ends, so that all that was done is visible, and does something.
    pub(crate) fn edit<R>(&self, edit: impl FnOnce(&mut Tenant) -> R) -> R {
        let pause = Duration::from_secs(15 * 60);
        self.sandbox.clock().advance(pause);
        let done = self.sandbox.edit(edit);
        self.sandbox.clock().advance(pause);
        self.clock.set(self.sandbox.clock().now());
        done
    }

    pub(crate) async fn run(&self, storage: Arc<dyn Storage>, mode: Mode) -> RunReport {
        let mut options = EngineOptions::default();
        // So that two stores see everything in one order.
        options.entities_at_once = 1;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let engine = Engine::new(storage, clock, options);
        let request = self.source.run(self.connection, mode);
        engine.run(request).await.unwrap()
    }
}

pub(crate) fn open(journal: &Path, clock: &Arc<ManualClock>) -> FileStorage {
    FileStorage::open(journal, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

/// Returns everything about all records of two stores, in one order.
pub(crate) async fn all_records(
    storage: &FileStorage,
    memory: &MemoryStorage,
    connection: ConnectionId,
) -> [Vec<(Resource, Envelope, Value)>; 2] {
    let mut kept = Vec::new();
    for resource in Resource::ALL {
        let records = storage.records::<Value>(connection, resource);
        for record in records.await.unwrap() {
            kept.push((resource, record.envelope, record.content));
        }
    }
    let expected = memory.records(connection).into_iter().map(|record| {
        let content = serde_json::from_str(record.content.get()).unwrap();
        (record.resource, record.envelope, content)
    });
    let mut both = [kept, expected.collect()];
    for records in &mut both {
        records.sort_by_key(|(resource, envelope, _)| (*resource, envelope.id));
    }
    both
}

/// Numbers that are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // Knuth's constants of a linear congruence, of which the high bits are good.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let limit = u64::try_from(limit).unwrap();
        usize::try_from((self.0 >> 33) % limit).unwrap()
    }
}
