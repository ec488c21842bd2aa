//! Our side: the built service.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wrenchtime_egress::{AllowRule, Policy};

use crate::place::Place;
use crate::process::Usage;

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

/// A run, as the API tells of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) outcome: Option<String>,
    #[serde(default)]
    pub(crate) pages: u64,
    #[serde(default)]
    pub(crate) streams_done: u64,
    resources: Value,
    #[serde(default)]
    faults: Value,
}

impl Run {
    /// Sums a count over all resources.
    pub(crate) fn sum(&self, count: &str) -> u64 {
        let resources = self.resources.as_object();
        let counts = resources.into_iter().flat_map(serde_json::Map::values);
        counts.filter_map(|counts| counts[count].as_u64()).sum()
    }

    /// Fails for a run that did not read the source.
    pub(crate) fn check(&self) -> Result<()> {
        match self.outcome.as_deref() {
            Some("complete" | "partial") => Ok(()),
            other => bail!("a sync ended as {other:?}: {}", self.faults),
        }
    }

    /// Returns how long it took.
    pub(crate) fn seconds(&self) -> Result<f64> {
        let finished = self.finished_at.context("the run has no end")?;
        Ok((finished - self.started_at).as_seconds_f64())
    }
}

/// A connection that was just made.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// Makes a client as connectors have it.
pub(crate) fn client() -> Result<reqwest::Client> {
    let policy = Policy::allowing([LOOPBACK.parse::<AllowRule>()?]);
    Ok(policy.client_builder().build()?)
}

/// Starts the service in an empty place, connects the source, waits for the first sync's end and stops it.
pub(crate) async fn first_sync(
    client: &reqwest::Client,
    settings: &Value,
    place: &Place,
) -> Result<Ours> {
    let mut service = Service::start(client, place).await?;
    let measured = async {
        let connection = service.connect(settings, true).await?;
        let run = service.end_of_run(&connection.id, None).await?;
        ours(&run, service.usage()?)
    };
    let measured = measured.await;
    service.end_with(measured).await
}

fn ours(run: &Run, usage: Usage) -> Result<Ours> {
    run.check()?;
    Ok(Ours {
        seconds: run.seconds()?,
        usage,
        outcome: run.outcome.clone().unwrap_or_default(),
        records: run.sum("created"),
        pages: run.pages,
    })
}

/// The service, running.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    client: reqwest::Client,
    url: String,
    key: String,
    log: PathBuf,
}

impl Service {
    /// Starts the service in a place.
    pub(crate) async fn start(client: &reqwest::Client, place: &Place) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("wrenchtime");
        let directory = place.directory();
        let log = directory.join("bench.log");
        let mut command = Command::new(&program);
        command
            .arg("--data-dir")
            .arg(directory)
            .args(["--json", "serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("WRENCHTIME_ALLOW", LOOPBACK);
        if let Some(database) = place.database() {
            command.env("WRENCHTIME_DATABASE", database);
        }
        let mut child = command
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

    /// Returns where the API listens, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns what the process has used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id().context("the service ended by itself")?)
    }

    /// Connects a source, on demand only, and begins a first sync where that is wanted.
    pub(crate) async fn connect(&self, settings: &Value, start_sync: bool) -> Result<Connected> {
        let body = json!({
            "system": "corrigo",
            "settings": settings,
            "schedule_seconds": 0,
            "start_sync": start_sync,
        });
        let made = self
            .ask(Method::POST, "/v1/connections", Some(body))
            .await?;
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        Ok(Connected {
            id: text("id").context("the connection has no id")?,
            token: text("token").context("the connection has no token")?,
        })
    }

    /// Sets how often a connection is synced.
    pub(crate) async fn schedule(&self, connection: &str, seconds: u64) -> Result<()> {
        let path = format!("/v1/connections/{connection}");
        let body = json!({ "schedule_seconds": seconds });
        self.ask(Method::PATCH, &path, Some(body)).await?;
        Ok(())
    }

    /// Returns the last runs of a connection, the newest first.
    pub(crate) async fn runs(&self, connection: &str) -> Result<Vec<Run>> {
        let path = format!("/v1/connections/{connection}/syncs?limit=5");
        let mut page = self.ask(Method::GET, &path, None).await?;
        Ok(serde_json::from_value(page["data"].take())?)
    }

    /// Waits until the newest run has ended and is another than the one given.
    pub(crate) async fn end_of_run(
        &mut self,
        connection: &str,
        before: Option<&str>,
    ) -> Result<Run> {
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_RUN {
            pause(ASK_EVERY).await;
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended by itself: {status}");
            }
            let run = self.runs(connection).await?.into_iter().next();
            let is_it = |run: &Run| run.finished_at.is_some() && Some(run.id.as_str()) != before;
            if let Some(run) = run.filter(is_it) {
                return Ok(run);
            }
        }
        bail!("a sync did not end within {LONGEST_RUN:?}")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await?;
        let status = reply.status();
        let body: Value = reply.json().await?;
        if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
            bail!("the service answered {path} with {status}: {body}");
        }
        Ok(body)
    }

    /// Stops the service, and adds its last words to what went wrong.
    pub(crate) async fn end_with<T>(mut self, measured: Result<T>) -> Result<T> {
        let stopped = self.stop().await;
        let measured = measured.with_context(|| self.log())?;
        stopped.with_context(|| self.log())?;
        Ok(measured)
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

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is waited for, which no injected clock moves"
)]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
