//! What happens when a source fails.
//!
//! A fault that the source does not have is refused by the harness, and reading goes on as if nothing had been asked.

use wrenchtime_connector::{Document, ErrorKind, Result};
use wrenchtime_model::ConnectionId;

use super::rows::map;
use crate::reading::{Pass, Plan, whole};
use crate::{Fault, Harness};

/// Reads the first page of the first stream after this fault met that many requests. Everything that reading needs
/// beforehand (tokens, addresses) was asked for already.
async fn read_after<H: Harness>(harness: &H, fault: Fault, times: u32) -> Option<Result<Pass>> {
    let connector = harness.connector();
    let stream = &connector.info().entities[0].streams[0];
    let before = Plan::all(stream)
        .step(&*connector)
        .await
        .expect("the first page is read");
    let given = harness.inject(fault, times).await;
    assert_eq!(given, harness.powers().faults.contains(&fault), "{fault:?}");
    let page = Plan::all(stream).step(&*connector).await;
    if given {
        return Some(page.map(|(page, _)| Plan::take(page)));
    }
    let keys = |pass: &Pass| pass.keys();
    let (page, _) = page.expect("a fault that is lacking changes nothing");
    assert_eq!(keys(&Plan::take(page)), keys(&Plan::take(before.0)));
    None
}

/// A source that asks for fewer requests is asked again later, and the page is read.
pub async fn a_rate_limit_is_waited_out<H: Harness>() {
    let harness = H::start().await;
    let Some(page) = read_after(&harness, Fault::RateLimited, 2).await else {
        return;
    };
    assert!(!page.expect("the page is read in the end").rows.is_empty());
}

/// A source that says how long to wait is not asked before.
pub async fn the_time_that_a_rate_limit_names_is_waited<H: Harness>() {
    let harness = H::start().await;
    let before = harness.waited();
    let Some(page) = read_after(&harness, Fault::RateLimitedFor, 1).await else {
        return;
    };
    assert!(!page.expect("the page is read in the end").rows.is_empty());
    let waited = harness
        .waited()
        .expect("a source that names a time has a clock");
    let waited = waited.saturating_sub(before.unwrap_or_default());
    assert!(waited >= Fault::RETRY_AFTER, "only {waited:?} were waited");
}

/// Failures that pass are not seen from outside.
pub async fn a_passing_failure_is_survived<H: Harness>() {
    for fault in [Fault::ServerError, Fault::Dropped, Fault::Truncated] {
        let harness = H::start().await;
        let Some(page) = read_after(&harness, fault, 1).await else {
            continue;
        };
        let page =
            page.unwrap_or_else(|error| crate::reading::fail(&format!("{fault:?}: {error:?}")));
        assert!(!page.rows.is_empty(), "{fault:?}");
    }
}

/// A source that goes on failing is unavailable: the connection rests and resumes alone.
pub async fn a_lasting_failure_is_told_as_unavailable<H: Harness>() {
    for fault in [Fault::ServerError, Fault::Dropped] {
        let harness = H::start().await;
        let Some(page) = read_after(&harness, fault, 100).await else {
            continue;
        };
        assert_eq!(
            page.err().map(|error| error.kind()),
            Some(ErrorKind::Unavailable),
            "{fault:?}"
        );
    }
}

/// A token that grew old is renewed and the request sent again, once; nobody is asked to give new credentials.
pub async fn an_expired_token_is_renewed_once<H: Harness>() {
    let harness = H::start().await;
    let Some(page) = read_after(&harness, Fault::ExpiredToken, 1).await else {
        return;
    };
    assert!(
        !page
            .expect("the page is read with the new token")
            .rows
            .is_empty()
    );

    let harness = H::start().await;
    let before = harness.requests();
    let page = read_after(&harness, Fault::ExpiredToken, 100).await;
    let kind = page.and_then(|page| page.err()).map(|error| error.kind());
    assert_eq!(
        kind,
        Some(ErrorKind::ReauthorizationRequired),
        "fresh tokens are refused as well"
    );
    let sent = harness.requests() - before;
    assert!(
        sent < 20,
        "{sent} requests: the request was sent more than twice"
    );
}

/// A reply that cannot be understood says so, is not taken for an empty page, and spoils nothing that comes after.
pub async fn a_malformed_reply_is_a_protocol_error<H: Harness>() {
    let harness = H::start().await;
    let Some(page) = read_after(&harness, Fault::Malformed, 100).await else {
        return;
    };
    assert_eq!(
        page.err().map(|error| error.kind()),
        Some(ErrorKind::Protocol)
    );
}

/// A field that nobody knows changes nothing but the document in which it stands.
pub async fn an_unknown_field_is_kept<H: Harness>() {
    check_unknown::<H>(Fault::UnknownField).await;
}

/// A value that nobody knows fails neither page nor mapping.
pub async fn an_unknown_enum_member_fails_no_mapping<H: Harness>() {
    check_unknown::<H>(Fault::UnknownMember).await;
}

async fn check_unknown<H: Harness>(fault: Fault) {
    let entities = H::start().await.connector().info().entities.clone();
    for entity in &entities {
        let harness = H::start().await;
        let connector = harness.connector();
        let (mapper, connection) = (harness.mapper(), ConnectionId::new());
        let before = whole(&*connector, entity).await;
        let given = harness.inject(fault, 1000).await;
        assert_eq!(given, harness.powers().faults.contains(&fault), "{fault:?}");
        let after = whole(&*connector, entity).await;
        assert_eq!(keys(&after), keys(&before), "{}: {fault:?}", entity.name);
        for document in &after {
            let former = before.iter().find(|former| former.key == document.key);
            let former = former.expect("the keys are the same");
            let place = format!("{} {}", entity.name, document.key);
            let records = map(&*mapper, connection, document);
            if fault == Fault::UnknownField {
                assert_eq!(
                    records.len(),
                    map(&*mapper, connection, former).len(),
                    "{place}"
                );
            }
            let kept = former.hash() != document.hash();
            assert_eq!(
                kept, given,
                "{place}: what the source says is kept as it is"
            );
        }
    }
}

fn keys(documents: &[Document]) -> std::collections::BTreeSet<String> {
    documents
        .iter()
        .map(|document| document.key.to_string())
        .collect()
}
