//! What becomes of references while the file that they are looked up in is in doubt: synced for good, by the engine.

use std::sync::Arc;

use serde_json::Value;
use wrenchtime_connector::{Connector, ManualClock, Mapper};
use wrenchtime_model::{ConnectionId, EventBody, RecordChange, Resource};
use wrenchtime_sync::{
    Decision, Engine, EngineOptions, MemoryRecord, MemoryStorage, Mode, Outcome, RunReport,
    RunRequest, Storage,
};

use crate::folder::{Exports, FILES};
use crate::mapping::compiled;

/// Many enough that half of them are too many to be gone.
const VENDORS: u32 = 30;

/// A folder, and a copy of it that an engine keeps.
struct Copy {
    exports: Exports,
    connector: Arc<dyn Connector>,
    mapper: Arc<dyn Mapper>,
    storage: Arc<MemoryStorage>,
    engine: Engine,
    connection: ConnectionId,
}

fn header(name: &str) -> &'static str {
    FILES.iter().find(|(file, _)| *file == name).unwrap().1
}

fn vendor(number: u32) -> String {
    format!("{number},Vendor {number},1 Main St,Springfield,IL,,\n")
}

fn vendors(numbers: impl Iterator<Item = u32>) -> String {
    header("vendors.csv").to_owned() + &numbers.map(vendor).collect::<String>()
}

fn purchase(number: u32, vendor: &str, state: &str) -> String {
    format!("PO-{number},05/01/2031,,{vendor},,,{state}\n")
}

impl Copy {
    /// A plant with an order and a part for each vendor, and a work order for each unit, synced.
    async fn synced() -> Self {
        let exports = Exports::headers();
        exports.write("vendors.csv", vendors(1..=VENDORS));
        for number in 1..=VENDORS {
            let name = format!("Vendor {number}");
            exports.append("purchase_orders.csv", &purchase(number, &name, "Open"));
            let part =
                format!("{number},B-{number},Belt,,,{name},,,,,ea,4,1,,2.50,,Y,,,,A{number}\n");
            exports.append("parts.csv", &part);
            let parent = if number == 1 { "" } else { "Unit 1" };
            let unit = format!("{number},Unit {number},,{parent},,,,,,,,,,\n");
            exports.append("units.csv", &unit);
            let order = format!("{number},{number},Unit {number},,,,,,,,,,,,,,,,,Leak,,,\n");
            exports.append("work_orders.csv", &order);
        }
        let clock = ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap());
        let storage = Arc::new(MemoryStorage::new(Arc::new(clock.clone())));
        let kept: Arc<dyn Storage> = Arc::clone(&storage) as Arc<dyn Storage>;
        let copy = Self {
            connector: exports.chicago(),
            mapper: Arc::new(compiled(exports.factory())),
            engine: Engine::new(kept, Arc::new(clock), EngineOptions::default()),
            storage,
            connection: ConnectionId::new(),
            exports,
        };
        let report = copy.run().await;
        assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
        let number = usize::try_from(VENDORS).unwrap();
        assert_eq!(copy.named(Resource::PurchaseOrder, "vendor"), number);
        assert_eq!(copy.named(Resource::Part, "vendor"), number);
        assert_eq!(copy.named(Resource::WorkOrder, "asset"), number);
        assert_eq!(copy.named(Resource::Asset, "parent"), number - 1);
        copy
    }

    fn request(&self) -> RunRequest {
        let (connector, mapper) = (Arc::clone(&self.connector), Arc::clone(&self.mapper));
        RunRequest::new(self.connection, connector, mapper, Mode::Incremental)
    }

    async fn run(&self) -> RunReport {
        self.engine.run(self.request()).await.unwrap()
    }

    /// Runs after somebody said that the rows are gone indeed.
    async fn accept(&self) -> RunReport {
        for suspicion in self.storage.suspicions(self.connection).await.unwrap() {
            let storage = &self.storage;
            storage.decide(self.connection, suspicion.id, Decision::Confirm);
        }
        self.run().await
    }

    fn records(&self, resource: Resource) -> Vec<MemoryRecord> {
        let mut records = self.storage.records(self.connection);
        records.retain(|record| record.resource == resource && !record.envelope.deleted);
        records
    }

    /// Counts the records of a resource that have a reference.
    fn named(&self, resource: Resource, field: &str) -> usize {
        let has = |record: &&MemoryRecord| {
            let content: Value = serde_json::from_str(record.content.get()).unwrap();
            content[field]["id"].is_string()
        };
        self.records(resource).iter().filter(has).count()
    }

    /// Returns what happened to records since an event of this number, as resource and key.
    fn changes(&self, since: usize) -> Vec<(RecordChange, Resource, String)> {
        let records = self.storage.records(self.connection);
        let key = |id| {
            let found = records.iter().find(|record| record.envelope.id == id);
            found.unwrap().envelope.remote_id.clone()
        };
        let events = self.storage.events(self.connection);
        let told = events.into_iter().skip(since);
        told.filter_map(|event| match event.body {
            EventBody::Record {
                change,
                resource,
                record_id,
                ..
            } => Some((change, resource, key(record_id))),
            EventBody::Lifecycle { .. } => None,
        })
        .collect()
    }

    fn events(&self) -> usize {
        self.storage.events(self.connection).len()
    }

    /// Nothing happens to any record, however often this state of the folder is synced.
    async fn assert_still(&self) -> RunReport {
        let before = self.events();
        self.run().await;
        let report = self.run().await;
        assert_eq!(self.changes(before), []);
        report
    }

    /// Returns the places and reasons of the rows that wait for another file to be mended.
    fn waiting(&self, file: &str) -> Vec<(String, String)> {
        let issues = self.storage.issues(self.connection).into_iter();
        issues
            .filter(|issue| issue.place.starts_with(file))
            .map(|issue| (issue.place, issue.reason))
            .collect()
    }
}

fn updated(resource: Resource, key: &str) -> (RecordChange, Resource, String) {
    (RecordChange::Updated, resource, key.to_owned())
}

#[tokio::test]
async fn a_file_without_rows_takes_no_reference_away() {
    let copy = Copy::synced().await;
    for (file, held) in [
        (
            "vendors.csv",
            ["parts-snapshot", "purchase-orders-snapshot"].as_slice(),
        ),
        ("units.csv", ["work-orders-snapshot"].as_slice()),
    ] {
        let whole = std::fs::read_to_string(copy.exports.path().join(file)).unwrap();
        copy.exports.write(file, header(file));
        let report = copy.assert_still().await;
        assert_eq!(report.outcome, Outcome::Partial);
        for stream in held {
            let words = &report.progress.faults[*stream];
            assert!(words.starts_with("held back until "), "{words}");
            assert!(words.contains("30 of 30 stored rows"), "{words}");
        }
        assert_eq!(report.progress.faults.len(), held.len() + 1);
        copy.exports.write(file, whole);
        let report = copy.assert_still().await;
        assert_eq!(report.outcome, Outcome::Complete);
    }
}

#[tokio::test]
async fn half_a_file_takes_no_reference_away_until_somebody_accepts_it() {
    let copy = Copy::synced().await;
    copy.exports.write("vendors.csv", vendors(1..=VENDORS / 2));
    // What does not name vendors goes on.
    copy.exports
        .append("units.csv", "99,Unit 99,,Unit 1,,,,,,,,,,\n");
    let before = copy.events();
    copy.run().await;
    let new_unit = (RecordChange::Created, Resource::Asset, "99".to_owned());
    assert_eq!(copy.changes(before), [new_unit]);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Partial);

    let report = copy.accept().await;
    assert_eq!(report.outcome, Outcome::Complete);
    let half = usize::try_from(VENDORS / 2).unwrap();
    assert_eq!(copy.records(Resource::Vendor).len(), half);
    assert_eq!(copy.named(Resource::PurchaseOrder, "vendor"), half);
    assert_eq!(copy.named(Resource::Part, "vendor"), half);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Complete);
}

#[tokio::test]
async fn half_a_file_with_a_row_of_nobodys_is_no_better() {
    let copy = Copy::synced().await;
    // A row without a key makes absence prove nothing: no pass over this file is compared with the copy.
    let half = vendors(1..=VENDORS / 2) + ",Nobody,,,,,\n";
    copy.exports.write("vendors.csv", half);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert!(report.progress.faults.contains_key("parts-snapshot"));
    copy.exports.write("vendors.csv", vendors(1..=VENDORS));
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Complete);
}

#[tokio::test]
async fn a_row_with_a_missing_cell_makes_those_wait_that_may_mean_it() {
    let copy = Copy::synced().await;
    let broken = vendors(1..=VENDORS).replace("\n7,Vendor 7,1 Main St,", "\n7,Vendor 7,");
    copy.exports.write("vendors.csv", broken);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(report.progress.faults.len(), 0, "{report:?}");
    let (place, reason) = (
        "purchase_orders.csv, line 8, column 4 (Vendor)".to_owned(),
        "the row that it names may be line 8 of vendors.csv, which cannot be read: mend that line first"
            .to_owned(),
    );
    assert_eq!(copy.waiting("purchase_orders.csv"), [(place, reason)]);
    assert_eq!(copy.waiting("parts.csv").len(), 1);

    // Those that name others go on; new ones wait as well.
    let path = copy.exports.path().join("purchase_orders.csv");
    let orders = std::fs::read_to_string(path).unwrap();
    let orders = orders.replace(
        &purchase(9, "Vendor 9", "Open"),
        &purchase(9, "Vendor 10", "Closed"),
    );
    let orders = orders + &purchase(77, "Vendor 7", "Open") + &purchase(78, "", "Open");
    copy.exports.write("purchase_orders.csv", orders);
    let before = copy.events();
    copy.run().await;
    let created = |key: &str| {
        (
            RecordChange::Created,
            Resource::PurchaseOrder,
            key.to_owned(),
        )
    };
    assert_eq!(
        copy.changes(before),
        [updated(Resource::PurchaseOrder, "PO-9"), created("PO-78")]
    );

    copy.exports.write("vendors.csv", vendors(1..=VENDORS));
    let before = copy.events();
    let report = copy.run().await;
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(copy.changes(before), [created("PO-77")]);
    let number = usize::try_from(VENDORS).unwrap();
    assert_eq!(copy.named(Resource::PurchaseOrder, "vendor"), number + 1);
}

#[tokio::test]
async fn a_row_without_a_key_makes_those_wait_that_name_it() {
    let copy = Copy::synced().await;
    let broken = vendors(1..=VENDORS).replace("\n7,Vendor 7,", "\n,Vendor 7,");
    copy.exports.write("vendors.csv", broken);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(report.progress.faults.len(), 0, "{report:?}");
    let (place, reason) = (
        "purchase_orders.csv, line 8, column 4 (Vendor)".to_owned(),
        "the row that it names stands on line 8 of vendors.csv, where the key cannot be read: mend that line first"
            .to_owned(),
    );
    assert_eq!(copy.waiting("purchase_orders.csv"), [(place, reason)]);
    // The name is known, so that nobody else need wait: neither for it nor for one that is really not there.
    copy.exports
        .append("purchase_orders.csv", &purchase(77, "Somebody", "Open"));
    let before = copy.events();
    copy.run().await;
    let created = (
        RecordChange::Created,
        Resource::PurchaseOrder,
        "PO-77".to_owned(),
    );
    assert_eq!(copy.changes(before), [created]);
    copy.exports.write("vendors.csv", vendors(1..=VENDORS));
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Complete);
}

#[tokio::test]
async fn units_wait_for_their_parents_row() {
    let copy = Copy::synced().await;
    let path = copy.exports.path().join("units.csv");
    let whole = std::fs::read_to_string(path).unwrap();
    copy.exports
        .write("units.csv", whole.replace("\n1,Unit 1,,", "\n1,Unit 1,"));
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Partial);
    // The row itself and its 29 children; the work order on it.
    assert_eq!(copy.waiting("units.csv").len(), 30);
    assert_eq!(copy.waiting("work_orders.csv").len(), 1);
    copy.exports.write("units.csv", whole);
    let report = copy.assert_still().await;
    assert_eq!(report.outcome, Outcome::Complete);
}
