//! `connections schedule`: how often a connection and single resources of it are synced.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::Setting;
use crate::session::Session;
use crate::terminal::say;

/// Set how often a connection is synced, and single resources of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connection's id.
    id: String,
    /// Once in this time: `90s`, `5m`, `1h`, `1d`; or `never`, for on demand only. From a minute to a day.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    every: Option<u64>,
    /// One resource: `work_order=5m`, `asset=never`, or `asset=default` for as often as the connection.
    #[arg(long = "resource", value_name = "NAME=TIME", value_parser = resource)]
    resources: Vec<(String, Value)>,
}

pub(super) async fn run(arguments: Arguments, setting: &Setting, session: &Session) -> Result<()> {
    let mut body = Map::new();
    if let Some(seconds) = arguments.every {
        body.insert("schedule_seconds".to_owned(), json!(seconds));
    }
    if !arguments.resources.is_empty() {
        let resources: Map<String, Value> = arguments.resources.into_iter().collect();
        body.insert("resource_schedule_seconds".to_owned(), resources.into());
    }
    if body.is_empty() {
        bail!("give --every, --resource or both");
    }
    let path = format!("/v1/connections/{}", arguments.id);
    let changed = session.client.patch(&path, &body.into()).await?;
    if setting.json {
        return say(serde_json::to_string_pretty(&changed)?);
    }
    say(format!("synced {}", in_words(&changed["schedule_seconds"])))?;
    let own = changed["resource_schedule_seconds"].as_object();
    for (name, seconds) in own.into_iter().flatten() {
        say(format!("{name}: {}", in_words(seconds)))?;
    }
    Ok(())
}

fn in_words(seconds: &Value) -> String {
    match seconds.as_u64() {
        None | Some(0) => "on demand only".to_owned(),
        Some(seconds) => format!("every {seconds} seconds"),
    }
}

/// Reads a time; on demand only is 0, as in the API.
fn seconds(text: &str) -> Result<u64> {
    if text == "never" {
        return Ok(0);
    }
    let advice = "give a time such as 90s, 5m, 1h or 1d, or never";
    let (number, unit) = ["s", "m", "h", "d"]
        .into_iter()
        .zip([1, 60, 60 * 60, 24 * 60 * 60])
        .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .context(advice)?;
    let number: u64 = number.parse().ok().context(advice)?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds > 0)
        .context(advice)
}

fn resource(text: &str) -> Result<(String, Value)> {
    let (name, time) = text
        .split_once('=')
        .context("give a resource and a time, such as work_order=5m")?;
    let own = match time {
        "default" => Value::Null,
        time => json!(seconds(time)?),
    };
    Ok((name.to_owned(), own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("1d", Some(86_400)),
            ("never", Some(0)),
            ("5", None),
            ("0m", None),
            ("m", None),
            ("-5m", None),
            ("1.5h", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn resources_are_read() {
        let read = |text| resource(text).ok();
        let named = |value| Some(("work_order".to_owned(), value));
        assert_eq!(read("work_order=5m"), named(json!(300)));
        assert_eq!(read("work_order=never"), named(json!(0)));
        assert_eq!(read("work_order=default"), named(Value::Null));
        assert_eq!(read("work_order"), None);
        assert_eq!(read("work_order=soon"), None);
    }
}
