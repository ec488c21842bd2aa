//! The promises that every connector keeps.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use wrenchtime_conformance::{Fault, Harness, Powers};
use wrenchtime_connector::{Connector, EntityName, Factory, Mapper, RemoteKey};

use crate::folder::Exports;
use crate::mapping::compiled;

/// A folder of exports whose files are written anew with each change.
struct Folder {
    exports: Exports,
    counter: AtomicU32,
}

fn file(entity: &EntityName) -> String {
    format!("{entity}.csv")
}

/// Returns a row's key and the row.
fn row(entity: &str, number: u32) -> (String, String) {
    let key = number.to_string();
    let row = match entity {
        "units" => {
            format!("{key},CNC-{key},Lathe,,Main,Hall 1,Machine,CNC,Active,Haas,ST,,07/04/2029,")
        }
        "work_orders" => format!(
            "{key},{key},CNC-1,Main,Hall 1,,05/01/2031 08:00,,,,Demand,,Open,04/30/2031 07:15,2,,,,,Leak,,1.5,20"
        ),
        "parts" => format!("{key},B-{key},Belt,,,Vendor 1,,,,,ea,4,1,,2.50,,Y,,,,A{key}"),
        "vendors" => format!("{key},Vendor {key},1 Main St,Springfield,IL,,"),
        _ => {
            return (
                format!("PO-{key}"),
                format!("PO-{key},05/01/2031,,Vendor 1,,,Open"),
            );
        }
    };
    (key, row)
}

impl Folder {
    fn edit(&self, entity: &EntityName, edit: impl FnOnce(&mut Vec<String>)) {
        let name = file(entity);
        let text = fs::read_to_string(self.exports.path().join(&name)).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        edit(&mut lines);
        self.exports.write(&name, lines.join("\r\n") + "\r\n");
    }

    /// Edits the fourth row, which stands behind the header on a line of its own.
    fn edit_row(
        &self,
        entity: &EntityName,
        edit: impl FnOnce(&mut Vec<String>, usize),
    ) -> Option<RemoteKey> {
        let mut key = None;
        self.edit(entity, |lines| {
            key = lines[4].split(',').next().map(RemoteKey::new);
            edit(lines, 4);
        });
        key
    }
}

#[async_trait]
impl Harness for Folder {
    async fn start() -> Self {
        let folder = Self {
            exports: Exports::headers(),
            counter: AtomicU32::new(1),
        };
        for entity in &folder.exports.factory().info().entities {
            folder.counter.store(1, Ordering::Relaxed);
            for _ in 0..7 {
                folder.insert(&entity.name).await;
            }
        }
        folder
    }

    fn powers(&self) -> Powers {
        let sent = [
            Fault::RateLimited,
            Fault::RateLimitedFor,
            Fault::ServerError,
            Fault::Dropped,
            Fault::Truncated,
            Fault::ExpiredToken,
        ];
        Powers::new([Fault::Malformed])
            .lacking(sent.map(|fault| (fault, "files are read from a disc, nothing is sent")))
            .lacking([
                (
                    Fault::UnknownField,
                    "a profile names the columns that are read",
                ),
                (
                    Fault::UnknownMember,
                    "exports have no closed lists, each site has its own codes",
                ),
            ])
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.exports.chicago()
    }

    fn mapper(&self) -> Arc<dyn Mapper> {
        Arc::new(compiled(self.exports.factory()))
    }

    fn canaries(&self) -> Vec<String> {
        Vec::new()
    }

    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey> {
        let (key, line) = row(
            entity.as_str(),
            self.counter.fetch_add(1, Ordering::Relaxed),
        );
        self.edit(entity, |lines| lines.push(line));
        Some(RemoteKey::new(key))
    }

    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey> {
        let (from, to) = match entity.as_str() {
            "units" => ("Lathe", "Lathe with feeder"),
            "work_orders" => ("Leak", "Leak at the valve"),
            "parts" => ("Belt", "\"Belt, long\""),
            "vendors" => ("1 Main St", "2 Main St"),
            _ => ("Open", "Closed"),
        };
        self.edit_row(entity, |lines, index| {
            lines[index] = lines[index].replace(from, to);
        })
    }

    async fn tie(&self, _entity: &EntityName, _count: usize) -> Option<Vec<RemoteKey>> {
        None
    }

    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.edit_row(entity, |lines, index| _ = lines.remove(index))
    }

    async fn inject(&self, fault: Fault, _times: u32) -> bool {
        if fault != Fault::Malformed {
            return false;
        }
        for entity in &self.exports.factory().info().entities {
            self.exports.append(&file(&entity.name), "9,\"cut off");
        }
        true
    }

    fn requests(&self) -> u64 {
        0
    }
}

wrenchtime_conformance::suite!(Folder);
