//! `sync`: a run now, watched to its end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wrenchtime_connector::{Clock, SystemClock};

use crate::Setting;
use crate::command::quarantine;
use crate::session::Session;
use crate::terminal::{progress_line, run_in_words, say, table};

/// Sync a connection now.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connection's id.
    id: String,
    /// Compare everything with the source, not only what changed.
    #[arg(long)]
    full: bool,
    /// Accept that many records are gone, after a run said that it is suspect.
    #[arg(long)]
    accept_deletes: bool,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let done = sync(arguments, setting, &session).await;
    session.close().await;
    done
}

async fn sync(arguments: Arguments, setting: &Setting, session: &Session) -> Result<()> {
    let mode = if arguments.full {
        "full"
    } else {
        "incremental"
    };
    let connection = format!("/v1/connections/{}", arguments.id);
    let status = session.client.get(&format!("{connection}/status")).await?;
    let body = json!({ "mode": mode, "accept_deletes": arguments.accept_deletes });
    let asked = session
        .client
        .post(&format!("{connection}/syncs"), &body)
        .await?;
    // A run under way that does not do all that is asked for is not the one to wait for: another comes after it.
    let under_way = status["syncing"]["id"].as_str();
    let before = match under_way.filter(|_| asked["request"] == "queued") {
        Some(id) => Some(id),
        None => status["last_run"]["id"].as_str(),
    };
    watch(setting, session, &arguments.id, before).await
}

/// Shows how far the connection's newest run is until it ends, and fails when it failed.
pub(crate) async fn watch(
    setting: &Setting,
    session: &Session,
    connection: &str,
    before: Option<&str>,
) -> Result<()> {
    let line = progress_line();
    let path = format!("/v1/connections/{connection}/syncs?limit=1");
    let run = loop {
        let runs = session.client.get(&path).await?;
        let run = runs["data"][0].clone();
        let is_new = run["id"].as_str().is_some_and(|id| Some(id) != before);
        if is_new && !run["finished_at"].is_null() {
            break run;
        }
        line.set_message(if is_new {
            run_in_words(&run)
        } else {
            "waiting for its turn".to_owned()
        });
        let status = session
            .client
            .get(&format!("/v1/connections/{connection}/status"))
            .await?;
        if let Some(state @ ("reauthorization_required" | "disconnected")) =
            status["state"].as_str()
        {
            let reason = status["reason"].as_str().unwrap_or("no reason is known");
            bail!("the connection is {state}: {reason}");
        }
        SystemClock.sleep(Duration::from_millis(200)).await;
    };
    line.finish_and_clear();
    if setting.json {
        say(serde_json::to_string_pretty(&run)?)?;
    } else {
        say(counts(&run))?;
        quarantine::show_some(connection, session).await?;
        for (stream, fault) in run["faults"].as_object().into_iter().flatten() {
            eprintln!("{stream}: {}", fault.as_str().unwrap_or_default());
        }
    }
    end(setting, &run)
}

/// Fails when the run did, and says what it means when it is partial.
fn end(setting: &Setting, run: &Value) -> Result<()> {
    match run["outcome"].as_str().context("the run has no outcome")? {
        "complete" => Ok(()),
        "partial" if !setting.json => {
            eprintln!("the run is partial: what could not be read is told above");
            Ok(())
        }
        "partial" => Ok(()),
        other => bail!("the run ended as {other}"),
    }
}

fn counts(run: &Value) -> String {
    const COLUMNS: [&str; 7] = [
        "fetched",
        "created",
        "changed",
        "unchanged",
        "deleted",
        "quarantined",
        "requests",
    ];
    let resources = run["resources"].as_object().into_iter().flatten();
    let rows: Vec<Vec<String>> = resources
        .map(|(resource, counts)| {
            let numbers = COLUMNS.iter().map(|column| counts[*column].to_string());
            std::iter::once(resource.clone()).chain(numbers).collect()
        })
        .collect();
    let header: Vec<String> = COLUMNS.iter().map(|column| column.to_uppercase()).collect();
    let header: Vec<&str> = std::iter::once("RESOURCE")
        .chain(header.iter().map(String::as_str))
        .collect();
    table(&header, &rows)
}
