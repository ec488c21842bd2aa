//! Passes over streams, read to their end.

use std::collections::BTreeSet;

use wrenchtime_connector::{
    Bound, ChangeTime, Connector, Context, Cursor, CursorKind, Document, EntityInfo, Items, Next,
    Page, PageRequest, RemoteKey, Result, StreamInfo,
};

/// A row as a stream showed it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: RemoteKey,
    pub(crate) version: Option<String>,
    pub(crate) changed_at: Option<ChangeTime>,
    pub(crate) deleted: bool,
    /// Nothing for a stub.
    pub(crate) document: Option<Document>,
}

/// A pass that was read to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    pub(crate) rows: Vec<Seen>,
    /// Where each page but the last ended.
    pub(crate) cursors: Vec<Cursor>,
    /// How many rows each page had.
    pub(crate) pages: Vec<usize>,
}

impl Pass {
    pub(crate) fn keys(&self) -> BTreeSet<RemoteKey> {
        self.rows.iter().map(|row| row.key.clone()).collect()
    }

    pub(crate) fn row(&self, key: &RemoteKey) -> Option<&Seen> {
        self.rows.iter().rev().find(|row| row.key == *key)
    }

    pub(crate) fn live_keys(&self) -> BTreeSet<RemoteKey> {
        self.rows
            .iter()
            .filter(|row| !row.deleted)
            .map(|row| row.key.clone())
            .collect()
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.rows.iter().filter_map(|row| row.document.as_ref())
    }

    fn add(&mut self, page: Page) {
        assert!(
            page.issues.is_empty(),
            "no row of the source is unreadable: {:?}",
            page.issues
        );
        self.pages.push(page.items.len());
        match page.items {
            Items::Documents(documents) => {
                self.rows.extend(documents.into_iter().map(|document| Seen {
                    key: document.key.clone(),
                    version: document.version.clone(),
                    changed_at: document.changed_at.clone(),
                    deleted: document.deleted,
                    document: Some(document),
                }))
            }
            Items::Stubs(stubs) => self.rows.extend(stubs.into_iter().map(|stub| Seen {
                key: stub.key,
                version: stub.version,
                changed_at: stub.changed_at,
                deleted: stub.deleted,
                document: None,
            })),
        }
    }
}

/// How a pass is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) stream: &'a StreamInfo,
    from: Option<Bound>,
    cursor: Option<Cursor>,
    limit: Option<u32>,
}

impl<'a> Plan<'a> {
    pub(crate) fn all(stream: &'a StreamInfo) -> Self {
        Self {
            stream,
            from: None,
            cursor: None,
            limit: None,
        }
    }

    pub(crate) fn limit(mut self, limit: usize) -> Self {
        self.limit = u32::try_from(limit).ok();
        self
    }

    pub(crate) fn from(mut self, from: Bound) -> Self {
        self.from = Some(from);
        self
    }

    pub(crate) fn after(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// Reads one page, from where the plan stands, and moves the plan behind it. Nothing is left at the end.
    pub(crate) async fn step(&mut self, connector: &dyn Connector) -> Result<(Page, bool)> {
        let request = PageRequest::new(self.stream.name.clone())
            .with_from(self.from.clone())
            .with_cursor(self.cursor.clone())
            .with_limit(self.limit);
        let page = connector.read_page(&context(), request).await?;
        let more = match &page.next {
            Next::Page(cursor) => {
                assert_ne!(
                    Some(cursor),
                    self.cursor.as_ref(),
                    "{}: a cursor repeats",
                    self.stream.name
                );
                self.cursor = Some(cursor.clone());
                true
            }
            Next::End { token } => {
                assert!(
                    token.is_none() || self.stream.cursor == CursorKind::Token,
                    "{}: a token from a stream that declares none",
                    self.stream.name
                );
                false
            }
            Next::Unchanged => {
                assert!(
                    matches!(self.from, Some(Bound::Token(_))),
                    "{}: unchanged, although nothing was known before",
                    self.stream.name
                );
                false
            }
        };
        Ok((page, more))
    }

    /// Reads on to the end.
    pub(crate) async fn read(mut self, connector: &dyn Connector) -> Pass {
        let mut pass = Pass::default();
        loop {
            let (page, more) = self
                .step(connector)
                .await
                .unwrap_or_else(|error| fail(&format!("{}: {error:?}", self.stream.name)));
            pass.add(page);
            if !more {
                return pass;
            }
            let cursor = self
                .cursor
                .clone()
                .unwrap_or_else(|| fail("a page that is not the last has a cursor"));
            assert!(
                !pass.cursors.contains(&cursor),
                "{}: a cursor repeats",
                self.stream.name
            );
            pass.cursors.push(cursor);
            assert!(
                pass.cursors.len() < 10_000,
                "{}: the pass never ends",
                self.stream.name
            );
        }
    }

    pub(crate) fn take(page: Page) -> Pass {
        let mut pass = Pass::default();
        pass.add(page);
        pass
    }
}

/// Returns the entity's rows, whole, however its listing yields them.
pub(crate) async fn whole(connector: &dyn Connector, entity: &EntityInfo) -> Vec<Document> {
    let pass = Plan::all(listing(entity)).read(connector).await;
    let stubs: Vec<RemoteKey> = pass
        .rows
        .iter()
        .filter(|row| row.document.is_none())
        .map(|row| row.key.clone())
        .collect();
    let mut documents: Vec<Document> = pass.documents().cloned().collect();
    documents.extend(fetch(connector, entity, &stubs).await);
    documents
}

/// Fetches rows in batches as large as declared.
pub(crate) async fn fetch(
    connector: &dyn Connector,
    entity: &EntityInfo,
    keys: &[RemoteKey],
) -> Vec<Document> {
    let mut documents = Vec::new();
    let limit = entity
        .fetch_limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1);
    for batch in keys.chunks(limit) {
        let batch = connector
            .fetch(&context(), &entity.name, batch)
            .await
            .unwrap_or_else(|error| fail(&format!("fetch {}: {error:?}", entity.name)));
        documents.extend(batch);
    }
    documents
}

pub(crate) fn listing(entity: &EntityInfo) -> &StreamInfo {
    entity
        .listing()
        .unwrap_or_else(|| fail(&format!("{} has no listing", entity.name)))
}

pub(crate) fn context() -> Context {
    Context::new("conformance")
}

#[track_caller]
#[expect(
    clippy::panic,
    reason = "a broken promise ends the test that asked for it"
)]
pub(crate) fn fail(what: &str) -> ! {
    panic!("{what}")
}
