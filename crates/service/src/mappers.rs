//! The systems' default mappings, compiled once.

use std::collections::BTreeMap;
use std::sync::Arc;

use wrenchtime_connector::{Mapper, SystemName, Systems};
use wrenchtime_mapping::Mapping;

use crate::service::Core;
use crate::{Error, Result};

pub(crate) fn compile_all(systems: &Systems) -> Result<BTreeMap<SystemName, Arc<dyn Mapper>>> {
    let mut mappers: BTreeMap<SystemName, Arc<dyn Mapper>> = BTreeMap::new();
    for factory in systems.iter() {
        let system = &factory.info().system;
        let mapping = Mapping::default_of(factory.as_ref()).map_err(|error| Error::Mapping {
            system: system.to_string(),
            reason: error.to_string(),
        })?;
        mappers.insert(system.clone(), Arc::new(mapping));
    }
    Ok(mappers)
}

impl Core {
    pub(crate) fn mapper(&self, system: &SystemName) -> Result<Arc<dyn Mapper>> {
        self.factory(system)?;
        self.mappers
            .get(system)
            .map(Arc::clone)
            .ok_or_else(|| Error::Mapping {
                system: system.to_string(),
                reason: "it was not compiled".to_owned(),
            })
    }
}
