//! Our side: the built service, run once over a fresh data directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wrenchtime_egress::{AllowRule, Policy};

use crate::process::Usage;
use crate::source::Source;

/// The loopback, where everything here happens.
const LOOPBACK: &str = "127.0.0.0/8";
/// How often the service is asked whether the run has ended. Its own clock measures the run.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Longer than any machine should need, so that a run that hangs ends this program.
const LONGEST_RUN: Duration = Duration::from_secs(30 * 60);
const LONGEST_STOP: Duration = Duration::from_secs(60);

/// What a run of the service took.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    /// Seconds from the run's beginning to its end, by the service's clock.
    pub(crate) seconds: f64,
    /// What the process used, from its start until the run was at its end.
    pub(crate) usage: Usage,
    /// How the run ended.
    pub(crate) outcome: String,
    /// Records that were created, of all resources.
    pub(crate) records: u64,
    /// Pages that were committed.
    pub(crate) pages: u64,
}

#[derive(Deserialize)]
struct Run {
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
    #[serde(default)]
    pages: u64,
    resources: Value,
    #[serde(default)]
    faults: Value,
}

/// Makes a client as connectors have it.
pub(crate) fn client() -> Result<reqwest::Client> {
    let policy = Policy::allowing([LOOPBACK.parse::<AllowRule>()?]);
    Ok(policy.client_builder().build()?)
}

/// Starts the service on an empty directory, connects the source, waits for the first sync's end and stops it.
pub(crate) async fn first_sync(
    client: &reqwest::Client,
    source: &Source,
    directory: &Path,
) -> Result<Ours> {
    let mut service = Service::start(client, directory).await?;
    let measured = async {
        let connection = service.connect(source).await?;
        let run = service.end_of_run(&connection).await?;
        let pid = service.child.id().context("the service ended by itself")?;
        ours(&run, Usage::of(pid)?)
    };
    let measured = measured.await;
    let stopped = service.stop().await;
    let measured = measured.with_context(|| service.log())?;
    stopped.with_context(|| service.log())?;
    Ok(measured)
}

fn ours(run: &Run, usage: Usage) -> Result<Ours> {
    let finished = run.finished_at.context("the run has no end")?;
    let outcome = run.outcome.clone().unwrap_or_default();
    if outcome != "complete" && outcome != "partial" {
        bail!("the first sync ended as {outcome:?}: {}", run.faults);
    }
    let resources = run.resources.as_object().context("the run has no counts")?;
    let created = resources
        .values()
        .filter_map(|counts| counts["created"].as_u64());
    Ok(Ours {
        seconds: (finished - run.started_at).as_seconds_f64(),
        usage,
        outcome,
        records: created.sum(),
        pages: run.pages,
    })
}

struct Service {
    child: Child,
    client: reqwest::Client,
    url: String,
    key: String,
    log: PathBuf,
}

impl Service {
    async fn start(client: &reqwest::Client, directory: &Path) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("wrenchtime");
        let log = directory.join("bench.log");
        let mut child = Command::new(&program)
            .arg("--data-dir")
            .arg(directory)
            .args(["--json", "serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("WRENCHTIME_ALLOW", LOOPBACK)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}; build it in release first", program.display()))?;
        let output = child.stdout.take().context("the service has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let told: Value = serde_json::from_str(&line)
            .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
            .context("the service did not start")?;
        let local = std::fs::read(directory.join("service.json"))?;
        let local: Value = serde_json::from_slice(&local)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            child,
            client: client.clone(),
            url: text(&told["url"]).context("the service tells no address")?,
            key: text(&local["key"]).context("there is no management key")?,
            log,
        })
    }

    async fn connect(&self, source: &Source) -> Result<String> {
        let url = format!("{}/v1/connections", self.url);
        let body = json!({
            "system": "corrigo",
            "settings": source.address.settings,
            "schedule_seconds": 0,
        });
        let request = self.client.post(url).bearer_auth(&self.key).json(&body);
        let reply = request.send().await?;
        let status = reply.status();
        let body: Value = reply.json().await?;
        if status != StatusCode::CREATED {
            bail!("the source was not connected: {status} {body}");
        }
        let id = body["id"].as_str().context("the connection has no id")?;
        Ok(id.to_owned())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "another process is waited for, which no injected clock moves"
    )]
    async fn end_of_run(&mut self, connection: &str) -> Result<Run> {
        let url = format!("{}/v1/connections/{connection}/syncs?limit=1", self.url);
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_RUN {
            tokio::time::sleep(ASK_EVERY).await;
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended by itself: {status}");
            }
            let request = self.client.get(&url).bearer_auth(&self.key);
            let reply = request.send().await?.error_for_status()?;
            let mut page: Value = reply.json().await?;
            let run: Option<Run> = serde_json::from_value(page["data"][0].take())?;
            if let Some(run) = run.filter(|run| run.finished_at.is_some()) {
                return Ok(run);
            }
        }
        bail!("the first sync did not end within {LONGEST_RUN:?}")
    }

    async fn stop(&mut self) -> Result<()> {
        let Some(pid) = self.child.id() else {
            return Ok(());
        };
        let sent = Command::new("kill").arg(pid.to_string()).status().await?;
        if !sent.success() {
            bail!("the service could not be told to stop");
        }
        let status = tokio::time::timeout(LONGEST_STOP, self.child.wait()).await;
        let status = status.context("the service does not stop")??;
        if !status.success() {
            bail!("the service ended with {status}");
        }
        Ok(())
    }

    /// Returns the end of what the service logged, for people.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.reverse();
        format!("the service's last words:\n{}", lines.join("\n"))
    }
}
