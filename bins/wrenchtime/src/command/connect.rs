//! `connect`: asks for what the system declares, checks it at the source, starts the first sync.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::Setting;
use crate::command::sync::Awaited;
use crate::config::SETTING_PREFIX;
use crate::session::Session;
use crate::terminal::{ask, ask_secret, cell, is_interactive, note, say};

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
    /// How far back its records go: `all`, a date, an RFC 3339 instant, or a number of days such as `90d`. All when absent.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
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
    let settings = gather(&system, given, setting, ask_for_required)?;
    let mut body = json!({ "system": arguments.system, "settings": settings });
    if let Some(name) = arguments.name {
        body["name"] = Value::String(name);
    }
    if let Some(since) = arguments.since {
        body["records_since"] = Value::String(since);
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
    super::sync::watch(setting, session, id, &Awaited::After(None)).await
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

/// Gathers a value for each field that the system declares, and leaves out those that nothing is known of.
pub(super) fn gather(
    system: &Value,
    mut given: BTreeMap<String, String>,
    setting: &Setting,
    ask: impl Fn(&Value) -> Result<Option<String>>,
) -> Result<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    let mut missing = Vec::new();
    for field in system["settings"].as_array().into_iter().flatten() {
        let name = cell(field, "name");
        let is_secret = field["kind"] == "secret";
        if is_secret && given.get(&name).is_some_and(|value| !value.is_empty()) {
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
            None => ask(field)?,
        };
        match value {
            Some(value) if field["kind"] == "document" && !value.is_empty() => {
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

/// Asks for a field where it must have a value and somebody is there.
fn ask_for_required(field: &Value) -> Result<Option<String>> {
    if field["required"] != true || !is_interactive() {
        return Ok(None);
    }
    let value = asked(field)?;
    Ok((!value.is_empty()).then_some(value))
}

/// Asks for any field where somebody is there. An empty answer to an optional one says that it has no value.
pub(super) fn ask_for_all(field: &Value) -> Result<Option<String>> {
    if field["required"] == true || !is_interactive() {
        return ask_for_required(field);
    }
    asked(field).map(Some)
}

fn asked(field: &Value) -> Result<String> {
    note(cell(field, "help"));
    let mut label = cell(field, "label");
    if field["required"] != true {
        let without = match cell(field, "default") {
            default if default.is_empty() => "none".to_owned(),
            default => default,
        };
        label = format!("{label} (empty for {without})");
    }
    if field["kind"] == "secret" {
        ask_secret(&label)
    } else {
        ask(&label)
    }
}

fn variable(setting: &str) -> String {
    format!("{SETTING_PREFIX}{}", setting.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    /// Returns what is sent where these are given and every question is answered so.
    fn gathered(given: &[(&str, &str)], answer: Option<&str>) -> BTreeMap<String, String> {
        let system = json!({ "system": "acme", "settings": [
            { "name": "company", "kind": "text", "required": true },
            { "name": "zone", "kind": "text", "required": false },
            { "name": "profile", "kind": "document", "required": false },
            { "name": "pin", "kind": "secret", "required": false },
        ]});
        let setting = Setting {
            config: Layer::default(),
            environment: BTreeMap::from([(variable("company"), "Acme".to_owned())]),
            json: false,
        };
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let ask = |_: &Value| Ok(answer.map(str::to_owned));
        gather(&system, given.collect(), &setting, ask).unwrap()
    }

    #[track_caller]
    fn check(given: &[(&str, &str)], answer: Option<&str>, expected: &[(&str, &str)]) {
        let gathered = gathered(given, answer);
        let gathered: Vec<_> = gathered
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(gathered, expected);
    }

    #[test]
    fn what_has_no_value_is_told_from_what_nobody_spoke_of() {
        check(&[], None, &[("company", "Acme")]);
        check(
            &[("zone", "UTC")],
            None,
            &[("company", "Acme"), ("zone", "UTC")],
        );
        let without = [
            ("company", "Acme"),
            ("pin", ""),
            ("profile", ""),
            ("zone", ""),
        ];
        check(
            &[("zone", ""), ("profile", ""), ("pin", "")],
            None,
            &without,
        );
        // At a terminal, an empty answer says the same.
        check(&[], Some(""), &without);
    }
}
