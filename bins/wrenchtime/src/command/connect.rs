//! `connect`: asks for what the system declares, checks it at the source, starts the first sync.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::Setting;
use crate::config::SETTING_PREFIX;
use crate::session::Session;
use crate::terminal::{ask, ask_secret, cell, is_interactive, say};

/// Connect a customer's system and start its first sync.
///
/// Settings come from --set, from the environment as `WRENCHTIME_SETTING_NAME`, or are asked for. Secrets are
/// never taken as arguments, for others on the machine could read them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The system, as `wrenchtime systems` lists it.
    system: String,
    /// What people call the connection.
    #[arg(long)]
    name: Option<String>,
    /// A setting that is no secret.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Do not wait for the first sync; only where the service runs already.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let done = connect(arguments, setting, &session).await;
    session.close().await;
    done
}

async fn connect(arguments: Arguments, setting: &Setting, session: &Session) -> Result<()> {
    let system = session
        .client
        .get(&format!("/v1/systems/{}", arguments.system))
        .await
        .with_context(|| {
            format!(
                "cannot connect {:?}; `wrenchtime systems` lists what can be",
                arguments.system
            )
        })?;
    let given = given(&arguments.settings)?;
    let settings = gather(&system, given, setting)?;
    let mut body = json!({ "system": arguments.system, "settings": settings });
    if let Some(name) = arguments.name {
        body["name"] = Value::String(name);
    }
    let connected = session.client.post("/v1/connections", &body).await?;
    let id = connected["id"]
        .as_str()
        .context("the reply names no connection")?;
    if setting.json {
        say(serde_json::to_string_pretty(&connected)?)?;
    } else {
        say(format!("connected {} as {id}", cell(&connected, "name")))?;
        say(format!(
            "connection token, shown this once: {}",
            cell(&connected, "token")
        ))?;
    }
    if arguments.no_wait && !session.is_own() {
        return Ok(());
    }
    super::sync::watch(setting, session, id, None).await
}

/// Reads the settings that were given as arguments.
pub(super) fn given(pairs: &[String]) -> Result<BTreeMap<String, String>> {
    let split = |pair: &String| {
        let (name, value) = pair
            .split_once('=')
            // Not repeated: it may be a secret that was put into the wrong place.
            .context("--set takes NAME=VALUE, but one has no equals sign")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    pairs.iter().map(split).collect()
}

/// Gathers a value for each field that the system declares.
pub(super) fn gather(
    system: &Value,
    mut given: BTreeMap<String, String>,
    setting: &Setting,
) -> Result<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    let mut missing = Vec::new();
    for field in system["settings"].as_array().into_iter().flatten() {
        let name = cell(field, "name");
        let is_secret = field["kind"] == "secret";
        if is_secret && given.contains_key(&name) {
            bail!(
                "{name} is a secret and not taken as an argument: put it into {}, or leave it out to be asked",
                variable(&name)
            );
        }
        let value = match given
            .remove(&name)
            .or_else(|| setting.environment.get(&variable(&name)).cloned())
        {
            Some(value) => Some(value),
            None => asked(field, is_secret)?,
        };
        match value {
            Some(value) if field["kind"] == "document" => {
                let text = std::fs::read_to_string(&value)
                    .with_context(|| format!("cannot read {value} for the setting {name}"))?;
                settings.insert(name, text);
            }
            Some(value) => {
                settings.insert(name, value);
            }
            None if field["required"] == true => missing.push(name),
            None => {}
        }
    }
    if let Some(unknown) = given.keys().next() {
        bail!(
            "{unknown} is not a setting of this system; see `wrenchtime systems {}`",
            cell(system, "system")
        );
    }
    if !missing.is_empty() {
        let variables: Vec<String> = missing.iter().map(|name| variable(name)).collect();
        bail!(
            "settings are missing and nobody is there to ask: {}; set {}",
            missing.join(", "),
            variables.join(", ")
        );
    }
    Ok(settings)
}

fn asked(field: &Value, is_secret: bool) -> Result<Option<String>> {
    if field["required"] != true || !is_interactive() {
        return Ok(None);
    }
    eprintln!("{}", cell(field, "help"));
    let label = cell(field, "label");
    let value = if is_secret {
        ask_secret(&label)?
    } else {
        ask(&label)?
    };
    Ok((!value.is_empty()).then_some(value))
}

fn variable(setting: &str) -> String {
    format!("{SETTING_PREFIX}{}", setting.to_uppercase())
}
