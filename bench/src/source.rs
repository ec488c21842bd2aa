//! The process that stands for the vendor: serves pages that were rendered beforehand.

mod replies;
mod server;

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};
use wrenchtime_sandbox::{Plant, PlantOptions, SimClock};

pub(crate) use replies::Asked;

/// What the source holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders.
    #[arg(long)]
    work_orders: usize,
    /// Makes the same plant again.
    #[arg(long)]
    seed: u64,
}

/// How to connect to the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Base address, ending in a slash.
    pub(crate) url: String,
    /// What the connector's fields are set to.
    pub(crate) settings: serde_json::Value,
}

/// Serves until the input ends, which it does when the process that started this one is gone.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let plant = Plant::generate(&PlantOptions::new(options.seed, options.work_orders));
    let mut tenant = CorrigoOptions::with_plant(plant);
    // With a clock that stands still every run asks for the same things.
    tenant.clock = SimClock::fixed(tenant.clock.now());
    let sandbox = CorrigoSandbox::start(tenant).await?;
    let server = server::Server::bind(sandbox.host_url()).await?;
    let url = server.url().to_owned();
    let settings = serde_json::json!({
        "company": sandbox.company(),
        "client_id": sandbox.client_id(),
        "client_secret": sandbox.client_secret(),
        "token_url": format!("{url}OAuth/token"),
        "locator_url": url,
    });
    println!("{}", serde_json::to_string(&Address { url, settings })?);
    let mut nothing = Vec::new();
    tokio::select! {
        ended = server.serve() => ended?,
        read = async { tokio::io::stdin().read_to_end(&mut nothing).await } => { read?; }
    }
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// A source in a process of its own. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) address: Address,
    client: reqwest::Client,
    _child: Child,
}

impl Source {
    /// Starts this program once more, as a source.
    pub(crate) async fn start(
        client: &reqwest::Client,
        work_orders: usize,
        seed: u64,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("source")
            .args(["--work-orders", &work_orders.to_string()])
            .args(["--seed", &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start the source")?;
        let output = child.stdout.take().context("the source has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let address = serde_json::from_str(&line).context("the source tells no address")?;
        Ok(Self {
            address,
            client: client.clone(),
            _child: child,
        })
    }

    /// Returns what was asked since the last time, in the order of asking.
    pub(crate) async fn take_requests(&self) -> Result<Vec<Asked>> {
        let url = format!("{}{}", self.address.url, server::REQUESTS);
        let reply = self.client.post(url).send().await?.error_for_status()?;
        Ok(reply.json().await?)
    }
}
