//! `quarantine`: what could not be read or mapped, row by row.

use anyhow::Result;
use serde_json::Value;

use crate::Setting;
use crate::session::Session;
use crate::terminal::say;

/// How many rows are shown after a run.
const SHOWN_AFTER_RUN: usize = 20;

/// List the rows of a connection that cannot be read or mapped, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connection's id.
    id: String,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let done = list(&arguments.id, setting, &session).await;
    session.close().await;
    done
}

async fn list(id: &str, setting: &Setting, session: &Session) -> Result<()> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = page(id, next.as_deref(), session).await?;
        let rows = page["data"].as_array().into_iter().flatten();
        if setting.json {
            all.extend(rows.cloned());
        } else {
            rows.map(sentence).try_for_each(say)?;
        }
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    if setting.json {
        say(serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

/// Shows the first rows, and how to see the others.
pub(crate) async fn show_some(id: &str, session: &Session) -> Result<()> {
    let page = page(id, None, session).await?;
    let rows: Vec<String> = page["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(sentence)
        .collect();
    rows.iter().take(SHOWN_AFTER_RUN).try_for_each(say)?;
    let more = rows.len().saturating_sub(SHOWN_AFTER_RUN);
    if !page["next"].is_null() {
        say(format!(
            "and more than {more} more: wrenchtime quarantine {id}"
        ))?;
    } else if more > 0 {
        say(format!("and {more} more: wrenchtime quarantine {id}"))?;
    }
    Ok(())
}

async fn page(id: &str, cursor: Option<&str>, session: &Session) -> Result<Value> {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    let path = format!("/v1/connections/{id}/quarantine?limit=500{cursor}");
    session.client.get(&path).await
}

/// Puts a row into one line: where it stands, and why it is not served.
fn sentence(row: &Value) -> String {
    let text = |member: &str| row[member].as_str().unwrap_or_default();
    let place = match row["place"].as_str() {
        Some(place) => place.to_owned(),
        None => format!("{} {}", text("entity"), text("key")),
    };
    // Names and keys are the source's: none may steer the terminal.
    format!("{place}: {}", text("reason")).replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(row: &Value, expected: &str) {
        assert_eq!(sentence(row), expected);
    }

    #[test]
    fn a_row_is_told_by_its_place_or_else_by_its_key() {
        let mut row = json!({
            "entity": "units", "key": "17", "place": "units.csv, line 8, column 1", "reason": "blank",
        });
        check(&row, "units.csv, line 8, column 1: blank");
        row["place"] = Value::Null;
        check(&row, "units 17: blank");
    }

    #[test]
    fn a_row_keeps_to_its_line() {
        let row = json!({ "entity": "units", "key": "1\n\u{1b}[2J", "reason": "no\tname" });
        check(&row, "units 1  [2J: no name");
    }
}
