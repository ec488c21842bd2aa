//! What the connector declares of the source.

use std::time::Duration;

use wrenchtime_connector::{
    ConnectorInfo, CursorKind, Deletes, EntityInfo, EntityName, StreamInfo, StreamName, SystemName,
};
use wrenchtime_model::{IdentityClass, Resource};

use crate::Sabotage;
use crate::config::{Config, Paging, Table};
use crate::truth::TableNumber;

/// Names of entities and streams, by table.
pub(super) const NAMES: [[&str; 3]; 2] = [
    ["orders", "orders-all", "orders-changes"],
    ["machines", "machines-all", "machines-changes"],
];

/// Returns the table of an entity.
pub(crate) fn table_of(entity: &EntityName) -> Option<TableNumber> {
    NAMES.iter().position(|names| names[0] == entity.as_str())
}

/// Returns the entity of a table.
pub(crate) fn entity_of(table: TableNumber) -> EntityName {
    EntityName::from_static(NAMES[table][0])
}

/// Returns the listing of a table.
pub(crate) fn listing_of(table: TableNumber) -> StreamName {
    StreamName::from_static(NAMES[table][1])
}

/// Declares what is true, but for the mistakes that are asked for.
pub(super) fn info(config: &Config, sabotage: Option<Sabotage>) -> ConnectorInfo {
    let mut info = ConnectorInfo::new(SystemName::from_static("oracle"), "Oracle");
    let resources = [Resource::WorkOrder, Resource::Asset];
    info.entities = config
        .tables
        .iter()
        .zip(NAMES.iter().zip(resources))
        .map(|(table, (names, resource))| {
            let name = EntityName::from_static(names[0]);
            let class = IdentityClass::new(resource.name());
            let mut entity = EntityInfo::new(name, vec![resource], class);
            entity.key_order = table.keys;
            entity.fetch_limit = table.fetch;
            entity.streams = streams(config, (table, names), sabotage);
            entity
        })
        .collect();
    info
}

fn streams(
    config: &Config,
    (table, names): (&Table, &[&'static str; 3]),
    sabotage: Option<Sabotage>,
) -> Vec<StreamInfo> {
    let mut listing = StreamInfo::listing(StreamName::from_static(names[1]), table.listing.page);
    listing.yields = table.listing.yields;
    listing.sorted = table.listing.sorted;
    listing.dated = true;
    listing.deletes = table.deletes;
    if table.listing.paging == Paging::Snapshot {
        listing.cursor = CursorKind::Token;
    }
    let changes = table.changes.as_ref().map(|stream| {
        let lag = match sabotage {
            Some(Sabotage::DeclaresNoLag) => Duration::ZERO,
            Some(Sabotage::ForgetsRepeatedHour) => config.visible_lag(),
            _ => config.declared_lag(),
        };
        let name = StreamName::from_static(names[2]);
        let mut changes = StreamInfo::changes(name, stream.page, config.precision, lag);
        changes.yields = stream.yields;
        changes.sorted = stream.sorted;
        changes.unseen = vec!["lines"];
        changes.history = stream
            .history
            .filter(|_| sabotage != Some(Sabotage::DeclaresNoForgetting))
            .map(|history| Duration::from_secs(u64::from(history.seconds)));
        if matches!(table.deletes, Deletes::Flagged | Deletes::FlaggedOrAbsent) {
            changes.deletes = Deletes::Flagged;
        }
        changes
    });
    changes.into_iter().chain([listing]).collect()
}
