//! `connections`: list, show, reauthorize, end.

use anyhow::{Context, Result};
use serde_json::json;

use super::connect::{gather, given};
use crate::Setting;
use crate::session::Session;
use crate::terminal::{cell, say, table};

/// List, show, reauthorize and end connections.
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
    /// All settings are asked for anew, as `connect` does: from --set, from the environment as
    /// `WRENCHTIME_SETTING_NAME`, or at the prompt. Nothing changes unless the source accepts them.
    Reauthorize(Reauthorize),
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
    /// A setting that is no secret.
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
    let settings = gather(&system, given(&arguments.settings)?, setting)?;
    let before = last_finished(session, &path).await?;
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
    super::sync::watch(setting, session, id, before.as_deref()).await
}

/// Returns the newest run that has ended: the one under way is gone on with, and ends as what is waited for.
async fn last_finished(session: &Session, connection: &str) -> Result<Option<String>> {
    let runs = session
        .client
        .get(&format!("{connection}/syncs?limit=1"))
        .await?;
    let run = &runs["data"][0];
    let ended = !run["finished_at"].is_null();
    Ok(run["id"].as_str().filter(|_| ended).map(str::to_owned))
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
