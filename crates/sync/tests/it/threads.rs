//! Where a run does what takes long.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use wrenchtime_connector::{Document, MapError, Mapped, Mapper};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{Engine, EngineOptions, Mode, Storage};

use crate::source::Shape;
use crate::support::World;

/// Makes nothing of any row, and notes where it was asked to.
#[derive(Debug, Default)]
struct Noting(Mutex<HashSet<ThreadId>>);

impl Mapper for Noting {
    fn version(&self) -> &str {
        "1"
    }

    fn map(&self, _: ConnectionId, _: &Document) -> Result<Vec<Mapped>, MapError> {
        self.0.lock().unwrap().insert(thread::current().id());
        Ok(Vec::new())
    }
}

#[track_caller]
fn threads(maps_in_place: bool) -> HashSet<ThreadId> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mapper = Arc::new(Noting::default());
    runtime.block_on(async {
        let world = World::with_rows(Shape::default(), 40);
        let mut request = world.request(Mode::Full);
        request.mapper = Arc::clone(&mapper) as Arc<dyn Mapper>;
        let mut options = EngineOptions::default();
        options.maps_in_place = maps_in_place;
        let storage = Arc::clone(&world.storage) as Arc<dyn Storage>;
        let engine = Engine::new(storage, Arc::new(world.clock.clone()), options);
        engine.run(request).await.unwrap();
    });
    mapper.0.lock().unwrap().clone()
}

#[test]
fn mapping_holds_up_nobody_unless_it_is_to_be_done_in_place() {
    let here = HashSet::from([thread::current().id()]);
    assert!(threads(false).is_disjoint(&here));
    assert_eq!(threads(true), here);
}
