//! From settings to something that the engine can read.

use std::sync::Arc;

use anyhow::Result;
use wrenchtime_connector::{Clock, Connector, Factory, Mapper, Settings};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_egress::Policy;
use wrenchtime_mapping::Mapping;
use wrenchtime_model::ConnectionId;
use wrenchtime_sandbox::corrigo::CorrigoSandbox;
use wrenchtime_sync::{Mode, RunRequest};
use wrenchtime_transport::{Runtime, RuntimeOptions};

/// An account of a maintenance system, and how its rows become unified records.
#[derive(Clone, Debug)]
pub struct Source {
    connector: Arc<dyn Connector>,
    mapper: Arc<dyn Mapper>,
}

impl Source {
    /// Connects to a simulated tenant. Sends nothing yet.
    ///
    /// For a real one leave out both addresses and the policy's exception, and take the secret from your vault.
    ///
    /// # Errors
    /// When the settings do not fit together.
    pub fn of_sandbox(sandbox: &CorrigoSandbox, clock: Arc<dyn Clock>) -> Result<Self> {
        let mut options = RuntimeOptions::new(clock);
        options.egress = Policy::allowing(["127.0.0.0/8".parse()?]);
        let factory = CorrigoFactory::new(Runtime::new(options)?);
        let settings = Settings::new([
            ("company", sandbox.company().to_owned()),
            ("client_id", sandbox.client_id().to_owned()),
            ("client_secret", sandbox.client_secret().to_owned()),
            ("token_url", sandbox.token_url()),
            ("locator_url", sandbox.host_url()),
        ]);
        let settings = settings.validated(&factory.info().settings)?;
        Ok(Self {
            connector: factory.connect(&settings)?,
            mapper: Arc::new(Mapping::default_of(&factory)?),
        })
    }

    /// Asks for a run that reads this source into the copy of a connection, listings included.
    pub fn run(&self, connection: ConnectionId, mode: Mode) -> RunRequest {
        let (connector, mapper) = (Arc::clone(&self.connector), Arc::clone(&self.mapper));
        let mut request = RunRequest::new(connection, connector, mapper, mode);
        request.include_listings = true;
        request
    }
}
