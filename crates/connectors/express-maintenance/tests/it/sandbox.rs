//! The exports of the simulator: the default profile and mapping fit them without a single complaint.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;
use wrenchtime_connector::{Context, Mapper, Next};
use wrenchtime_model::ConnectionId;
use wrenchtime_sandbox::express_maintenance::{ExportOptions, export};
use wrenchtime_sandbox::{Plant, PlantOptions};

use crate::folder::{Exports, From, all, documents, page, token};
use crate::mapping::compiled;

const STREAMS: [&str; 5] = [
    "units-snapshot",
    "work-orders-snapshot",
    "parts-snapshot",
    "vendors-snapshot",
    "purchase-orders-snapshot",
];

fn exported(plant: &Plant) -> Exports {
    let exports = Exports::empty();
    export(plant, exports.path(), &ExportOptions::default()).unwrap();
    exports
}

#[tokio::test]
async fn every_row_becomes_a_record_without_complaint() {
    let plant = Plant::generate(&PlantOptions::new(7, 400));
    let exports = exported(&plant);
    let connector = exports.chicago();
    connector.check(&Context::new("test")).await.unwrap();
    let (mapping, connection) = (compiled(exports.factory()), ConnectionId::new());
    let mut ids = BTreeSet::new();
    let mut references = BTreeSet::new();
    for stream in STREAMS {
        let page = all(&*connector, stream).await;
        assert!(page.issues.is_empty(), "{stream}: {:?}", page.issues);
        assert!(!documents(&page).is_empty(), "{stream}");
        for document in documents(&page) {
            for record in mapping.map(connection, document).unwrap() {
                let content: Value = serde_json::from_str(record.content.get()).unwrap();
                assert_eq!(
                    content.get("data_issues"),
                    None,
                    "{stream} {}",
                    document.key
                );
                ids.insert(record.id.to_string());
                for field in ["asset", "parent", "vendor"] {
                    references.extend(content[field]["id"].as_str().map(str::to_owned));
                }
            }
        }
    }
    assert!(references.len() > 20, "{} references", references.len());
    assert!(references.is_subset(&ids), "every reference has its record");
    let orders = plant
        .work_orders
        .iter()
        .filter(|order| !order.removed)
        .count();
    assert_eq!(documents(&all(&*connector, STREAMS[1]).await).len(), orders);
}

#[tokio::test]
async fn only_files_that_changed_are_read_again() {
    let options = PlantOptions::new(7, 60);
    let mut plant = Plant::generate(&options);
    let exports = exported(&plant);
    let connector = exports.chicago();
    let mut tokens = Vec::new();
    for stream in STREAMS {
        tokens.push(token(&all(&*connector, stream).await));
    }
    export(&plant, exports.path(), &ExportOptions::default()).unwrap();
    for (stream, token) in STREAMS.iter().zip(&tokens) {
        let from = From {
            token: Some(token.clone()),
            ..From::default()
        };
        assert_eq!(
            page(&*connector, stream, from).await.unwrap().next,
            Next::Unchanged,
            "{stream}"
        );
    }
    let order = plant.work_orders[0].id;
    assert!(plant.edit_work_order_text(order, "Another text", options.now + TimeDelta::hours(1)));
    export(&plant, exports.path(), &ExportOptions::default()).unwrap();
    for (stream, token) in STREAMS.iter().zip(&tokens) {
        let from = From {
            token: Some(token.clone()),
            ..From::default()
        };
        let next = page(&*connector, stream, from).await.unwrap().next;
        assert_eq!(
            next == Next::Unchanged,
            *stream != "work-orders-snapshot",
            "{stream}"
        );
    }
}
