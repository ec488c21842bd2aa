//! What a person sees. A program sees nothing of it.

use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::ExposeSecret;
use webhook_receiver::Receiver;
use wrenchtime_model::Resource;
use wrenchtime_sync::RunState;

use crate::Audience;
use crate::world::{Connected, World};

/// Tells the story to its audience.
#[derive(Debug)]
pub(crate) struct Teller {
    audience: Audience,
}

/// A line that tells how far one connection is.
#[derive(Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    name: String,
}

impl Teller {
    pub(crate) fn new(audience: Audience) -> Self {
        Self { audience }
    }

    fn say(&self, text: &str) {
        if self.audience == Audience::Person {
            // Whoever looked may have gone; the story goes on all the same.
            drop(writeln!(std::io::stdout(), "{text}"));
        }
    }

    pub(crate) fn begin(&self, world: &World) {
        self.say("Two simulated systems, the service and a webhook receiver run on this machine. All data is invented.");
        self.say(&format!("  service           {}", world.host().url()));
        self.say(&format!("  webhook receiver  {}\n", world.receiver().url()));
    }

    pub(crate) fn connected(&self, connected: &[Connected]) {
        for one in connected {
            self.say(&format!(
                "connected {} ({}) as {}",
                one.name, one.system, one.id
            ));
        }
    }

    /// Makes a line for each connection.
    pub(crate) fn lines(&self, connected: &[Connected]) -> Vec<Line> {
        let lines = MultiProgress::new();
        if self.audience == Audience::Program {
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        connected
            .iter()
            .map(|one| {
                let bar = lines.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(120));
                Line {
                    bar,
                    name: one.name.clone(),
                }
            })
            .collect()
    }

    pub(crate) fn runs(&self, title: &str, connected: &[Connected], runs: &[RunState]) {
        self.say(&format!("\n{title}"));
        self.say("  SYSTEM               RESOURCE        FETCHED  CREATED  CHANGED  UNCHANGED  DELETED  REQUESTS  SECONDS");
        for (one, run) in connected.iter().zip(runs) {
            for (resource, counts) in &run.progress.resources {
                self.say(&format!(
                    "  {:20} {:14} {:8} {:8} {:8} {:10} {:8} {:9} {:8.2}",
                    one.system,
                    resource.name(),
                    counts.fetched,
                    counts.created,
                    counts.changed,
                    counts.unchanged,
                    counts.deleted,
                    counts.requests,
                    counts.seconds,
                ));
            }
        }
    }

    pub(crate) fn changed(&self, connected: &[Connected], counts: [usize; 2]) {
        for (one, count) in connected.iter().zip(counts) {
            self.say(&format!(
                "\n{count} records were added, changed or deleted at {}",
                one.name
            ));
        }
    }

    pub(crate) fn webhooks(&self, receiver: &Receiver, delivered: usize) {
        let messages = receiver.messages();
        self.say(&format!(
            "\n{delivered} webhooks were delivered; the receiver checked every signature:"
        ));
        for message in &messages {
            let text = |member: &str| message.body[member].as_str().unwrap_or_default().to_owned();
            let records = message.body["data"]["records"]
                .as_array()
                .map_or(0, Vec::len);
            let resource = message.body["data"]["resource"]
                .as_str()
                .unwrap_or_default();
            let about = if records > 0 {
                format!("{records} {resource}")
            } else {
                String::new()
            };
            self.say(&format!(
                "  verified  {:16} {:22} {}",
                text("type"),
                about,
                message.id
            ));
        }
        if receiver.refused() > 0 {
            self.say(&format!("  {} were refused", receiver.refused()));
        }
    }

    pub(crate) fn invite(&self, world: &World, connected: &[Connected], first: &[RunState]) {
        let url = world.host().url();
        self.say(
            "\nNow you. What has changed since the first sync, by the connection's own token:",
        );
        for (one, run) in connected.iter().zip(first) {
            let since = run
                .finished
                .map(|(at, _)| wrenchtime_model::Timestamp::from(at).to_string());
            let since = since.unwrap_or_default();
            let path = Resource::WorkOrder.path();
            self.say(&format!("\n  # {}", one.name));
            self.say(&format!(
                "  curl -H 'Authorization: Bearer {}' '{url}/v1/{path}?modified_after={since}'",
                one.token
            ));
            self.say(&format!(
                "  curl -H 'Authorization: Bearer {}' '{url}/v1/changes?limit=5'",
                one.token
            ));
        }
        let key = world.host().local().key.expose_secret();
        self.say("\n  # everything, by a management key");
        self.say(&format!(
            "  curl -H 'Authorization: Bearer {key}' '{url}/v1/connections'"
        ));
        self.say(&format!("  curl '{url}/openapi.json'"));
        self.say("\nCtrl-C ends it; nothing of it stays.");
    }
}

impl Line {
    pub(crate) fn show(&self, run: Option<&RunState>) {
        let resources = run.map(|run| &run.progress.resources).into_iter().flatten();
        let parts: Vec<String> = resources
            .map(|(resource, counts)| format!("{} {resource}", counts.fetched))
            .collect();
        let far = if parts.is_empty() {
            "asking the source".to_owned()
        } else {
            parts.join(", ")
        };
        self.bar.set_message(format!("{}: {far}", self.name));
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
