//! Where places and assets stand in the tree of places.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use wrenchtime_connector::{Context, Result};

use crate::query::{Criteria, Operator, Query};
use crate::session::{Session, Tally, Wanted};
use crate::wire::{Branch, Named};

/// The most rows that one query returns.
pub(crate) const CEILING: u32 = 4000;
/// How many ids go into one condition.
const BATCH: usize = 500;
/// How long the places of assets are remembered within a run, for work orders that name them again and again.
const REMEMBERED: TimeDelta = TimeDelta::minutes(10);
const REMEMBERED_COUNT: usize = 50_000;

/// A row of the tree with its kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Node {
    pub(crate) id: i64,
    pub(crate) type_id: String,
}

/// Where something stands.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Position {
    /// What it is directly part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Node>,
    /// The nearest place above it, or itself if that is asked for and it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Node>,
}

/// The nearest place; nothing where an asset stands in none.
type Place = Option<Node>;

/// The nearest places of assets that work orders named lately in one run. The next run asks anew: an order that is read
/// again because it changed is not read again because its asset was moved before.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Which run asked.
    run: String,
    /// Until when it is remembered, and the place.
    places: HashMap<i64, (DateTime<Utc>, Place)>,
}

/// Tells whether a kind of row is a place rather than an asset.
pub(crate) fn is_place(type_id: &str) -> bool {
    matches!(
        type_id,
        "Community" | "Building" | "Floor" | "RoomArea" | "Unit"
    )
}

/// Returns where these rows stand. Parents are nowhere but in the tree: a row's own `ParentId` reads as 0.
pub(crate) async fn positions(
    session: &Session,
    cx: &Context,
    ids: &[i64],
    tally: &mut Tally,
) -> Result<BTreeMap<i64, Position>> {
    let branches = branches(session, cx, ids, tally).await?;
    let ancestors: BTreeSet<i64> = branches.iter().map(|branch| branch.parent_id).collect();
    let kinds = kinds(session, cx, &ancestors, tally).await?;
    Ok(place(ids, &branches, &kinds))
}

/// Returns the nearest place of each of these assets, itself included, as remembered where that is of this run and not old.
pub(crate) async fn places(
    session: &Session,
    cx: &Context,
    ids: &BTreeSet<i64>,
    remembered: &Remembered,
    tally: &mut Tally,
) -> Result<BTreeMap<i64, Node>> {
    let now = session.clock().now();
    let (mut known, unknown) = remembered.recall(&cx.trace, ids, now);
    if !unknown.is_empty() {
        let branches = branches(session, cx, &unknown, tally).await?;
        let mut all: BTreeSet<i64> = branches.iter().map(|branch| branch.parent_id).collect();
        all.extend(&unknown);
        let kinds = kinds(session, cx, &all, tally).await?;
        let positions = place(&unknown, &branches, &kinds);
        let nearest = unknown.iter().map(|id| {
            let itself = kinds.get(id).filter(|kind| is_place(kind));
            let itself = itself.map(|kind| Node {
                id: *id,
                type_id: kind.clone(),
            });
            (*id, itself.or_else(|| positions.get(id)?.place.clone()))
        });
        let nearest: Vec<_> = nearest.collect();
        remembered.keep(&nearest, now);
        known.extend(nearest);
    }
    Ok(known
        .into_iter()
        .filter_map(|(id, place)| Some((id, place?)))
        .collect())
}

impl Remembered {
    fn recall(
        &self,
        run: &str,
        ids: &BTreeSet<i64>,
        now: DateTime<Utc>,
    ) -> (Vec<(i64, Place)>, Vec<i64>) {
        let mut remembered = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.run != run {
            remembered.places.clear();
            run.clone_into(&mut remembered.run);
        }
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for id in ids {
            match remembered.places.get(id) {
                Some((until, place)) if *until > now => known.push((*id, place.clone())),
                _ => unknown.push(*id),
            }
        }
        (known, unknown)
    }

    fn keep(&self, found: &[(i64, Place)], now: DateTime<Utc>) {
        let mut remembered = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.places.len() + found.len() > REMEMBERED_COUNT {
            remembered.places.clear();
        }
        let until = now + REMEMBERED;
        remembered.places.extend(
            found
                .iter()
                .map(|(id, place)| (*id, (until, place.clone()))),
        );
    }
}

/// Returns every ancestor of these rows, at any distance. Read in one look, so a cycle has no way to go on for ever.
async fn branches(
    session: &Session,
    cx: &Context,
    ids: &[i64],
    tally: &mut Tally,
) -> Result<Vec<Branch>> {
    let columns = ["ChildId", "ParentId"];
    let mut all = Vec::new();
    for batch in ids.chunks(BATCH) {
        let criteria = Criteria::all()
            .compare("ChildId", Operator::In, json!(batch))
            .compare("Distance", Operator::GreaterThan, 0);
        let mut after: Option<(i64, i64)> = None;
        loop {
            let criteria = match after {
                Some((child, parent)) => criteria
                    .clone()
                    .behind(columns, [child.into(), parent.into()]),
                None => criteria.clone(),
            };
            let query = Query::new(
                &["ParentId", "ChildId", "Distance"],
                criteria,
                &columns,
                CEILING,
            );
            let rows: Vec<Branch> = session.query(cx, "AssetTree", &query, tally).await?;
            let last = rows
                .last()
                .map(|branch| (branch.child_id, branch.parent_id));
            all.extend(rows);
            // Only an empty page is the end: a source may cut pages shorter than it is asked. One that ignores the
            // condition must not keep us here.
            if last <= after {
                break;
            }
            after = last;
        }
    }
    Ok(all)
}

async fn kinds(
    session: &Session,
    cx: &Context,
    ids: &BTreeSet<i64>,
    tally: &mut Tally,
) -> Result<BTreeMap<i64, String>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    let wanted = Wanted {
        entity: "Location",
        properties: &["Id", "TypeId"],
    };
    let rows: Vec<Named> = session.by_ids(cx, wanted, &ids, tally).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.type_id)).collect())
}

/// Picks parent and nearest place. Ancestors that are gone, or a row as its own ancestor, are passed over.
fn place(
    ids: &[i64],
    branches: &[Branch],
    kinds: &BTreeMap<i64, String>,
) -> BTreeMap<i64, Position> {
    let mut above: BTreeMap<i64, Vec<(i64, Node)>> = BTreeMap::new();
    for branch in branches
        .iter()
        .filter(|branch| branch.parent_id != branch.child_id)
    {
        if let Some(kind) = kinds.get(&branch.parent_id) {
            let node = Node {
                id: branch.parent_id,
                type_id: kind.clone(),
            };
            above
                .entry(branch.child_id)
                .or_default()
                .push((branch.distance, node));
        }
    }
    let position = |id: &i64| {
        let mut nodes = above.remove(id).unwrap_or_default();
        nodes.sort_by_key(|(distance, node)| (*distance, node.id));
        let parent = nodes
            .iter()
            .find(|(distance, _)| *distance == 1)
            .map(|(_, node)| node.clone());
        let place = nodes
            .into_iter()
            .map(|(_, node)| node)
            .find(|node| is_place(&node.type_id));
        (*id, Position { parent, place })
    };
    ids.iter().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(child_id: i64, parent_id: i64, distance: i64) -> Branch {
        Branch {
            parent_id,
            child_id,
            distance,
        }
    }

    fn kinds_of(kinds: &[(i64, &str)]) -> BTreeMap<i64, String> {
        kinds
            .iter()
            .map(|(id, kind)| (*id, (*kind).to_owned()))
            .collect()
    }

    fn ids(position: &Position) -> (Option<i64>, Option<i64>) {
        (
            position.parent.as_ref().map(|node| node.id),
            position.place.as_ref().map(|node| node.id),
        )
    }

    #[test]
    fn the_nearest_place_is_above_the_assets_it_is_part_of() {
        let kinds = kinds_of(&[
            (1, "Building"),
            (2, "RoomArea"),
            (3, "Equipment"),
            (4, "Equipment"),
        ]);
        let tree = [
            branch(4, 1, 3),
            branch(4, 3, 1),
            branch(4, 2, 2),
            branch(3, 2, 1),
            branch(3, 1, 2),
        ];
        let positions = place(&[3, 4, 9], &tree, &kinds);
        assert_eq!(ids(&positions[&4]), (Some(3), Some(2)));
        assert_eq!(ids(&positions[&3]), (Some(2), Some(2)));
        assert_eq!(ids(&positions[&9]), (None, None));
    }

    #[test]
    fn a_cycle_and_a_parent_that_is_gone_are_passed_over() {
        let kinds = kinds_of(&[(1, "Equipment"), (2, "Equipment")]);
        let tree = [
            branch(1, 2, 1),
            branch(2, 1, 1),
            branch(1, 1, 2),
            branch(2, 77, 2),
        ];
        let positions = place(&[1, 2], &tree, &kinds);
        assert_eq!(ids(&positions[&1]), (Some(2), None));
        assert_eq!(ids(&positions[&2]), (Some(1), None));
    }

    #[test]
    fn remembered_places_grow_old() {
        let remembered = Remembered::default();
        let now: DateTime<Utc> = "2031-05-01T00:00:00Z".parse().unwrap();
        let ids = BTreeSet::from([5, 6]);
        assert_eq!(remembered.recall("run", &ids, now), (vec![], vec![5, 6]));
        remembered.keep(&[(5, None)], now);
        let (known, unknown) = (vec![(5, None)], vec![6]);
        assert_eq!(remembered.recall("run", &ids, now), (known, unknown));
        let later = now + REMEMBERED;
        assert_eq!(remembered.recall("run", &ids, later), (vec![], vec![5, 6]));
        assert_eq!(remembered.recall("next", &ids, now), (vec![], vec![5, 6]));
    }
}
