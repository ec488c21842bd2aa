//! What the demonstration runs on: two sources, a receiver, the service.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use webhook_receiver::{Receiver, Verifier};
use wrenchtime_connector::{Settings, SystemName};
use wrenchtime_host::{Host, HostOptions};
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};
use wrenchtime_sandbox::express_maintenance::{ExportOptions, export};
use wrenchtime_sandbox::plant::{Plant, PlantOptions};
use wrenchtime_service::{Actor, Connect};
use wrenchtime_webhooks::{EndpointScope, NewEndpoint};

use crate::DemoOptions;

const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// How much older exported files say to be than they are: files that were just written are left alone for a while, which
/// nobody wants to watch.
const AGE: Duration = Duration::from_secs(60);

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    tenant: CorrigoSandbox,
    plant: Mutex<Plant>,
    receiver: Receiver,
    host: Host,
}

/// A connection, and what its user was given.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) id: ConnectionId,
    pub(crate) system: String,
    pub(crate) name: String,
    pub(crate) token: String,
}

impl World {
    /// Starts everything on free ports of the loopback.
    pub(crate) async fn start(options: &DemoOptions) -> Result<Self> {
        let folder =
            TempDir::with_prefix("wrenchtime-demo-").context("make a temporary directory")?;
        let tenant = CorrigoSandbox::start(CorrigoOptions::new(options.seed, options.work_orders))
            .await
            .context("start the simulated tenant")?;
        let plant = Plant::generate(&PlantOptions::new(
            options.seed + 1,
            options.work_orders / 5,
        ));
        let exports = folder.path().join("exports");
        write(&plant, &exports).context("write the exports")?;
        let receiver = Receiver::start(ANY_PORT, &folder.path().join("messages.jsonl")).await?;
        let loopback = "127.0.0.0/8"
            .parse()
            .context("read the loopback's own network")?;
        let host = HostOptions::new(folder.path().join("data"))
            .with_listen(ANY_PORT)
            .with_allow(vec![loopback])
            .with_folders(vec![exports]);
        let host = Host::start(host).await.context("start the service")?;
        let world = Self {
            folder,
            tenant,
            plant: Mutex::new(plant),
            receiver,
            host,
        };
        world.subscribe().await?;
        Ok(world)
    }

    /// Makes the receiver an endpoint for every event of every connection.
    async fn subscribe(&self) -> Result<()> {
        let endpoint = NewEndpoint {
            url: self
                .receiver
                .url()
                .parse()
                .context("read the receiver's own address")?,
            description: Some("the demonstration's receiver".to_owned()),
            scope: EndpointScope::All,
            events: EventType::ALL.iter().copied().collect(),
            include_initial: false,
        };
        let issued = self
            .host
            .service()
            .create_endpoint(endpoint, &Actor::CommandLine)
            .await?;
        self.receiver
            .trust(Verifier::from_secret(issued.secret.expose_secret())?);
        Ok(())
    }

    /// Connects both sources; their first syncs begin at once.
    pub(crate) async fn connect(&self) -> Result<Vec<Connected>> {
        let tenant = Settings::new([
            ("company", self.tenant.company().to_owned()),
            ("client_id", self.tenant.client_id().to_owned()),
            ("client_secret", self.tenant.client_secret().to_owned()),
            ("token_url", self.tenant.token_url()),
            ("locator_url", self.tenant.host_url()),
        ]);
        let exports = Settings::new([
            ("folder", self.exports().display().to_string()),
            ("time_zone", "America/Chicago".to_owned()),
        ]);
        let mut connected = Vec::new();
        for (system, name, settings) in [
            ("corrigo", "North Campus", tenant),
            ("express-maintenance", "River Plant", exports),
        ] {
            let request = Connect::new(SystemName::from_static(system), settings).with_name(name);
            let made = self
                .host
                .service()
                .connect(request, &Actor::CommandLine)
                .await
                .with_context(|| format!("connect {system}"))?;
            connected.push(Connected {
                id: made.connection.id,
                system: system.to_owned(),
                name: name.to_owned(),
                token: made.token.expose_secret().to_owned(),
            });
        }
        Ok(connected)
    }

    /// Changes, adds and deletes records at both sources, and returns how many at each.
    pub(crate) fn change_sources(&self) -> Result<[usize; 2]> {
        let at_tenant = self.tenant.edit(|tenant| tenant.mutate(1)).count();
        let mut plant = self
            .plant
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = plant.now;
        let in_exports = plant.mutate(2, now).count();
        write(&plant, &self.exports()).context("write the exports again")?;
        Ok([at_tenant, in_exports])
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn exports(&self) -> PathBuf {
        self.folder.path().join("exports")
    }

    /// Stops everything and removes the directory.
    pub(crate) async fn stop(self) -> Result<()> {
        self.host.shutdown().await;
        self.receiver.stop().await;
        self.tenant.stop().await;
        self.folder
            .close()
            .context("remove the temporary directory")
    }
}

fn write(plant: &Plant, folder: &Path) -> io::Result<()> {
    export(plant, folder, &ExportOptions::default())?;
    for entry in fs::read_dir(folder)? {
        let file = File::options().write(true).open(entry?.path())?;
        let written = file.metadata()?.modified()?;
        file.set_modified(written - AGE)?;
    }
    Ok(())
}
