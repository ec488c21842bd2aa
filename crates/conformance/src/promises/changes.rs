//! How changes and deletions show.

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{
    Bound, CursorKind, Deletes, Document, RemoteKey, Role, StreamInfo, Yields,
};

use crate::reading::{Pass, Plan, fetch, listing, whole};
use crate::{Edit, Harness};

/// A row stands in the pass that begins at its own change time; rows that changed clearly earlier do not.
pub async fn a_bound_is_inclusive_and_leaves_out_what_is_older<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    let streams = connector
        .info()
        .entities
        .iter()
        .flat_map(|entity| &entity.streams);
    for stream in streams.filter(|stream| stream.role == Role::Changes) {
        let all = Plan::all(stream).read(&*connector).await;
        let mut changes: Vec<_> = all
            .rows
            .iter()
            .filter_map(|row| row.changed_at.clone())
            .collect();
        changes.sort_by_key(|change| change.at);
        changes.dedup_by_key(|change| change.at);
        assert!(
            changes.len() >= 3,
            "{}: the harness starts with three change times",
            stream.name
        );
        for index in [1, changes.len() / 2, changes.len() - 1] {
            let (earlier, change) = (changes[index - 1].at, &changes[index]);
            let by_text = Plan::all(stream).from(Bound::from_change(change)).limit(4);
            let by_text = by_text.read(&*connector).await;
            let by_instant = Plan::all(stream)
                .from(Bound::at(change.at))
                .read(&*connector)
                .await;
            assert_eq!(by_text.keys(), by_instant.keys(), "{}", stream.name);
            assert!(
                times(&by_text).contains(&change.at),
                "{}: the bound itself is left out",
                stream.name
            );
            let apart = TimeDelta::from_std(step(stream)).expect("a step is short");
            if change.at - earlier > apart {
                assert!(
                    !times(&by_text).contains(&earlier),
                    "{}: the bound is ignored",
                    stream.name
                );
            }
        }
    }
}

fn times(pass: &Pass) -> Vec<DateTime<Utc>> {
    let mut times: Vec<_> = pass
        .rows
        .iter()
        .filter_map(|row| Some(row.changed_at.as_ref()?.at))
        .collect();
    times.sort();
    times.dedup();
    times
}

fn step(stream: &StreamInfo) -> std::time::Duration {
    match &stream.cursor {
        CursorKind::Time { precision, .. } => precision.step(),
        _ => std::time::Duration::ZERO,
    }
}

/// A changed row has another content, another version where a sweep relies on it, and stands in every stream of changes.
pub async fn a_change_shows_in_every_stream<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let before = whole(&*connector, entity).await;
        let bounds = newest(&*connector, &entity.streams).await;
        let listed = Plan::all(listing(entity)).read(&*connector).await;
        let touched = harness.touch(&entity.name).await;
        harness
            .powers()
            .expect(&entity.name, Edit::Touch, touched.is_some());
        let Some(key) = touched else { continue };

        let after = whole(&*connector, entity).await;
        let find = |rows: &[Document]| rows.iter().find(|document| document.key == key).cloned();
        let (old, new) = (
            find(&before).expect("the row was there"),
            find(&after).expect("the row is still there"),
        );
        assert_ne!(
            new.hash(),
            old.hash(),
            "{}: the content is another",
            entity.name
        );
        let others = after.iter().filter(|document| document.key != old.key);
        for other in others {
            let same = before
                .iter()
                .any(|document| document.key == other.key && document.hash() == other.hash());
            assert!(
                same,
                "{}: {} changed without reason",
                entity.name, other.key
            );
        }
        for (stream, bound) in entity.streams.iter().zip(bounds) {
            let mut plan = Plan::all(stream);
            if let Some(bound) = bound {
                plan = plan.from(bound);
            }
            let pass = plan.read(&*connector).await;
            let row = pass.row(&old.key);
            assert!(row.is_some(), "{}: the change is missing", stream.name);
            let version = row.and_then(|row| row.version.clone());
            if stream.role == Role::Listing && stream.yields == Yields::Stubs && version.is_some() {
                let former = listed.row(&old.key).and_then(|row| row.version.clone());
                assert_ne!(version, former, "{}: the version is the same", stream.name);
            }
        }
    }
}

/// Returns for each stream of changes the bound behind which nothing is old.
async fn newest(
    connector: &dyn wrenchtime_connector::Connector,
    streams: &[StreamInfo],
) -> Vec<Option<Bound>> {
    let mut bounds = Vec::new();
    for stream in streams {
        let newest = match stream.role {
            Role::Changes => times(&Plan::all(stream).read(connector).await)
                .last()
                .copied(),
            Role::Listing => None,
        };
        bounds.push(newest.map(Bound::at));
    }
    bounds
}

/// A deleted row is marked, absent or neither, just as its streams declare, and fetching it says the same.
pub async fn a_delete_shows_as_declared<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let before = whole(&*connector, entity).await;
        let never = entity
            .streams
            .iter()
            .all(|stream| stream.deletes == Deletes::Never);
        let deleted = harness.delete(&entity.name).await;
        if never {
            assert!(
                deleted.is_none(),
                "{}: a row was deleted, where no stream shows it",
                entity.name
            );
        } else {
            harness
                .powers()
                .expect(&entity.name, Edit::Delete, deleted.is_some());
        }
        let key = deleted.clone().unwrap_or_else(|| before[0].key.clone());
        let deleted = deleted.is_some();
        for stream in &entity.streams {
            let pass = Plan::all(stream).read(&*connector).await;
            check_row(stream, &pass, &key, deleted);
            if stream.role == Role::Listing {
                let others = before
                    .iter()
                    .filter(|other| other.key != key && !other.deleted);
                let live = pass.live_keys();
                let gone: Vec<_> = others
                    .map(|other| &other.key)
                    .filter(|other| !live.contains(*other))
                    .collect();
                assert!(gone.is_empty(), "{}: {gone:?} went as well", stream.name);
            }
        }
        if entity.fetch_limit.is_some() {
            let documents = fetch(&*connector, entity, std::slice::from_ref(&key)).await;
            let live = documents.iter().any(|document| !document.deleted);
            assert_eq!(live, !deleted, "{}: fetching {key}", entity.name);
        }
    }
}

fn check_row(stream: &StreamInfo, pass: &Pass, key: &RemoteKey, deleted: bool) {
    let row = pass.row(key);
    let marked = row.is_some_and(|row| row.deleted);
    let place = format!("{}: {key}", stream.name);
    match stream.deletes {
        _ if !deleted => assert!(!marked, "{place} is marked, but was not deleted"),
        Deletes::Never => assert!(!marked, "{place} is marked, where none is declared"),
        Deletes::Flagged => assert!(marked, "{place} is not marked"),
        Deletes::Absent => assert!(row.is_none(), "{place} is still there"),
        Deletes::FlaggedOrAbsent => assert!(marked || row.is_none(), "{place} is alive"),
        _ => crate::reading::fail("the suite does not know this way of showing deletes"),
    }
}
