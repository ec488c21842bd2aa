//! `systems`: what can be connected, and what it asks for.

use anyhow::Result;

use crate::Setting;
use crate::session::Session;
use crate::terminal::{cell, say, table};

/// List the systems that can be connected, and what they ask for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show this one.
    system: Option<String>,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let shown = show(arguments, setting, &session).await;
    session.close().await;
    shown
}

async fn show(arguments: Arguments, setting: &Setting, session: &Session) -> Result<()> {
    let path = arguments.system.as_ref().map_or_else(
        || "/v1/systems".to_owned(),
        |name| format!("/v1/systems/{name}"),
    );
    let reply = session.client.get(&path).await?;
    if setting.json {
        say(serde_json::to_string_pretty(&reply)?)?;
    } else if arguments.system.is_some() {
        say(format!("{}\n", cell(&reply, "display_name")))?;
        let fields = reply["settings"].as_array().into_iter().flatten();
        let rows: Vec<_> = fields
            .map(|field| {
                vec![
                    cell(field, "name"),
                    cell(field, "required"),
                    cell(field, "help"),
                ]
            })
            .collect();
        say(table(&["SETTING", "REQUIRED", "WHERE TO FIND IT"], &rows))?;
    } else {
        let systems = reply["data"].as_array().into_iter().flatten();
        let rows: Vec<_> = systems
            .map(|system| vec![cell(system, "system"), cell(system, "display_name")])
            .collect();
        say(table(&["SYSTEM", "NAME"], &rows))?;
    }
    Ok(())
}
