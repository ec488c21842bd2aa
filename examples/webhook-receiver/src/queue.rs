//! A queue in a file: what was answered with 204 is on the disk.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Messages in the order of their arrival, each once.
#[derive(Debug)]
pub struct Queue {
    file: File,
    seen: BTreeSet<String>,
    messages: Vec<Received>,
}

/// One message.
#[derive(Clone, PartialEq, Debug)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: Value,
}

impl Queue {
    /// Opens a queue, with what earlier processes left in it.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .with_context(|| format!("open the queue {}", path.display()))?;
        let mut queue = Self {
            file: file.try_clone()?,
            seen: BTreeSet::new(),
            messages: Vec::new(),
        };
        let mut reader = BufReader::new(file);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            // A last line that a crash cut off was never answered: the sender sends it again.
            if let Ok(entry) = serde_json::from_str::<Value>(&line) {
                queue.remember(
                    entry["id"].as_str().unwrap_or_default(),
                    entry["body"].clone(),
                );
            }
            if !line.ends_with('\n') {
                queue.file.write_all(b"\n")?;
            }
            line.clear();
        }
        Ok(queue)
    }

    /// Adds a message, on the disk before it returns. Tells whether it is new.
    ///
    /// # Errors
    /// When it cannot be written; the sender must then not be told that it arrived.
    pub fn push(&mut self, id: &str, body: Value) -> Result<bool> {
        if self.seen.contains(id) {
            return Ok(false);
        }
        let line = format!("{}\n", json!({"id": id, "body": body}));
        self.file
            .write_all(line.as_bytes())
            .context("write to the queue")?;
        self.file
            .sync_data()
            .context("write the queue to the disk")?;
        self.remember(id, body);
        Ok(true)
    }

    /// Returns all messages, oldest first.
    pub fn messages(&self) -> &[Received] {
        &self.messages
    }

    fn remember(&mut self, id: &str, body: Value) {
        if self.seen.insert(id.to_owned()) {
            self.messages.push(Received {
                id: id.to_owned(),
                body,
            });
        }
    }
}
