//! What must hold of every system of the catalogue.

use std::sync::Arc;

use wrenchtime_connector::{Role, SystemClock};
use wrenchtime_mapping::Mapping;
use wrenchtime_transport::{Runtime, RuntimeOptions};

#[test]
fn every_default_mapping_compiles() {
    let runtime = Runtime::new(RuntimeOptions::new(Arc::new(SystemClock))).unwrap();
    let systems = wrenchtime_catalog::systems(&runtime);
    assert_eq!(systems.iter().count(), 2);
    for system in systems.iter() {
        let compiled = Mapping::default_of(system.as_ref());
        assert!(
            compiled.is_ok(),
            "{}: {}",
            system.info().system,
            compiled.unwrap_err()
        );
    }
}

#[test]
fn every_entity_can_be_listed_and_names_of_streams_are_unique() {
    let runtime = Runtime::new(RuntimeOptions::new(Arc::new(SystemClock))).unwrap();
    for system in wrenchtime_catalog::systems(&runtime).iter() {
        let mut names = std::collections::BTreeSet::new();
        for entity in &system.info().entities {
            let listings = entity
                .streams
                .iter()
                .filter(|stream| stream.role == Role::Listing)
                .count();
            assert_eq!(listings, 1, "{}", entity.name);
            for stream in &entity.streams {
                assert!(
                    names.insert(stream.name.clone()),
                    "{} stands twice",
                    stream.name
                );
            }
        }
    }
}
