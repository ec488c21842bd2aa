//! `serve`: the service, until it is told to stop.

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use wrenchtime_host::Host;

use crate::Setting;
use crate::terminal::say;

pub(crate) async fn run(setting: &Setting) -> Result<()> {
    let host = Host::start(setting.config.host_options()?).await?;
    let key = host.first_key().map(ExposeSecret::expose_secret);
    if setting.json {
        say(format!(
            "{}",
            serde_json::json!({ "url": host.url(), "management_key": key })
        ))?;
    } else {
        // Not among the log lines: those are kept.
        if let Some(key) = key {
            say(format!("management key, shown this once: {key}"))?;
        }
        say(format!("listening on {}", host.url()))?;
    }
    let ended = stopped().await;
    host.shutdown().await;
    ended
}

/// Shows the first management key: it is stored nowhere, and this is the only time.
pub(crate) fn show_first_key(key: &SecretString) {
    eprintln!("management key, shown this once: {}", key.expose_secret());
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stopped() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended.context("listen for Ctrl-C"),
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("listen for Ctrl-C")
}
