//! Asking and showing.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// Who read the output has gone: `| head`, for example. Nothing is wrong, and nothing more is to be done.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output was closed")
    }
}

impl std::error::Error for Closed {}

/// Writes a line to the standard output.
pub(crate) fn say(text: impl fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("cannot write the output"),
    }
}

/// Writes a line to the standard error. Where that cannot be written nobody is there to be told.
pub(crate) fn note(text: impl fmt::Display) {
    drop(try_note(text));
}

/// Writes a line to the standard error.
pub(crate) fn try_note(text: impl fmt::Display) -> io::Result<()> {
    io::stderr()
        .lock()
        .write_all(format!("{text}\n").as_bytes())
}

/// Tells whether somebody is there to answer.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a line.
pub(crate) fn ask(label: &str) -> Result<String> {
    // Who cannot see the question may still know what is asked.
    drop(write!(io::stderr().lock(), "{label}: "));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("read the answer")?;
    Ok(line.trim().to_owned())
}

/// Asks for a line that is not shown.
pub(crate) fn ask_secret(label: &str) -> Result<String> {
    rpassword::prompt_password(format!("{label} (not shown): ")).context("read the answer")
}

/// A line that tells how far a run is; nothing where nobody looks.
pub(crate) fn progress_line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Says in words how far a run is.
pub(crate) fn run_in_words(run: &Value) -> String {
    let mut parts = Vec::new();
    for (resource, counts) in run["resources"].as_object().into_iter().flatten() {
        parts.push(format!(
            "{} {resource}",
            counts["fetched"].as_u64().unwrap_or(0)
        ));
    }
    if parts.is_empty() {
        return "asking the source".to_owned();
    }
    parts.join(", ")
}

/// A table for people: a header and rows, columns as wide as needed.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

/// Returns text as it can be shown. Names, keys and reasons are the source's: none may steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Returns a member of an object as a cell of a table.
pub(crate) fn cell(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_does_not_steer_the_terminal() {
        let account = json!({ "name": "Acme\u{1b}]0;owned\u{7}\u{9b}2J\nplant" });
        assert_eq!(cell(&account, "name"), "Acme ]0;owned  2J plant");
    }

    #[test]
    fn columns_are_as_wide_as_needed() {
        let rows = vec![
            vec!["corrigo".to_owned(), "active".to_owned()],
            vec!["é".to_owned(), String::new()],
        ];
        assert_eq!(
            table(&["SYSTEM", "STATE"], &rows),
            "SYSTEM   STATE\ncorrigo  active\né"
        );
    }
}
