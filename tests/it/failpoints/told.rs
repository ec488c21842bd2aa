//! What a feed and messages must tell, whatever happened to the process.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Records;

/// Looks at a feed: without gap, each record's changes as the unbroken service saw them, and no drift.
#[track_caller]
pub(super) fn check_feed(feed: &[Value], unbroken: &[Value], records: &Records) {
    let sequences: Vec<u64> = feed.iter().map(sequence).collect();
    let first = sequences[0];
    let wanted: Vec<u64> = (first..).take(feed.len()).collect();
    assert_eq!(sequences, wanted, "the feed has a gap or goes back");
    let drifted = feed.iter().find(|entry| entry["data"]["code"] == "drift");
    assert_eq!(drifted, None, "streams of changes lost something");
    let (found, wanted) = (changes(feed), changes(unbroken));
    for (record, found) in &found {
        assert_eq!(Some(found), wanted.get(record), "{record}");
    }
    assert_eq!(found.len(), wanted.len());
    let mut last = BTreeMap::new();
    for entry in feed {
        if let Some(id) = entry["record_id"].as_str() {
            last.insert(id, sequence(entry));
        }
    }
    for ((_, id), record) in records {
        assert_eq!(last.get(id.as_str()), Some(&sequence(record)), "{record:#}");
    }
}

fn sequence(value: &Value) -> u64 {
    value["sequence"].as_u64().unwrap()
}

/// Returns what happened to each record, in order.
fn changes(feed: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut changes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in feed {
        if let Some(id) = entry["record_id"].as_str() {
            let kinds = changes
                .entry(format!("{} {id}", entry["resource"]))
                .or_default();
            kinds.push(format!("{} {}", entry["type"], entry["initial"]));
        }
    }
    changes
}

/// What messages told, by connection and by the place of their last event.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) by_connection: BTreeMap<String, BTreeMap<u64, Value>>,
}

impl Told {
    #[track_caller]
    pub(crate) fn of(messages: impl Iterator<Item = Value>) -> Self {
        let mut by_connection: BTreeMap<String, BTreeMap<u64, Value>> = BTreeMap::new();
        for message in messages {
            let connection = message["connection_id"].as_str().unwrap().to_owned();
            let places = by_connection.entry(connection).or_default();
            let twice = places.insert(sequence(&message), message);
            assert!(twice.is_none(), "two messages for one place: {twice:?}");
        }
        Self { by_connection }
    }

    /// Takes a connection's messages out: they tell of every entry of its feed, and of each once.
    #[track_caller]
    pub(crate) fn check(&mut self, connection: &str, feed: &[Value]) {
        let messages = self.by_connection.remove(connection).unwrap_or_default();
        let mut entries = feed.iter();
        for (place, message) in messages {
            let records = message["data"]["records"].as_array();
            let count = records.map_or(1, Vec::len);
            for at in 0..count {
                let entry = entries.next().unwrap();
                assert_eq!(entry["type"], message["type"], "{place}: {message:#}");
                if let Some(records) = records {
                    assert_eq!(
                        entry["record_id"], records[at]["id"],
                        "{place}: {message:#}"
                    );
                }
                let is_last = at + 1 == count;
                assert!(!is_last || sequence(entry) == place, "{place}: {entry}");
            }
        }
        assert_eq!(entries.next(), None, "nobody told of it");
    }
}
