//! `connections`: list, show, end.

use anyhow::Result;
use serde_json::json;

use crate::Setting;
use crate::session::Session;
use crate::terminal::{cell, say, table};

/// List, show and end connections.
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
    /// End one: its token is void at once, its data stays readable by management keys.
    Disconnect {
        /// The connection's id.
        id: String,
    },
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
