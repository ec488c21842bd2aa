//! Connector and storage as a run sees them: in step with each other, watched, and broken off where a history says so.

mod storage;
mod turns;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Page, PageRequest, RemoteKey,
    SortKey, StreamName,
};

use crate::Dice;
use crate::source::Server;
pub(crate) use storage::WatchedStorage;
use turns::{Turn, Turns};

/// Where a run is broken off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Break {
    /// Before a call that writes does anything, counted from 0 in the run.
    Before(u32),
    /// After it did everything, and before it could say so.
    After(u32),
}

/// What connector and storage of one run share.
///
/// The engine reads a page while it writes the one before, and reads entities side by side. Here all that takes turns,
/// so that a history is the same each time.
#[derive(Debug)]
pub(crate) struct Watch {
    turns: Turns,
    writes: AtomicU64,
    break_at: Option<Break>,
    /// Tells that the run came to its break.
    pub(crate) broken: Notify,
    /// Lets a run go on that is held at its break.
    pub(crate) release: Notify,
    server: Server,
    shared: Arc<Mutex<Findings>>,
}

/// What was found over all runs of a history.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What the pass that is being settled does not show, by entity: missing rows, and all that are stored.
    missing: BTreeMap<EntityName, (u64, u64)>,
    /// When the pass over a stream began, in changes of the truth.
    begun: BTreeMap<StreamName, u64>,
    /// Rows that were taken out of the copy although they were there.
    pub(crate) wrongs: Vec<String>,
    /// How many rows were taken out wrongly, with nobody to ask, because of a lie that nothing revealed.
    pub(crate) excused: BTreeMap<(usize, u32), u32>,
}

impl Watch {
    pub(crate) fn new(
        server: Server,
        break_at: Option<Break>,
        (shared, dice): (Arc<Mutex<Findings>>, Dice),
    ) -> Arc<Self> {
        Arc::new(Self {
            turns: Turns::new(dice),
            writes: AtomicU64::new(0),
            break_at,
            broken: Notify::new(),
            release: Notify::new(),
            server,
            shared,
        })
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing else of the run is under way.
    async fn turn(&self, what: String) -> Turn<'_> {
        let turn = self.turns.take().await;
        self.server.with(|source| source.remark(what));
        turn
    }

    /// Counts a call that writes. Tells whether the run is broken off after it.
    async fn write(&self) -> bool {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        match self.break_at {
            Some(Break::Before(at)) if u64::from(at) == number => {
                self.hold().await;
                false
            }
            Some(Break::After(at)) => u64::from(at) == number,
            _ => false,
        }
    }

    async fn hold(&self) {
        self.broken.notify_one();
        self.release.notified().await;
    }

    /// Looks whether rows are taken out of a copy of which too many are missing.
    fn check_many(&self, entity: &EntityName, is_accepted: bool) {
        let mut findings = self.findings();
        let many = |(missing, stored): (u64, u64)| missing > 10 && missing * 10 > stored;
        if let Some((missing, stored)) = findings
            .missing
            .get(entity)
            .copied()
            .filter(|counts| many(*counts))
            && !is_accepted
        {
            let words = format!("{missing} of {stored} rows of {entity} were believed to be gone");
            findings.wrongs.push(words);
        }
    }

    /// Looks whether rows that are taken out were gone at some time since the pass over a stream began; without one
    /// they were absent from the listing.
    fn check_gone(&self, entity: &EntityName, stream: Option<&StreamName>, keys: &[SortKey]) {
        let mut findings = self.findings();
        self.server.with(|source| {
            let config = source.truth.config();
            let Some(table) = crate::connector::table_of(entity) else {
                return;
            };
            let order = config.tables[table].keys;
            let can_ask = config.tables[table].fetch.is_some();
            let listing = crate::connector::listing_of(table);
            let by_absence = stream.is_none();
            let stream = stream.unwrap_or(&listing);
            let begun = findings.begun.get(stream).copied().unwrap_or_default();
            let lied = source.lied(table, true).is_some_and(|tick| tick >= begun);
            let stored = source.truth.rows(table).count();
            let is_little = keys.len() <= 10 || keys.len() * 10 <= stored;
            for (key, row) in source.truth.rows(table) {
                let place = order.sort_key(&RemoteKey::new(key.to_string()));
                let stayed = row.is_alive() && row.gone_until.is_none_or(|tick| tick <= begun);
                if !stayed || !keys.contains(&place) {
                    continue;
                }
                if by_absence && lied && !can_ask && is_little {
                    *findings.excused.entry((table, key)).or_default() += 1;
                } else {
                    let words = format!("row {key} of {entity} was removed although it was there");
                    findings.wrongs.push(words);
                }
            }
        });
    }
}

/// The connector of one run.
#[derive(Debug)]
pub(crate) struct WatchedConnector {
    pub(crate) inner: Arc<dyn Connector>,
    pub(crate) watch: Arc<Watch>,
}

#[async_trait]
impl Connector for WatchedConnector {
    fn info(&self) -> &ConnectorInfo {
        self.inner.info()
    }

    async fn check(&self, cx: &Context) -> wrenchtime_connector::Result<Account> {
        self.inner.check(cx).await
    }

    async fn read_page(
        &self,
        cx: &Context,
        request: PageRequest,
    ) -> wrenchtime_connector::Result<Page> {
        let _turn = self.watch.turn(format!("read {}", request.stream)).await;
        if request.cursor.is_none() {
            let tick = self.watch.server.with(|source| source.truth.tick());
            let mut findings = self.watch.findings();
            findings.begun.insert(request.stream.clone(), tick);
        }
        self.inner.read_page(cx, request).await
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> wrenchtime_connector::Result<Vec<Document>> {
        let _turn = self.watch.turn(format!("fetch rows of {entity}")).await;
        self.inner.fetch(cx, entity, keys).await
    }
}
