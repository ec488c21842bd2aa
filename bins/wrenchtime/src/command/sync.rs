//! `sync`: a run now, watched to its end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wrenchtime_connector::{Clock, SystemClock};

use crate::Setting;
use crate::command::{quarantine, suspicions};
use crate::session::Session;
use crate::terminal::{note, plain, progress_line, run_in_words, say, table};

/// Sync a connection now.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connection's id.
    id: String,
    /// Compare everything with the source, not only what changed.
    #[arg(long)]
    full: bool,
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
    let body = json!({ "mode": mode });
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
    let awaited = Awaited::After(before.map(str::to_owned));
    watch(setting, session, &arguments.id, &awaited).await
}

/// The run that is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Awaited {
    /// The first behind this one.
    After(Option<String>),
    /// The first that has not ended by this instant. One that ended before it was made with the settings before.
    EndedBehind(String),
}

impl Awaited {
    /// Tells whether this is it, ended or not.
    pub(crate) fn is(&self, run: &Value) -> bool {
        let Some(id) = run["id"].as_str() else {
            return false;
        };
        match self {
            Self::After(before) => before.as_deref() != Some(id),
            // The service writes all instants alike, so their texts are in their order.
            Self::EndedBehind(instant) => run["finished_at"]
                .as_str()
                .is_none_or(|ended| ended > instant.as_str()),
        }
    }
}

/// Returns the newest run that a run which begins after a decision is not: the one under way, else the last one.
pub(crate) async fn newest_but_joined(session: &Session, id: &str) -> Result<Option<String>> {
    let path = format!("/v1/connections/{id}/syncs?limit=1");
    let runs = session.client.get(&path).await?;
    Ok(runs["data"][0]["id"].as_str().map(str::to_owned))
}

/// Watches the run that begins after a decision, where the connection is read at present.
pub(crate) async fn watch_if_read(
    setting: &Setting,
    session: &Session,
    (id, before): (&str, Option<&str>),
) -> Result<()> {
    let path = format!("/v1/connections/{id}/status");
    let status = session.client.get(&path).await?;
    match status["state"].as_str() {
        Some("active" | "offline") => {
            let awaited = Awaited::After(before.map(str::to_owned));
            watch(setting, session, id, &awaited).await
        }
        state => say(format!(
            "the connection is {}: the next run acts upon it",
            state.unwrap_or_default()
        )),
    }
}

/// How many answers in a row must show that no run is to come before that is believed.
const PATIENCE: u32 = 10;

/// Shows how far the connection's newest run is until it ends, and fails when it failed.
pub(crate) async fn watch(
    setting: &Setting,
    session: &Session,
    connection: &str,
    awaited: &Awaited,
) -> Result<()> {
    let line = progress_line();
    let path = format!("/v1/connections/{connection}/syncs?limit=1");
    let mut nothing_to_come = 0;
    let run = loop {
        let runs = session.client.get(&path).await?;
        let run = runs["data"][0].clone();
        let is_new = awaited.is(&run);
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
        if let Some(state @ ("reauthorization_required" | "paused" | "disconnected")) =
            status["state"].as_str()
        {
            let reason = status["reason"].as_str().unwrap_or("no reason is known");
            bail!("the connection is {state}: {}", plain(reason));
        }
        // More than once, for a run may begin, and end, between two questions.
        let comes = is_new || status["queued"] == true || !status["syncing"].is_null();
        nothing_to_come = if comes { 0 } else { nothing_to_come + 1 };
        if nothing_to_come > PATIENCE {
            bail!("the sync was cancelled before it began");
        }
        SystemClock.sleep(Duration::from_millis(200)).await;
    };
    line.finish_and_clear();
    if setting.json {
        say(serde_json::to_string_pretty(&run)?)?;
    } else {
        say(counts(&run))?;
        quarantine::show_some(connection, session).await?;
        suspicions::show(connection, session).await?;
        for (stream, fault) in run["faults"].as_object().into_iter().flatten() {
            let fault = fault.as_str().unwrap_or_default();
            note(plain(&format!("{stream}: {fault}")));
        }
    }
    end(setting, &run)
}

/// Fails when the run did, and says what it means when it is partial.
fn end(setting: &Setting, run: &Value) -> Result<()> {
    match run["outcome"].as_str().context("the run has no outcome")? {
        "complete" => Ok(()),
        "partial" if !setting.json => {
            note("the run is partial: what could not be read is told above");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ended_with_the_settings_before_is_not_waited_for() {
        let awaited = Awaited::EndedBehind("2031-05-01T09:00:00.500000Z".to_owned());
        for (ended, is_it) in [
            (json!(null), true),
            (json!("2031-05-01T09:00:00.499999Z"), false),
            (json!("2031-05-01T09:00:00.500001Z"), true),
        ] {
            let run = json!({ "id": "7", "finished_at": ended });
            assert_eq!(awaited.is(&run), is_it, "{run}");
        }
        assert!(!awaited.is(&json!(null)));
        assert!(!Awaited::After(Some("7".to_owned())).is(&json!({ "id": "7" })));
    }
}
