//! The suite finds what it is there to find: a connector that breaks a promise fails the test of that promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use wrenchtime_conformance::{Fault, Harness, Powers, promises};
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Items, Mapper, Next, Page,
    PageRequest, RemoteKey, Result,
};

use crate::conformance::Memory;

/// Loses the last row of each page that is not the last.
const LOSES_AT_BORDERS: u8 = 0;
/// Takes a short look at the bound and ignores it.
const IGNORES_BOUNDS: u8 = 1;
/// Forgets the mark of deletion.
const HIDES_DELETES: u8 = 2;
/// Yields rows backwards.
const UNSORTED: u8 = 3;
/// Starts again wherever it is asked to go on.
const FORGETS_CURSORS: u8 = 4;
/// Shows its secret.
const TALKS: u8 = 5;
/// Leaves out what stands at the bound itself.
const EXCLUSIVE: u8 = 6;
/// Fetches other content than it lists.
const FETCHES_OTHERWISE: u8 = 7;
/// Understands cursors only as long as it lives.
const STATEFUL: u8 = 8;

struct Broken<const HOW: u8> {
    memory: Memory,
}

struct BrokenConnector<const HOW: u8> {
    inner: Arc<dyn Connector>,
    began: AtomicBool,
}

impl<const HOW: u8> std::fmt::Debug for BrokenConnector<HOW> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if HOW == TALKS {
            "BrokenConnector(canary-s3cr3t)"
        } else {
            "BrokenConnector"
        })
    }
}

fn each(
    items: &mut Items,
    mut change: impl FnMut(&mut Vec<Document>),
    mut stubs: impl FnMut(&mut Vec<wrenchtime_connector::Stub>),
) {
    match items {
        Items::Documents(documents) => change(documents),
        Items::Stubs(list) => stubs(list),
    }
}

#[async_trait]
impl<const HOW: u8> Connector for BrokenConnector<HOW> {
    fn info(&self) -> &ConnectorInfo {
        self.inner.info()
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        self.inner.check(cx).await
    }

    async fn read_page(&self, cx: &Context, mut request: PageRequest) -> Result<Page> {
        let from = request.from.clone();
        let began = self.began.swap(true, Ordering::Relaxed);
        if HOW == STATEFUL && !began {
            request.cursor = None;
        }
        if HOW == IGNORES_BOUNDS {
            request.from = None;
        }
        let mut page = self.inner.read_page(cx, request.clone()).await?;
        if HOW == FORGETS_CURSORS && request.cursor.is_some() {
            request.cursor = None;
            page.items = self.inner.read_page(cx, request).await?.items;
        }
        let more = matches!(page.next, Next::Page(_));
        each(
            &mut page.items,
            |documents| match HOW {
                LOSES_AT_BORDERS if more => drop(documents.pop()),
                HIDES_DELETES => documents
                    .iter_mut()
                    .for_each(|document| document.deleted = false),
                UNSORTED => documents.reverse(),
                EXCLUSIVE => documents.retain(|document| match (&from, &document.changed_at) {
                    (Some(wrenchtime_connector::Bound::Time { at, .. }), Some(changed)) => {
                        changed.at > *at
                    }
                    _ => true,
                }),
                _ => {}
            },
            |stubs| {
                if HOW == HIDES_DELETES {
                    stubs.iter_mut().for_each(|stub| stub.deleted = false);
                }
            },
        );
        Ok(page)
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        let mut documents = self.inner.fetch(cx, entity, keys).await?;
        if HOW == FETCHES_OTHERWISE {
            documents.truncate(1);
        }
        Ok(documents)
    }
}

#[async_trait]
impl<const HOW: u8> Harness for Broken<HOW> {
    async fn start() -> Self {
        Self {
            memory: Memory::start().await,
        }
    }

    fn powers(&self) -> Powers {
        self.memory.powers()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(BrokenConnector::<HOW> {
            inner: self.memory.connector(),
            began: AtomicBool::new(false),
        })
    }

    fn mapper(&self) -> Arc<dyn Mapper> {
        self.memory.mapper()
    }

    fn canaries(&self) -> Vec<String> {
        self.memory.canaries()
    }

    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.memory.insert(entity).await
    }

    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.memory.touch(entity).await
    }

    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.memory.delete(entity).await
    }

    async fn tie(&self, entity: &EntityName, count: usize) -> Option<Vec<RemoteKey>> {
        self.memory.tie(entity, count).await
    }

    async fn inject(&self, fault: Fault, times: u32) -> bool {
        self.memory.inject(fault, times).await
    }

    fn requests(&self) -> u64 {
        self.memory.requests()
    }
}

/// Asserts that a promise is found broken.
async fn broken(promise: impl Future<Output = ()> + Send + 'static) {
    let outcome = tokio::spawn(promise).await;
    assert!(
        outcome.is_err_and(|error| error.is_panic()),
        "the suite did not find it"
    );
}

#[tokio::test]
async fn rows_lost_at_a_border_are_found() {
    broken(promises::a_listing_is_complete_at_every_page_border::<
        Broken<LOSES_AT_BORDERS>,
    >())
    .await;
    broken(promises::a_tie_is_read_whole_across_a_page_border::<
        Broken<LOSES_AT_BORDERS>,
    >())
    .await;
    broken(promises::rows_inserted_between_pages_hide_no_other::<
        Broken<LOSES_AT_BORDERS>,
    >())
    .await;
}

#[tokio::test]
async fn bounds_that_are_ignored_or_exclusive_are_found() {
    broken(promises::a_bound_is_inclusive_and_leaves_out_what_is_older::<Broken<IGNORES_BOUNDS>>())
        .await;
    broken(promises::a_bound_is_inclusive_and_leaves_out_what_is_older::<Broken<EXCLUSIVE>>())
        .await;
}

#[tokio::test]
async fn deletes_that_do_not_show_are_found() {
    broken(promises::a_delete_shows_as_declared::<Broken<HIDES_DELETES>>()).await;
}

#[tokio::test]
async fn another_order_than_declared_is_found() {
    broken(promises::items_stand_in_the_declared_order::<
        Broken<UNSORTED>,
    >())
    .await;
}

#[tokio::test]
async fn cursors_that_lead_elsewhere_are_found() {
    broken(promises::a_pass_goes_on_from_a_stored_cursor::<
        Broken<STATEFUL>,
    >())
    .await;
    broken(promises::a_listing_is_complete_at_every_page_border::<
        Broken<FORGETS_CURSORS>,
    >())
    .await;
}

#[tokio::test]
async fn a_secret_that_shows_is_found() {
    broken(promises::no_secret_shows_anywhere::<Broken<TALKS>>()).await;
}

#[tokio::test]
async fn rows_that_are_not_fetched_are_found() {
    broken(promises::stubs_are_completed_by_fetch::<
        Broken<FETCHES_OTHERWISE>,
    >())
    .await;
}
