//! Rule 10: while a page is written, the one behind it is mapped and the next one read, and the copy is as if each had waited.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use serde_json::value::to_raw_value;
use tokio::sync::Semaphore;
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Error, ErrorKind, Items,
    MapError, Mapped, Mapper, Next, Page, PageRequest, RemoteKey, Result,
};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{Fault, Mode, Outcome, RunError, RunProgress};

use crate::source::{Shape, Source};
use crate::support::World;

/// A source that shows the first row of each second page at the end of the first page as well, with another value: it was
/// changed and changed back while somebody turned the page.
#[derive(Debug)]
struct ChangesBack {
    source: Source,
    has_shown: AtomicBool,
}

#[async_trait]
impl Connector for ChangesBack {
    fn info(&self) -> &ConnectorInfo {
        self.source.info()
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        self.source.check(cx).await
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        let is_first = request.cursor.is_none();
        let mut page = self.source.read_page(cx, request.clone()).await?;
        let Next::Page(cursor) = page.next.clone() else {
            return Ok(page);
        };
        if !is_first {
            return Ok(page);
        }
        let behind = self.source.read_page(cx, request.with_cursor(Some(cursor)));
        let (Items::Documents(rows), Items::Documents(behind)) =
            (&mut page.items, behind.await?.items)
        else {
            return Ok(page);
        };
        if let Some(row) = behind.first() {
            let body = to_raw_value(&json!({"v": 998, "c": 0, "noise": 0})).unwrap();
            let other = Document::new(row.entity.clone(), row.key.clone(), body)
                .with_version(Some("another".to_owned()))
                .with_changed_at(row.changed_at.clone());
            rows.push(other);
            self.has_shown.store(true, Ordering::Relaxed);
        }
        Ok(page)
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        self.source.fetch(cx, entity, keys).await
    }
}

#[tokio::test]
async fn rule_10_a_row_on_two_pages_ends_as_the_later_one_shows_it() {
    let world = World::with_rows(Shape::default(), 20);
    world.run(Mode::Full).await.unwrap();
    world.assert_true();
    let source = Arc::new(ChangesBack {
        source: world.source.clone(),
        has_shown: AtomicBool::new(false),
    });
    let mut request = world.request(Mode::Full);
    request.connector = Arc::clone(&source) as Arc<dyn Connector>;
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert!(source.has_shown.load(Ordering::Relaxed));
    world.assert_true();
}

/// No test waits longer for what must come.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A source that answers so many requests for pages and lets the next one wait.
#[derive(Debug)]
struct Gated {
    source: Source,
    gate: Semaphore,
}

#[async_trait]
impl Connector for Gated {
    fn info(&self) -> &ConnectorInfo {
        self.source.info()
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        self.source.check(cx).await
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        self.gate.acquire().await.unwrap().forget();
        self.source.read_page(cx, request).await
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        self.source.fetch(cx, entity, keys).await
    }
}

#[tokio::test]
async fn rule_10_what_was_read_is_written_while_the_source_takes_its_time() {
    let world = World::with_rows(Shape::default(), 20);
    let source = Arc::new(Gated {
        source: world.source.clone(),
        gate: Semaphore::new(3),
    });
    let mut request = world.request(Mode::Full);
    request.connector = Arc::clone(&source) as Arc<dyn Connector>;
    let mut progress = request.progress.subscribe();
    let all_written = |told: &RunProgress| told.pages == 3;
    let (report, ()) = tokio::join!(world.send(request), async {
        let told = tokio::time::timeout(LONG, progress.wait_for(all_written)).await;
        told.expect("three pages are written").unwrap();
        source.gate.add_permits(100);
    });
    assert_eq!(report.unwrap().outcome, Outcome::Complete);
    world.assert_true();
}

/// A mapper that stops at one value until it is told to go on.
#[derive(Debug)]
pub(crate) struct Stopping {
    mapper: Arc<dyn Mapper>,
    value: u32,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Stopping {
    pub(crate) fn at(value: u32, mapper: &Arc<dyn Mapper>) -> (Arc<dyn Mapper>, mpsc::Sender<()>) {
        let (tell, go_on) = mpsc::channel();
        let stopping = Self {
            mapper: Arc::clone(mapper),
            value,
            go_on: Mutex::new(go_on),
        };
        (Arc::new(stopping), tell)
    }
}

impl Mapper for Stopping {
    fn version(&self) -> &str {
        self.mapper.version()
    }

    fn map(
        &self,
        connection: ConnectionId,
        document: &Document,
    ) -> std::result::Result<Vec<Mapped>, MapError> {
        let body: BTreeMap<String, u32> = serde_json::from_str(document.body.get()).unwrap();
        if body["v"] == self.value {
            self.go_on.lock().unwrap().recv_timeout(LONG).unwrap();
        }
        self.mapper.map(connection, document)
    }
}

/// Waits until a listing was asked for so many pages.
async fn asked(world: &World, pages: usize) {
    let is_there = async {
        while world.source.all_asked().len() < pages {
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(LONG, is_there).await;
    found.unwrap_or_else(|_| panic!("page {pages} is asked for"));
}

#[tokio::test]
async fn rule_10_a_page_is_read_while_one_is_mapped_and_one_is_written_and_no_more() {
    let world = World::with_rows(Shape::default(), 40);
    let mut request = world.request(Mode::Full);
    let (mapper, tell) = Stopping::at(6, &request.mapper);
    request.mapper = mapper;
    let mut progress = request.progress.subscribe();
    world.source.asked();
    let (report, ()) = tokio::join!(world.send(request), async {
        let first = progress.wait_for(|told: &RunProgress| told.pages == 1);
        let told = tokio::time::timeout(LONG, first).await;
        told.expect("the first page is written").unwrap();
        asked(&world, 3).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let all = world.source.all_asked();
        assert_eq!(all.len(), 3, "there is no place for another: {all:?}");
        assert_eq!(world.copy().len(), 4);
        tell.send(()).unwrap();
    });
    assert_eq!(report.unwrap().outcome, Outcome::Complete);
    world.assert_true();
}

#[tokio::test]
async fn rule_5_what_was_read_before_a_page_that_fails_is_kept() {
    let world = World::with_rows(Shape::default(), 20);
    let broken = || Error::new(ErrorKind::Protocol, "read a page: it is torn");
    let answers = [None, None, None].into_iter();
    // It is asked for three times.
    let answers = answers.chain((0..3).map(|_| Some(broken())));
    world.source.fail(answers);
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(world.copy().len(), 12);
    world.run(Mode::Full).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn rule_5_a_page_that_cannot_be_written_ends_the_run_though_the_source_takes_its_time() {
    let world = World::with_rows(Shape::default(), 20);
    let source = || {
        let source = world.source.clone();
        let gate = Semaphore::new(1);
        Arc::new(Gated { source, gate }) as Arc<dyn Connector>
    };
    let mut rehearsal = world.request(Mode::Full);
    rehearsal.connection = ConnectionId::new();
    rehearsal.connector = source();
    let mut progress = rehearsal.progress.subscribe();
    let before = world.storage.writes().calls;
    tokio::select! {
        ended = world.send(rehearsal) => panic!("the second page does not come: {ended:?}"),
        told = progress.wait_for(|told| told.pages == 1) => drop(told.unwrap()),
    }
    let first_page = world.storage.writes().calls - before;

    let mut request = world.request(Mode::Full);
    request.connector = source();
    world.storage.fail(Fault::Before(first_page));
    let ended = tokio::time::timeout(LONG, world.send(request)).await;
    let ended = ended.expect("nobody waits for the second page");
    assert!(matches!(ended, Err(RunError::Storage(_))), "{ended:?}");
    assert!(world.copy().is_empty());
}
