//! A command's way to the service: the one that runs on the data directory, else one of its own for the time being.

use std::net::SocketAddr;

use anyhow::Result;
use secrecy::ExposeSecret;
use wrenchtime_host::{Host, local_service};

use crate::Setting;
use crate::client::Client;
use crate::terminal::try_note;

/// A way to the service.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    own: Option<Host>,
}

impl Session {
    /// Finds the running service, or starts one on a free port of the loopback. The data directory's lock decides: a
    /// service that cannot be reached but still runs is an error, not a second one.
    pub(crate) async fn open(setting: &Setting) -> Result<Self> {
        if let Some(local) = local_service(&setting.config.data_dir()) {
            let client = Client::new(format!("http://{}", local.address), local.key)?;
            if client.is_alive().await {
                return Ok(Self { client, own: None });
            }
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let host = Host::start(setting.config.host_options()?.with_listen(any)).await?;
        if let Some(key) = host.first_key() {
            let key = key.expose_secret();
            // The command does without it. Where it cannot be shown, a later start shows another.
            if try_note(format!("management key, shown this once: {key}")).is_ok() {
                host.keep_first_key().await?;
            }
        }
        let client = Client::new(host.url(), host.local().key.clone())?;
        Ok(Self {
            client,
            own: Some(host),
        })
    }

    /// Tells whether the service ends with this command.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Ends the service if it is this command's own.
    pub(crate) async fn close(self) {
        if let Some(host) = self.own {
            host.shutdown().await;
        }
    }
}
