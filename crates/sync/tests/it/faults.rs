//! Rule 8: what cannot be read or mapped does not stop the rest, and is never silent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::value::RawValue;
use wrenchtime_connector::{
    Account, Clock, Connector, ConnectorInfo, Context, Cursor, Document, EntityName, Error,
    ErrorKind, MapError, Mapped, Mapper, Next, Page, PageRequest, RemoteKey, Retry, Yields,
};
use wrenchtime_model::{ConnectionId, EventType};
use wrenchtime_sync::{Mode, Outcome, RunError};

use crate::source::{Asked, Shape, Source};
use crate::support::{ALL, TestMapper, World, cases, script, shape, wait};

/// A source whose every page names the same next one.
#[derive(Debug)]
pub(crate) struct Circling(pub(crate) Source);

#[async_trait]
impl Connector for Circling {
    fn info(&self) -> &ConnectorInfo {
        self.0.info()
    }

    async fn check(&self, cx: &Context) -> wrenchtime_connector::Result<Account> {
        self.0.check(cx).await
    }

    async fn read_page(
        &self,
        cx: &Context,
        request: PageRequest,
    ) -> wrenchtime_connector::Result<Page> {
        let mut page = self.0.read_page(cx, request).await?;
        page.next = Next::Page(Cursor::from_text("[[0,1],0]").unwrap());
        Ok(page)
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> wrenchtime_connector::Result<Vec<Document>> {
        self.0.fetch(cx, entity, keys).await
    }
}

fn refusing(value: u32, version: &'static str) -> Arc<TestMapper> {
    let refuses = Some(value);
    Arc::new(TestMapper { version, refuses })
}

fn quarantined(report: &wrenchtime_sync::RunReport) -> u64 {
    let resources = report.progress.resources.values();
    resources.map(|counts| counts.quarantined).sum()
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "ask: no answer")
}

fn forbidden() -> Error {
    Error::new(ErrorKind::PermissionDenied, "ask: not allowed")
}

fn unauthorized() -> Error {
    Error::new(ErrorKind::ReauthorizationRequired, "ask: who are you")
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn rule_8_a_row_that_cannot_be_mapped_stops_nothing_else(
        shape in shape(),
        refused in 1..12_u32,
        rows in 12..20_u32,
    ) {
        let mut world = World::with_rows(shape, rows);
        world.mapper = refusing(refused, "1");
        wait(async {
            let report = world.run(Mode::Full).await.unwrap();
            prop_assert_eq!(report.outcome, Outcome::Partial);
            prop_assert!(quarantined(&report) >= 1);
            let mut truth = world.truth();
            truth.remove(&(refused - 1)).unwrap();
            prop_assert_eq!(world.copy(), truth);
            let documents = world.storage.documents(world.connection);
            let reasons = documents.iter().filter_map(|document| document.quarantined.as_deref());
            prop_assert_eq!(reasons.collect::<Vec<_>>(), ["the value is refused"]);
            // In vain once more: partial again, and nothing written.
            let before = world.storage.writes();
            let report = world.run(Mode::Full).await.unwrap();
            prop_assert_eq!(report.outcome, Outcome::Partial);
            prop_assert_eq!(world.storage.writes().documents, before.documents);
            // A mapping that can: complete again.
            world.mapper = Arc::new(TestMapper { version: "2", refuses: None });
            let report = world.run(Mode::Full).await.unwrap();
            prop_assert_eq!(report.outcome, Outcome::Complete);
            world.assert_true();
            Ok(())
        })?;
    }

    #[test]
    fn errors_that_pass_by_change_nothing(
        shape in shape(),
        script in script(ALL, 30),
        failures in proptest::collection::vec(any::<bool>(), 0..40),
    ) {
        let world = World::new(shape);
        world.source.script(script);
        world.source.fail(failures.into_iter().map(|fails| fails.then(unavailable)));
        wait(async {
            for _ in 0..4 {
                // A stream may fail three times in a row; the next run goes on from there.
                match world.run_all().await {
                    Ok(_) | Err(RunError::Source { .. }) => {}
                    Err(other) => panic!("another error: {other}"),
                }
                world.assert_feed();
            }
            world.source.quiet();
            world.settle();
            world.accept_all(Mode::Full).await;
            world.assert_true();
        });
    }
}

#[tokio::test]
async fn rule_8_records_of_a_row_that_broke_stay_as_they_were() {
    let mut world = World::with_rows(Shape::default(), 4);
    world.run(Mode::Full).await.unwrap();
    let before = world.copy();
    world.mapper = refusing(99, "1");
    world.put(2, 99);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(quarantined(&report), 1);
    assert_eq!(world.copy(), before);
    world.put(2, 98);
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

/// Makes a list of one row.
#[derive(Debug)]
struct Shapeless(TestMapper);

impl Mapper for Shapeless {
    fn version(&self) -> &str {
        self.0.version()
    }

    fn map(&self, connection: ConnectionId, document: &Document) -> Result<Vec<Mapped>, MapError> {
        let mut records = self.0.map(connection, document)?;
        if document.body.get().contains("\"v\":99") {
            records[0].content = RawValue::from_string("[]".to_owned()).unwrap();
        }
        Ok(records)
    }
}

#[tokio::test]
async fn rule_8_a_mapping_that_makes_no_object_of_a_row_cannot_map_it() {
    let world = World::with_rows(Shape::default(), 4);
    world.put(2, 99);
    let mut request = world.request(Mode::Full);
    let (version, refuses) = ("1", None);
    request.mapper = Arc::new(Shapeless(TestMapper { version, refuses }));
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert!(quarantined(&report) > 0);
    assert_eq!(world.copy().len(), 3);
}

#[tokio::test]
async fn rule_8_one_streams_failure_does_not_stop_the_others() {
    let shape = Shape {
        tables: vec!["pumps", "valves"],
        ..Shape::default()
    };
    let world = World::with_rows(shape, 9);
    world.source.put_into("valves", 1, 1);
    world.source.break_stream("valves-all", Some(forbidden));
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    let fault = &report.progress.faults["valves-all"];
    assert_eq!(fault, "ask: not allowed");
    world.assert_true();
    // Mended: the listing is still due, although nobody asks for it.
    world.source.break_stream("valves-all", None);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(world.storage.documents(world.connection).len(), 10);
}

#[tokio::test]
async fn when_nothing_can_be_read_the_run_fails() {
    let world = World::with_rows(Shape::default(), 4);
    world.source.break_stream("pumps-all", Some(unavailable));
    world
        .source
        .break_stream("pumps-changes", Some(unavailable));
    let error = world.run(Mode::Full).await.unwrap_err();
    let RunError::Source { error, report } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(world.lifecycle()[0].0, EventType::SyncFailed);
}

#[tokio::test]
async fn refused_credentials_end_the_run_at_once() {
    let shape = Shape {
        tables: vec!["pumps", "valves"],
        ..Shape::default()
    };
    let world = World::with_rows(shape, 40);
    world.source.put_into("valves", 1, 1);
    world.source.break_stream("valves-all", Some(unauthorized));
    let error = world.run(Mode::Full).await.unwrap_err();
    let RunError::Source { error, report } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.progress.faults.contains_key("valves-all"));
    // How far the other table is by then depends on threads. From then on, only what was under way is asked.
    let asked = world.source.asked();
    let refused = asked.iter().position(
        |asked| matches!(asked, Asked::Page(stream, ..) if stream.as_str() == "valves-all"),
    );
    assert!(asked.len() - refused.unwrap() <= 3, "{asked:?}");
}

#[tokio::test]
async fn a_read_is_repeated_with_growing_gaps_and_as_late_as_the_source_asks() {
    let world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    let before = world.clock.now();
    world.source.asked();
    let busy = Error::new(ErrorKind::RateLimited, "ask: too often")
        .with_retry(Retry::After(Some(Duration::from_secs(40))));
    world.source.fail([Some(unavailable()), Some(busy), None]);
    let report = world.run(Mode::Incremental).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(world.source.asked().len(), 3);
    let waited = world.clock.now() - before;
    assert_eq!(waited, chrono::TimeDelta::milliseconds(42_000 + 3 * 300));
    let requests: u64 = report
        .progress
        .resources
        .values()
        .map(|counts| counts.requests)
        .sum();
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn what_is_not_worth_repeating_is_not_repeated() {
    let world = World::with_rows(Shape::default(), 3);
    world.run(Mode::Full).await.unwrap();
    world.source.asked();
    world.source.fail([Some(forbidden())]);
    world.run(Mode::Incremental).await.unwrap_err();
    assert_eq!(world.source.asked().len(), 1);
    let hours = Error::new(ErrorKind::RateLimited, "ask: tomorrow")
        .with_retry(Retry::After(Some(Duration::from_secs(86_400))));
    world.source.fail([Some(hours)]);
    world.run(Mode::Incremental).await.unwrap_err();
    assert_eq!(world.source.asked().len(), 1);
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_told_and_count_as_seen() {
    for (listing, fetch_limit) in [(Yields::Documents, None), (Yields::Stubs, Some(3))] {
        for tells_key in [true, false] {
            let shape = Shape {
                listing,
                fetch_limit,
                ..Shape::default()
            };
            let world = World::with_rows(shape, 9);
            world.run(Mode::Full).await.unwrap();
            let before = world.copy();
            world.source.spoil(4, tells_key);
            let report = world.run(Mode::Full).await.unwrap();
            assert_eq!(report.outcome, Outcome::Partial);
            assert_eq!(quarantined(&report), 1);
            assert_eq!(world.copy(), before);
            assert_eq!(world.storage.issues(world.connection).len(), 1);
        }
    }
}

#[tokio::test]
async fn a_cursor_that_the_source_forgot_begins_the_pass_anew() {
    let world = World::with_rows(Shape::default(), 20);
    world.storage.fail(wrenchtime_sync::Fault::After(6));
    world.run(Mode::Full).await.unwrap_err();
    world.storage.recover();
    let forgotten = Error::new(ErrorKind::Invalid, "read a page: unknown cursor");
    world.source.fail([Some(forgotten)]);
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    world.assert_true();
}

#[tokio::test]
async fn rule_8_a_row_on_which_fetching_breaks_stops_nothing_else() {
    let shape = Shape {
        listing: Yields::Stubs,
        changes: None,
        page: 50,
        fetch_limit: Some(16),
        ..Shape::default()
    };
    let world = World::with_rows(shape, 40);
    world.source.break_fetch(21);
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(quarantined(&report), 1);
    let mut truth = world.truth();
    truth.remove(&21);
    assert_eq!(world.copy(), truth);
    let issues = world.storage.issues(world.connection);
    assert_eq!(issues[0].place, "pumps 21");
    assert_eq!(issues[0].reason, "fetch rows: one of them is odd");
}

#[tokio::test]
async fn a_source_that_breaks_on_every_row_fails_its_stream() {
    let shape = Shape {
        listing: Yields::Stubs,
        changes: None,
        page: 50,
        fetch_limit: Some(16),
        ..Shape::default()
    };
    let world = World::with_rows(shape, 40);
    for key in 0..40 {
        world.source.break_fetch(key);
    }
    world.run(Mode::Full).await.unwrap_err();
    assert!(world.source.asked().len() < 40);
}
