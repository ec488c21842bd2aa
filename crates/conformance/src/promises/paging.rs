//! How streams are read page by page.

use std::collections::BTreeSet;

use wrenchtime_connector::{EntityInfo, RemoteKey, Role, StreamInfo, Yields};

use crate::reading::{Pass, Plan, Seen, fail};
use crate::{Edit, Harness};

/// With as many rows as a page holds, one more, and twice as many, a listing yields each row once: a page border
/// neither hides nor doubles rows, and the end is told.
pub async fn a_listing_is_complete_at_every_page_border<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        for stream in entity
            .streams
            .iter()
            .filter(|stream| stream.role == Role::Listing)
        {
            let whole = Plan::all(stream).read(&*connector).await;
            let count = whole.rows.len();
            assert!(
                count >= 3,
                "{}: the harness starts with too few rows: {count}",
                stream.name
            );
            assert_eq!(whole.keys().len(), count, "{}: each row once", stream.name);
            for limit in [count, count - 1, count.div_ceil(2), count / 2, 3] {
                let pass = Plan::all(stream).limit(limit).read(&*connector).await;
                assert_eq!(
                    pass.rows.len(),
                    count,
                    "{} by {limit}: each row once",
                    stream.name
                );
                assert_eq!(pass.keys(), whole.keys(), "{} by {limit}", stream.name);
                let longest = pass.pages.iter().max().copied().unwrap_or_default();
                assert!(
                    longest <= limit,
                    "{}: {longest} rows where {limit} were asked for",
                    stream.name
                );
            }
        }
    }
}

/// Items stand in the order that is declared: bounds and merges are moved along it.
pub async fn items_stand_in_the_declared_order<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        for stream in entity.streams.iter().filter(|stream| stream.sorted) {
            let pass = Plan::all(stream).limit(3).read(&*connector).await;
            assert!(!pass.rows.is_empty(), "{} has no rows", stream.name);
            let places: Vec<_> = pass
                .rows
                .iter()
                .map(|row| place(entity, stream, row))
                .collect();
            let ordered = places.windows(2).all(|pair| pair[0] <= pair[1]);
            assert!(ordered, "{}: {places:?}", stream.name);
        }
    }
}

fn place(
    entity: &EntityInfo,
    stream: &StreamInfo,
    row: &Seen,
) -> impl Ord + std::fmt::Debug + use<> {
    let key = entity.key_order.sort_key(&row.key);
    if stream.role == Role::Listing {
        return (None, key);
    }
    match &row.changed_at {
        Some(time) => (Some(time.at), key),
        None => fail(&format!("{}: a row without change time", stream.name)),
    }
}

/// Rows with one change time are all read, however many more there are than a page holds.
pub async fn a_tie_is_read_whole_across_a_page_border<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let changes: Vec<_> = entity
            .streams
            .iter()
            .filter(|stream| stream.role == Role::Changes)
            .collect();
        let Some(tied) = harness.tie(&entity.name, 5).await else {
            assert!(
                changes.is_empty(),
                "{} has change times, so they can be alike",
                entity.name
            );
            continue;
        };
        assert_eq!(
            tied.len(),
            5,
            "the harness ties as many rows as it was asked for"
        );
        for stream in changes {
            let pass = Plan::all(stream).limit(2).read(&*connector).await;
            let times: BTreeSet<_> = tied
                .iter()
                .filter_map(|key| Some(pass.row(key)?.changed_at.as_ref()?.at))
                .collect();
            assert_eq!(
                times.len(),
                1,
                "{}: every tied row is read, with one time",
                stream.name
            );
            for key in &tied {
                assert!(
                    pass.row(key).is_some(),
                    "{}: {key} of a tie is missing",
                    stream.name
                );
            }
        }
    }
}

/// Rows that come while a pass is under way hide no row that was there before, and double none.
pub async fn rows_inserted_between_pages_hide_no_other<H: Harness>() {
    let connector = H::start().await.connector();
    for entity in &connector.info().entities {
        for stream in &entity.streams {
            let harness = H::start().await;
            let connector = harness.connector();
            let before = Plan::all(stream).read(&*connector).await.keys();
            let mut plan = Plan::all(stream).limit(2);
            let (first, _) = plan
                .step(&*connector)
                .await
                .expect("the first page is read");
            let inserted = harness.insert(&entity.name).await;
            harness
                .powers()
                .expect(&entity.name, Edit::Insert, inserted.is_some());
            let second = harness.insert(&entity.name).await;
            assert!(
                inserted.is_none() || inserted != second,
                "each insert makes a row of its own"
            );
            let mut rows = Plan::take(first).rows;
            rows.extend(plan.read(&*connector).await.rows);
            let rest = Pass {
                rows,
                ..Pass::default()
            };
            let missing: Vec<&RemoteKey> = before
                .iter()
                .filter(|key| rest.row(key).is_none())
                .collect();
            assert!(
                missing.is_empty(),
                "{}: {missing:?} are hidden",
                stream.name
            );
            if stream.yields == Yields::Documents {
                assert_eq!(
                    rest.keys().len(),
                    rest.rows.len(),
                    "{}: a row is doubled",
                    stream.name
                );
            }
        }
    }
}

/// A cursor that was stored goes on in another process as it would have in this one.
pub async fn a_pass_goes_on_from_a_stored_cursor<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    let shown = |rows: &[Seen]| -> Vec<_> {
        rows.iter()
            .map(|row| (row.key.clone(), row.version.clone(), row.deleted))
            .collect()
    };
    for entity in &connector.info().entities {
        for stream in &entity.streams {
            let unbroken = Plan::all(stream).limit(2).read(&*connector).await;
            assert!(
                !unbroken.cursors.is_empty(),
                "{}: several pages",
                stream.name
            );
            let mut read = 0;
            for (cursor, rows) in unbroken.cursors.iter().zip(&unbroken.pages).take(3) {
                read += rows;
                let resumed = Plan::all(stream)
                    .limit(2)
                    .after(cursor.clone())
                    .read(&*harness.connector())
                    .await;
                assert_eq!(
                    shown(&resumed.rows),
                    shown(&unbroken.rows[read..]),
                    "{}",
                    stream.name
                );
            }
        }
    }
}
