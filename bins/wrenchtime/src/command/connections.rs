//! `connections`: list, show, schedule, extend, pause, reauthorize, end.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::connect::{ask_for_all, gather, given};
use super::sync::Awaited;
use crate::Setting;
use crate::session::Session;
use crate::terminal::{cell, say, table};

/// List, show, schedule, extend, pause, reauthorize and end connections.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all connections.
    List,
    /// Show one with its state and how fresh it is.
    Show {
        /// The connection's id.
        id: String,
    },
    /// Give one other credentials for the same account, after a password or a secret changed at the source.
    ///
    /// All settings are given anew, for none of those before is shown or kept: from --set, from the environment as
    /// `WRENCHTIME_SETTING_NAME`, or at the prompt, which asks for optional ones too. An empty value (`--set NAME=`)
    /// does without an optional one; one that is set now and left out is refused. Nothing changes unless the source
    /// accepts them.
    Reauthorize(Reauthorize),
    /// Set how often one is synced, and single resources of it.
    Schedule(super::schedule::Arguments),
    /// Let the records of one go further back, to a date, an instant, so many days (`90d`), or `all`. It is read whole once.
    Extend {
        /// The connection's id.
        id: String,
        /// How far back.
        #[arg(value_name = "TIME")]
        since: String,
    },
    /// Stop reading one for now: no run begins until it is resumed. Its data stays readable.
    Pause {
        /// The connection's id.
        id: String,
    },
    /// Read a paused one again. A run that was left goes on where it stopped.
    Resume {
        /// The connection's id.
        id: String,
    },
    /// End one: its token is void at once, its data stays readable by management keys.
    Disconnect {
        /// The connection's id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Reauthorize {
    /// The connection's id.
    id: String,
    /// A setting that is no secret; NAME= for none.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Do not wait for the sync that follows; only where the service runs already.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let done = act(arguments.action.unwrap_or(Action::List), setting, &session).await;
    session.close().await;
    done
}

async fn act(action: Action, setting: &Setting, session: &Session) -> Result<()> {
    match action {
        Action::List => list(setting, session).await,
        Action::Show { id } => {
            let status = session
                .client
                .get(&format!("/v1/connections/{id}/status"))
                .await?;
            let sync = session
                .client
                .get(&format!("/v1/connections/{id}/sync-status"))
                .await?;
            let both = json!({ "status": status, "sync_status": sync });
            say(serde_json::to_string_pretty(&both)?)?;
            Ok(())
        }
        Action::Schedule(arguments) => super::schedule::run(arguments, setting, session).await,
        Action::Extend { id, since } => extend(&id, &since, (setting, session)).await,
        Action::Pause { id } => {
            let words = "is paused: nothing is read until it is resumed, its data stays readable";
            tell(&id, "pause", words, (setting, session)).await
        }
        Action::Resume { id } => {
            let words = "is active: what was left goes on, and its schedule counts";
            tell(&id, "resume", words, (setting, session)).await
        }
        Action::Reauthorize(arguments) => reauthorize(arguments, setting, session).await,
        Action::Disconnect { id } => {
            let reply = session
                .client
                .delete(&format!("/v1/connections/{id}"))
                .await?;
            if setting.json {
                say(serde_json::to_string_pretty(&reply)?)?;
            } else {
                say(format!(
                    "{id} is disconnected; its data stays readable by management keys"
                ))?;
            }
            Ok(())
        }
    }
}

/// Asks for something that is told in one word.
async fn tell(
    id: &str,
    what: &str,
    words: &str,
    (setting, session): (&Setting, &Session),
) -> Result<()> {
    let path = format!("/v1/connections/{id}/{what}");
    let reply = session.client.post(&path, &json!({})).await?;
    if setting.json {
        say(serde_json::to_string_pretty(&reply)?)?;
    } else {
        say(format!("{id} {words}"))?;
    }
    Ok(())
}

async fn extend(id: &str, since: &str, (setting, session): (&Setting, &Session)) -> Result<()> {
    let path = format!("/v1/connections/{id}");
    let body = json!({ "records_since": since });
    let changed = session.client.patch(&path, &body).await?;
    if setting.json {
        return say(serde_json::to_string_pretty(&changed)?);
    }
    let since = match changed["records_since"].as_str() {
        Some(since) => format!("go back to {since}"),
        None => "go back to the first".to_owned(),
    };
    say(format!(
        "the records of {id} {since}; it is read whole once"
    ))
}

async fn reauthorize(arguments: Reauthorize, setting: &Setting, session: &Session) -> Result<()> {
    let id = &arguments.id;
    let path = format!("/v1/connections/{id}");
    let connection = session.client.get(&path).await?;
    let system = cell(&connection, "system");
    let system = session
        .client
        .get(&format!("/v1/systems/{system}"))
        .await
        .with_context(|| format!("the connection's system {system:?} is not known here"))?;
    let given = given(&arguments.settings)?;
    let settings = gather(&system, given, setting, ask_for_all)?;
    let body = json!({ "settings": settings });
    let changed = session.client.patch(&path, &body).await?;
    if setting.json {
        say(serde_json::to_string_pretty(&changed)?)?;
    } else {
        say(format!(
            "the source accepts the new settings of {} ({id}); it was {} and is {} now",
            cell(&changed, "name"),
            cell(&connection, "state"),
            cell(&changed, "state")
        ))?;
        say("id, token and records stay; reading goes on where it stopped")?;
    }
    if arguments.no_wait && !session.is_own() {
        return Ok(());
    }
    let awaited = Awaited::EndedBehind(cell(&changed, "authorized_at"));
    if !is_read_next(session, &changed, &awaited).await? {
        if !setting.json {
            say(format!("it is read on demand only: wrenchtime sync {id}"))?;
        }
        return Ok(());
    }
    super::sync::watch(setting, session, id, &awaited).await
}

/// Tells whether a run follows other settings, or has followed them already: by schedule, or to do what the last one
/// left undone.
async fn is_read_next(session: &Session, connection: &Value, awaited: &Awaited) -> Result<bool> {
    if !connection["schedule_seconds"].is_null() {
        return Ok(true);
    }
    let path = format!("/v1/connections/{}/syncs?limit=1", cell(connection, "id"));
    let runs = session.client.get(&path).await?;
    let run = &runs["data"][0];
    Ok(awaited.is(run) || run["outcome"] == "failed")
}

async fn list(setting: &Setting, session: &Session) -> Result<()> {
    let mut all = Vec::new();
    let mut path = "/v1/connections".to_owned();
    loop {
        let mut page = session.client.get(&path).await?;
        if let Some(connections) = page["data"].as_array_mut() {
            all.append(connections);
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/connections?cursor={next}");
    }
    if setting.json {
        say(serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            ["id", "system", "name", "state"]
                .map(|member| cell(one, member))
                .to_vec()
        })
        .collect();
    say(table(&["ID", "SYSTEM", "NAME", "STATE"], &rows))?;
    Ok(())
}
