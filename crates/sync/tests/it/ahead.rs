//! Rule 10: a page is mapped while the one before it is written, and the copy is as if it had waited.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::json;
use serde_json::value::to_raw_value;
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Items, Next, Page,
    PageRequest, RemoteKey, Result,
};
use wrenchtime_sync::{Mode, Outcome};

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
