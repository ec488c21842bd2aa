//! From settings to a connector.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Connector, ConnectorInfo, NamedFunction, Result, Settings, SystemName};

/// Makes connectors to the accounts of one system. Was lent HTTP, files and clock when it was made.
pub trait Factory: fmt::Debug + Send + Sync + 'static {
    /// Returns what the system is and offers.
    fn info(&self) -> &ConnectorInfo;

    /// Returns the default mapping of its documents, as the text of a mapping file.
    fn default_mapping(&self) -> &str;

    /// Returns the functions that its mappings may call beside those of the mapping language. Often none.
    fn functions(&self) -> &'static [NamedFunction];

    /// Makes a connector. Sends nothing.
    ///
    /// # Requires
    /// Settings that passed [`Settings::validated`] with this system's fields.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the settings do not fit together.
    fn connect(&self, settings: &Settings) -> Result<Arc<dyn Connector>>;
}

/// The systems that can be connected, by name.
#[derive(Clone, Debug, Default)]
pub struct Systems {
    factories: BTreeMap<SystemName, Arc<dyn Factory>>,
}

impl Systems {
    /// Makes a set of systems. Of two with one name the later stays.
    pub fn new(factories: impl IntoIterator<Item = Arc<dyn Factory>>) -> Self {
        let factories = factories
            .into_iter()
            .map(|factory| (factory.info().system.clone(), factory))
            .collect();
        Self { factories }
    }

    /// Returns the system of this name.
    pub fn get(&self, system: &SystemName) -> Option<&Arc<dyn Factory>> {
        self.factories.get(system)
    }

    /// Returns all systems, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Factory>> {
        self.factories.values()
    }
}
