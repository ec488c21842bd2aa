//! What is declared of a stream and shows in its pages.

use std::collections::BTreeSet;

use chrono::{DateTime, Timelike, Utc};
use wrenchtime_connector::{
    Bound, Connector, CursorKind, EntityInfo, Items, Next, Page, Precision, RemoteKey, Role,
    StreamInfo, Yields,
};

use crate::reading::{Pass, Plan, context, fail, listing};
use crate::{Edit, Harness};

/// Pages hold whole rows or stubs as declared, of the stream's entity, and no more of them than declared.
pub async fn pages_hold_what_is_declared<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        for stream in &entity.streams {
            let mut plan = Plan::all(stream);
            let mut more = true;
            while more {
                let step = plan.step(&*connector).await;
                let (page, goes_on) =
                    step.unwrap_or_else(|error| fail(&format!("{}: {error:?}", stream.name)));
                check_page(entity, stream, &page);
                more = goes_on;
            }
        }
    }
}

fn check_page(entity: &EntityInfo, stream: &StreamInfo, page: &Page) {
    let name = &stream.name;
    match (stream.yields, &page.items) {
        (Yields::Documents, Items::Documents(documents)) => {
            let others = documents.iter().find(|row| row.entity != entity.name);
            assert!(others.is_none(), "{name}: a row of another entity");
        }
        (Yields::Stubs, Items::Stubs(_)) => {}
        (declared, _) => fail(&format!("{name} does not yield {declared:?}")),
    }
    let most = usize::try_from(stream.page_limit).unwrap_or(usize::MAX);
    let rows = page.items.len() + page.issues.len();
    assert!(rows <= most, "{name}: {rows} rows on a page of {most}");
}

/// Rows show when they changed where that is declared, and only there; and as finely as declared: bounds are moved by it, and
/// a look-back leaves out rows by it.
pub async fn change_times_show_as_declared<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    let streams = connector.info().entities.iter();
    for stream in streams.flat_map(|entity| &entity.streams) {
        let pass = Plan::all(stream).read(&*connector).await;
        let rows = pass.rows.iter();
        let times: Vec<DateTime<Utc>> = rows
            .filter_map(|row| Some(row.changed_at.as_ref()?.at))
            .collect();
        assert_eq!(
            stream.dated,
            !times.is_empty(),
            "{}: change times are declared: {}",
            stream.name,
            stream.dated
        );
        if let CursorKind::Time { precision, .. } = stream.cursor {
            check_precision(stream, precision, &times);
        }
    }
}

fn check_precision(stream: &StreamInfo, precision: Precision, times: &[DateTime<Utc>]) {
    // Days begin at another time in each zone, and there is nothing coarser.
    let Some(coarser) = coarser(precision) else {
        return;
    };
    let within = |at: &DateTime<Utc>, precision: Precision| {
        let second = u64::from(at.num_seconds_from_midnight());
        let nanos = second * 1_000_000_000 + u64::from(at.nanosecond());
        u128::from(nanos) % precision.step().as_nanos()
    };
    let finer = times.iter().find(|at| within(at, precision) > 0);
    assert!(
        finer.is_none(),
        "{}: {finer:?} is finer than {precision:?}",
        stream.name
    );
    let places: BTreeSet<u128> = times.iter().map(|at| within(at, coarser)).collect();
    let shows_digits = if coarser == Precision::Day {
        places.len() > 1
    } else {
        places.iter().any(|place| *place > 0)
    };
    assert!(
        shows_digits,
        "{}: no change time is finer than {coarser:?}, where {precision:?} is declared",
        stream.name
    );
}

fn coarser(precision: Precision) -> Option<Precision> {
    match precision {
        Precision::Millisecond => Some(Precision::Second),
        Precision::Second => Some(Precision::Minute),
        Precision::Minute => Some(Precision::Day),
        Precision::Day => None,
    }
}

/// Every listing of an entity shows every row that any of its streams shows, also one that is new.
///
/// Absence from it is taken for deletion. A new row stands in a stream of changes as well, where there is one.
pub async fn every_listing_shows_every_row<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let inserted = harness.insert(&entity.name).await;
        harness
            .powers()
            .expect(&entity.name, Edit::Insert, inserted.is_some());
        let (mut listed, mut changed) = (Vec::new(), Vec::new());
        for stream in &entity.streams {
            let pass = Plan::all(stream).read(&*connector).await;
            match stream.role {
                Role::Listing => listed.push((&stream.name, pass)),
                Role::Changes => changed.push(pass),
            }
        }
        let passes = listed.iter().map(|(_, pass)| pass).chain(&changed);
        let mut all: BTreeSet<RemoteKey> = passes.flat_map(Pass::live_keys).collect();
        all.extend(inserted.clone());
        for (name, pass) in &listed {
            let shown = pass.live_keys();
            let hidden: Vec<_> = all.difference(&shown).collect();
            assert!(hidden.is_empty(), "{name} does not show {hidden:?}");
        }
        let Some(key) = inserted.filter(|_| !changed.is_empty()) else {
            continue;
        };
        let is_shown = changed.iter().any(|pass| pass.row(&key).is_some());
        assert!(
            is_shown,
            "{}: no stream of changes shows {key}",
            entity.name
        );
    }
}

/// As many keys can be fetched at once as is declared.
pub async fn as_many_rows_are_fetched_as_declared<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let Some(limit) = entity.fetch_limit else {
            continue;
        };
        let pass = Plan::all(listing(entity)).read(&*connector).await;
        let wanted: BTreeSet<RemoteKey> = pass.live_keys();
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut keys: Vec<RemoteKey> = wanted.into_iter().take(most).collect();
        let there = keys.len();
        // Rows that never were fill it up.
        let others = (0..limit).map(|number| RemoteKey::new((1_900_000_000 + number).to_string()));
        keys.extend(others.take(most - there));
        let fetched = connector.fetch(&context(), &entity.name, &keys).await;
        let fetched = fetched
            .unwrap_or_else(|error| fail(&format!("{}: {most} rows: {error:?}", entity.name)));
        assert_eq!(fetched.len(), there, "{}: {most} at once", entity.name);
    }
}

/// Where a pass ends with a token, it is given, tells that nothing changed as long as nothing did, and not a moment longer.
pub async fn a_token_tells_whether_anything_changed<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        for stream in &entity.streams {
            if stream.cursor != CursorKind::Token {
                continue;
            }
            let token = token_of(&*connector, stream).await;
            let from = || Plan::all(stream).from(Bound::Token(token.clone()));
            let (page, _) = from().step(&*connector).await.expect("the token is known");
            let is_silent = page.next == Next::Unchanged
                || (stream.role == Role::Changes && page.items.is_empty());
            assert!(is_silent, "{}: the token tells nothing", stream.name);
            if harness.touch(&entity.name).await.is_none() {
                continue;
            }
            let (page, _) = from().step(&*connector).await.expect("the token is known");
            let is_told = page.next != Next::Unchanged && !page.items.is_empty();
            assert!(is_told, "{}: the token hides a change", stream.name);
            let other = token_of(&*connector, stream).await;
            assert_ne!(token, other, "{}: the token stays", stream.name);
        }
    }
}

async fn token_of(connector: &dyn Connector, stream: &StreamInfo) -> String {
    let mut plan = Plan::all(stream);
    loop {
        let (page, _) = plan.step(connector).await.expect("the stream is read");
        match page.next {
            Next::Page(_) => {}
            Next::End { token: Some(token) } => return token,
            Next::End { token: None } | Next::Unchanged => {
                fail(&format!("{} ends without a token", stream.name))
            }
        }
    }
}
