//! What the head of a row says about the row.

use wrenchtime_connector::content_hash;

use crate::info::Table;
use crate::wire::{Head, Ref, RootAsset};

/// Returns whether the source marks a row as deleted. Places have no mark of their own; a removed one is an orphan
/// out of use.
pub(super) fn is_deleted(table: Table, head: &Head) -> bool {
    match table {
        Table::WorkOrder => false,
        Table::Location => head.orphan && head.is_offline,
        Table::WorkZone | Table::Employee => head.is_removed,
    }
}

/// Returns a row's version: its own and, in tables that are swept, those of its child rows.
pub(super) fn version(table: Table, head: &Head) -> Option<String> {
    let own = head.concurrency_id.to_string();
    if table == Table::Location {
        return None;
    }
    if table == Table::WorkOrder {
        return Some(own);
    }
    let one = |row: &Option<Ref>| row.map_or(0, |row| row.concurrency_id);
    let mut contacts: Vec<_> = head
        .contact_addresses
        .iter()
        .map(|row| (row.id, row.concurrency_id, row.address.as_str()))
        .collect();
    let mut specialties: Vec<_> = head
        .specialties
        .iter()
        .map(|link| (link.id, link.specialty_id))
        .collect();
    let mut teams: Vec<_> = head.teams.iter().map(|link| link.id).collect();
    contacts.sort_unstable();
    specialties.sort_unstable();
    teams.sort_unstable();
    let root = head
        .asset
        .as_ref()
        .and_then(|RootAsset { address }| *address);
    let children = format!(
        "{} {} {} {contacts:?} {specialties:?} {teams:?}",
        one(&head.address),
        one(&root),
        one(&head.organization)
    );
    let hash = content_hash(&[&children]);
    let short: String = hash
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(format!("{own}-{short}"))
}
