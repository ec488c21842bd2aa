//! `serve`: the service, until it is told to stop.

use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;
use wrenchtime_host::Host;

use crate::Setting;
use crate::terminal::say;

pub(crate) async fn run(setting: &Setting) -> Result<()> {
    let host = Host::start(setting.config.host_options()?).await?;
    let ended = match announce(&host, setting).await {
        Ok(()) => stopped().await,
        refused => refused,
    };
    host.shutdown().await;
    ended
}

/// Says where the service listens, and shows the first management key. Only the key must be seen: it is stored nowhere,
/// and this is the only time.
async fn announce(host: &Host, setting: &Setting) -> Result<()> {
    let key = host.first_key().map(ExposeSecret::expose_secret);
    let url = host.url();
    let shown = match key {
        _ if setting.json => say(serde_json::json!({ "url": url, "management_key": key })),
        // Not among the log lines: those are kept.
        Some(key) => say(format!("management key, shown this once: {key}")),
        None => Ok(()),
    };
    if key.is_some() {
        if let Err(error) = shown {
            bail!(
                "the management key could not be shown ({error:#}): it is void, and the next start shows another; let \
                 the standard output lead to where it can be written"
            );
        }
        host.keep_first_key().await?;
    }
    if !setting.json {
        drop(say(format!("listening on {url}")));
    }
    Ok(())
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
