//! The process that stands for the vendor: serves pages that were rendered beforehand.

mod copies;
mod replies;
mod server;

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};
use wrenchtime_sandbox::{Plant, PlantOptions, SimClock};

pub(crate) use replies::Asked;

/// Requests in a second that no machine here reaches.
pub(crate) const UNBOUNDED: u32 = 1000;

/// What the source holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders.
    #[arg(long)]
    work_orders: usize,
    /// Makes the same plant again.
    #[arg(long)]
    seed: u64,
    /// How often all work orders are told, under further ids.
    #[arg(long, default_value_t = 1)]
    times: u64,
}

/// How to connect to the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Base address, ending in a slash.
    pub(crate) url: String,
    /// What the connector's fields are set to.
    pub(crate) settings: Value,
}

/// Serves until the input ends, which it does when the process that started this one is gone.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let plant = Plant::generate(&PlantOptions::new(options.seed, options.work_orders));
    let mut tenant = CorrigoOptions::with_plant(plant);
    // With a clock that stands still every run asks for the same things.
    tenant.clock = SimClock::fixed(tenant.clock.now());
    let sandbox = CorrigoSandbox::start(tenant).await?;
    let [company, client_id, client_secret] = [
        sandbox.company().to_owned(),
        sandbox.client_id().to_owned(),
        sandbox.client_secret().to_owned(),
    ];
    let copies = copies::Copies::new(options.work_orders, options.times);
    let server = server::Server::bind(sandbox, copies).await?;
    let url = server.url().to_owned();
    let settings = serde_json::json!({
        "company": company,
        "client_id": client_id,
        "client_secret": client_secret,
        "token_url": format!("{url}OAuth/token"),
        "locator_url": url,
    });
    println!("{}", serde_json::to_string(&Address { url, settings })?);
    let mut nothing = Vec::new();
    tokio::select! {
        ended = server.serve() => ended?,
        read = async { tokio::io::stdin().read_to_end(&mut nothing).await } => { read?; }
    }
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
        Self::start_times(client, (work_orders, 1), seed).await
    }

    /// Starts this program once more, as a source that tells its work orders several times.
    pub(crate) async fn start_times(
        client: &reqwest::Client,
        (work_orders, times): (usize, usize),
        seed: u64,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("source")
            .args(["--work-orders", &work_orders.to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--times", &times.to_string()])
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
        Ok(serde_json::from_slice(&self.tell("requests", 0).await?)?)
    }

    /// Lets each reply wait so long.
    pub(crate) async fn delay(&self, milliseconds: u64) -> Result<()> {
        self.tell("delay", milliseconds).await.map(drop)
    }

    /// From now on every reply is rendered when it is asked for.
    pub(crate) async fn go_live(&self) -> Result<()> {
        self.tell("live", 0).await.map(drop)
    }

    /// Moves the source's clock on.
    pub(crate) async fn advance(&self, seconds: u64) -> Result<()> {
        self.tell("advance", seconds).await.map(drop)
    }

    /// Changes so many work orders.
    pub(crate) async fn change(&self, count: u64) -> Result<()> {
        self.tell("change", count).await.map(drop)
    }

    /// Returns settings of another account with the same rows, of which requests may be asked at a rate that only the
    /// machine bounds.
    pub(crate) fn account(&self, number: usize) -> Value {
        let mut settings = self.settings_at(UNBOUNDED);
        let company = settings["company"].as_str().unwrap_or_default();
        settings["company"] = format!("{company}{}{number}", server::ACCOUNT).into();
        settings
    }

    /// Returns settings with a rate budget of so many requests in a second.
    pub(crate) fn settings_at(&self, requests: u32) -> Value {
        let mut settings = self.address.settings.clone();
        settings["requests_per_second"] = requests.to_string().into();
        settings
    }

    async fn tell(&self, command: &str, number: u64) -> Result<Bytes> {
        let url = format!("{}{}{command}", self.address.url, server::OWN);
        let request = self.client.post(url).body(number.to_string());
        Ok(request.send().await?.error_for_status()?.bytes().await?)
    }
}
