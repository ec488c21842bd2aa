//! From settings to a connector.

use std::sync::Arc;

use wrenchtime_connector::{Connector, ConnectorInfo, Factory, NamedFunction, Result, Settings};
use wrenchtime_transport::Runtime;

use crate::connector::Corrigo;
use crate::functions::FUNCTIONS;
use crate::info::info;
use crate::session::Session;
use crate::settings::Access;

/// Makes connectors to accounts of Corrigo Enterprise. Its system is named `corrigo`.
#[derive(Clone, Debug)]
pub struct CorrigoFactory {
    info: ConnectorInfo,
    runtime: Runtime,
}

impl CorrigoFactory {
    /// Makes a factory whose connectors use this runtime.
    pub fn new(runtime: Runtime) -> Self {
        Self {
            info: info(),
            runtime,
        }
    }
}

impl Factory for CorrigoFactory {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn default_mapping(&self) -> &str {
        include_str!("../mapping.toml")
    }

    fn functions(&self) -> &'static [NamedFunction] {
        FUNCTIONS
    }

    fn connect(&self, settings: &Settings) -> Result<Arc<dyn Connector>> {
        let access =
            Access::from_settings(settings).map_err(|error| error.at("corrigo", "connect"))?;
        let session = Session::new(&self.runtime, access);
        Ok(Arc::new(Corrigo::new(self.info.clone(), session)))
    }
}
