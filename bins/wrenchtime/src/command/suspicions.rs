//! `suspicions`: listings that lack too many rows, and whether these are gone.

use anyhow::Result;
use serde_json::{Value, json};

use super::sync::{newest_but_joined, watch_if_read};
use crate::Setting;
use crate::session::Session;
use crate::terminal::{cell, say};

/// List listings of a connection that lack too many rows, and decide whether these are gone.
///
/// A listing that lacks more than 10 % and more than 10 of the stored rows, or all of them, removes none: the source may
/// have lost them by mistake. Look there, then confirm or reject.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// The connection's id.
    #[arg(required = true)]
    id: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The rows are gone indeed: read the listing again, and remove what it still lacks of them.
    ///
    /// When it lacks others beyond the usual measure by then, nothing is removed, and another suspicion stands.
    Confirm(Chosen),
    /// The source was wrong: the rows stay, and the next run that reads the listing judges it anew.
    Reject(Chosen),
}

#[derive(Debug, clap::Args)]
struct Chosen {
    /// The connection's id.
    id: String,
    /// The suspicion's id.
    suspicion: String,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let session = Session::open(setting).await?;
    let done = match arguments.action {
        None => list(&arguments.id.unwrap_or_default(), setting, &session).await,
        Some(Action::Confirm(chosen)) => confirm(&chosen, setting, &session).await,
        Some(Action::Reject(chosen)) => reject(&chosen, setting, &session).await,
    };
    session.close().await;
    done
}

async fn list(id: &str, setting: &Setting, session: &Session) -> Result<()> {
    let all = all(id, session).await?;
    if setting.json {
        return say(serde_json::to_string_pretty(&all)?);
    }
    all.iter().map(sentence).try_for_each(say)
}

/// Shows what stands after a run.
pub(crate) async fn show(id: &str, session: &Session) -> Result<()> {
    for one in all(id, session).await? {
        say(sentence(&one))?;
        if one["confirmed_at"].is_null() {
            let suspicion = cell(&one, "id");
            say(format!(
                "  look at the source, then: wrenchtime suspicions confirm {id} {suspicion}\n  \
                 or, if it is wrong there:  wrenchtime suspicions reject {id} {suspicion}"
            ))?;
        }
    }
    Ok(())
}

async fn all(id: &str, session: &Session) -> Result<Vec<Value>> {
    let path = format!("/v1/connections/{id}/suspicions");
    let reply = session.client.get(&path).await?;
    Ok(reply["data"].as_array().cloned().unwrap_or_default())
}

/// Puts a suspicion into one line.
fn sentence(one: &Value) -> String {
    let keys: Vec<&str> = one["sample"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let shown = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    let more = one["missing"].as_u64().unwrap_or(0).saturating_sub(shown);
    let keys = match (keys.as_slice(), more) {
        ([], _) => "nobody knows which".to_owned(),
        (keys, 0) => keys.join(" "),
        (keys, more) => format!("{} and {more} more", keys.join(" ")),
    };
    let decided = if one["confirmed_at"].is_null() {
        ""
    } else {
        ", confirmed"
    };
    let words = format!(
        "{}: {}: {} of {} rows are missing since {}{decided}: {keys}",
        cell(one, "id"),
        cell(one, "stream"),
        cell(one, "missing"),
        cell(one, "stored"),
        cell(one, "since"),
    );
    // Keys are the source's: none may steer the terminal.
    words.replace(char::is_control, " ")
}

async fn confirm(chosen: &Chosen, setting: &Setting, session: &Session) -> Result<()> {
    let before = newest_but_joined(session, &chosen.id).await?;
    decide(chosen, "confirm", session).await?;
    watch_if_read(setting, session, (&chosen.id, before.as_deref())).await
}

async fn reject(chosen: &Chosen, setting: &Setting, session: &Session) -> Result<()> {
    decide(chosen, "reject", session).await?;
    if setting.json {
        return Ok(());
    }
    say("rejected: the rows stay, and the next run that reads the listing judges it anew")
}

async fn decide(chosen: &Chosen, decision: &str, session: &Session) -> Result<()> {
    let Chosen { id, suspicion } = chosen;
    let path = format!("/v1/connections/{id}/suspicions/{suspicion}/{decision}");
    session.client.post(&path, &json!({})).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspicion_keeps_to_its_line() {
        let mut one = json!({
            "id": "7", "stream": "parts", "missing": 40, "stored": 60, "since": "2031-05-01T12:00:00.000000Z",
            "sample": ["1", "2\u{1b}[2J"], "confirmed_at": null,
        });
        let rest = "7: parts: 40 of 60 rows are missing since 2031-05-01T12:00:00.000000Z";
        assert_eq!(sentence(&one), format!("{rest}: 1 2 [2J and 38 more"));
        one["missing"] = json!(2);
        one["confirmed_at"] = json!("2031-05-01T12:30:00.000000Z");
        assert_eq!(
            sentence(&one),
            "7: parts: 2 of 60 rows are missing since 2031-05-01T12:00:00.000000Z, confirmed: 1 2 [2J"
        );
        one["sample"] = json!([]);
        assert!(sentence(&one).ends_with(": nobody knows which"));
    }
}
