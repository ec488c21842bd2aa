//! Writers that change one connection in every way that there is, most of them with events in its log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::RwLock;
use wrenchtime_connector::ManualClock;
use wrenchtime_model::{ConnectionId, EventType, Resource, RunId, SuspicionId};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    NewCredentials, QuarantineRetry, SealedSettings, SuspicionDecision, Transition,
};
use wrenchtime_sync::{
    Decision, DocumentWrite, Fence, Judgement, Mode, Outcome, PageCommit, Removal, StorageError,
    Suspicion, Written,
};
use wrenchtime_webhooks::FanOut;

use crate::connections::lifecycle;
use crate::fixture::{
    DocumentWriteExt, ENTITY, STREAM, Store, audit, document, finish, mapped, new_run, page,
    second, sort_key,
};

/// How often a page of a run that another took the place of is tried under the new one.
const TRIES: u32 = 1_000;

/// What writers share.
#[derive(Debug)]
pub(super) struct Writers<S> {
    stores: [S; 2],
    clock: ManualClock,
    id: ConnectionId,
    /// The fence and the run of those who write pages. Nobody holds the lock while a page is on its way.
    held: RwLock<(Fence, RunId)>,
    observation: AtomicI64,
}

/// Whether a runner must go on under another fence or run. Anything else is an error.
fn is_replaced(refused: StorageError) -> Result<(), String> {
    match refused {
        StorageError::Fenced(_) => Ok(()),
        StorageError::Corrupt(why) if why.ends_with("is not under way") => Ok(()),
        error => Err(told(&error)),
    }
}

fn told(error: &dyn std::error::Error) -> String {
    let source = error.source().map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

impl<S: Store> Writers<S> {
    pub(super) async fn begin(stores: [S; 2], clock: ManualClock, id: ConnectionId) -> Self {
        let fence = stores[0].acquire(id).await.unwrap();
        let run = stores[0].begin_run(&fence, new_run(Mode::Full)).await;
        Self {
            held: RwLock::new((fence, run.unwrap().run.id)),
            stores,
            clock,
            id,
            observation: AtomicI64::new(1),
        }
    }

    /// Writes in one of the ways, and says what went wrong that must not.
    pub(super) async fn turn(&self, writer: u64, turn: u64) -> Result<(), String> {
        // The clock stands, goes on and goes back.
        self.clock
            .set(second([0, 3, 1, 2][usize::try_from(turn % 4).unwrap()]));
        let store = &self.stores[usize::try_from(writer % 2).unwrap()];
        let own = format!("row {writer}");
        let text = format!("{writer} {turn}");
        match (writer + turn) % 12 {
            // Two rows, one of which other writers change as well.
            0 | 1 => {
                self.rows(store, [&own, "all"].map(|key| self.row(key, &text)))
                    .await
            }
            2 => self.rows(store, [self.row(&own, &text).deleted()]).await,
            3 => self.remap(store, &own, &text).await,
            4 => self.remove(store, &own).await,
            5 => self.quarantine(store, &own).await,
            6 => self.error(store, &own, &text).await,
            7 => self.suspect(store).await,
            8 => self.change_state(store, turn).await,
            9 => self.reauthorize(store, &text).await,
            10 => self.end_run(store).await,
            _ => self.take_over(store).await,
        }?;
        self.fan_out(store).await
    }

    fn row(&self, key: &str, content: &str) -> DocumentWrite {
        document(self.id, key, content).seen_at(self.observe())
    }

    fn observe(&self) -> i64 {
        self.observation.fetch_add(1, Ordering::SeqCst)
    }

    async fn rows<const N: usize>(
        &self,
        store: &S,
        rows: [DocumentWrite; N],
    ) -> Result<(), String> {
        self.commit(store, |page| page.documents = rows.to_vec())
            .await
    }

    /// Commits a page under whichever fence and run hold.
    async fn commit(
        &self,
        store: &S,
        change: impl Fn(&mut PageCommit) + Send + Sync,
    ) -> Result<(), String> {
        for _ in 0..TRIES {
            let (fence, run) = *self.held.read().await;
            let mut page = page(run, Vec::new());
            change(&mut page);
            match store.commit(&fence, page).await {
                Ok(_) => return Ok(()),
                Err(refused) => is_replaced(refused)?,
            }
        }
        Err("it was replaced again and again".to_owned())
    }

    /// Writes what another mapper makes of a row.
    async fn remap(&self, store: &S, key: &str, content: &str) -> Result<(), String> {
        let mut row = self.row(key, "as before");
        row.written = Written::Mapped {
            by: "v2".to_owned(),
            records: vec![
                mapped(self.id, Resource::Asset, key, content),
                mapped(self.id, Resource::Part, &format!("{key} part"), content),
            ],
        };
        self.rows(store, [row]).await
    }

    async fn remove(&self, store: &S, key: &str) -> Result<(), String> {
        for _ in 0..TRIES {
            let (fence, run) = *self.held.read().await;
            let removal = Removal {
                run,
                entity: ENTITY,
                keys: [key, "all"].map(sort_key).to_vec(),
                observation: self.observe(),
                initial: false,
            };
            match store.remove(&fence, removal).await {
                Ok(_) => return Ok(()),
                Err(refused) => is_replaced(refused)?,
            }
        }
        Err("it was replaced again and again".to_owned())
    }

    async fn quarantine(&self, store: &S, key: &str) -> Result<(), String> {
        let row = self.row(key, "?").quarantined("unreadable");
        self.rows(store, [row]).await?;
        let retry = QuarantineRetry {
            connection: self.id,
            row: None,
            listings: BTreeMap::from([(ENTITY, STREAM)]),
            rereads: BTreeSet::from([ENTITY]),
            audit: audit("quarantine.retried"),
        };
        let retried = store.retry_quarantine(retry).await;
        retried.map(drop).map_err(|error| told(&error))
    }

    /// Commits a page that tells of more than its rows.
    async fn error(&self, store: &S, key: &str, content: &str) -> Result<(), String> {
        let row = self.row(key, content);
        self.commit(store, |page| {
            page.documents = vec![row.clone()];
            page.events = vec![lifecycle(EventType::SystemError)];
        })
        .await
    }

    /// Raises a suspicion, which is told, and decides it.
    async fn suspect(&self, store: &S) -> Result<(), String> {
        let id = SuspicionId::new();
        self.commit(store, |page| {
            let suspicion = Suspicion {
                id,
                stream: STREAM,
                entity: ENTITY,
                run: page.run,
                since: second(1),
                found_at: second(2),
                missing: 3,
                stored: 4,
                confirmed_at: None,
            };
            page.judgement = Judgement::Raise {
                suspicion,
                missing: None,
            };
            page.events = vec![lifecycle(EventType::SystemError)];
        })
        .await?;
        let decision = SuspicionDecision {
            connection: self.id,
            suspicion: id,
            decision: Decision::Reject,
            at: second(9),
            audit: audit("suspicion.decided"),
        };
        // Another may have taken its place.
        let decided = store.decide_suspicion(decision).await;
        decided.map(drop).map_err(|error| told(&error))
    }

    async fn change_state(&self, store: &S, turn: u64) -> Result<(), String> {
        let (to, event) = if turn.is_multiple_of(2) {
            (State::Offline, EventType::ConnectionOffline)
        } else {
            (State::Active, EventType::ConnectionOnline)
        };
        let transition = Transition {
            id: self.id,
            expected: vec![State::Active, State::Offline],
            sealed: None,
            to,
            reason: None,
            event: Some(lifecycle(event)),
            at: second(turn),
            audit: audit("connection.changed"),
        };
        let after = store.transition(transition).await;
        let after = after.map_err(|error| told(&error))?;
        after.map(drop).ok_or_else(|| "no such state".to_owned())
    }

    /// Replaces the credentials, unless others do so again and again.
    async fn reauthorize(&self, store: &S, settings: &str) -> Result<(), String> {
        for _ in 0..5 {
            let before = store.connection(self.id).await.unwrap().unwrap();
            let new = NewCredentials {
                id: self.id,
                expected: before.state,
                replaces: before.sealed,
                sealed: SealedSettings {
                    data_key: vec![1],
                    settings: settings.as_bytes().to_vec(),
                },
                account: before.account,
                to: Some(State::Active),
                event: Some(lifecycle(EventType::ConnectionOnline)),
                schedule: None,
                at: second(9),
                audit: audit("connection.reauthorized"),
            };
            let done = store.replace_credentials(new).await;
            if done.map_err(|error| told(&error))?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Ends the run, which is told, and begins the next one.
    async fn end_run(&self, store: &S) -> Result<(), String> {
        let mut held = self.held.write().await;
        let end = finish(held.1, Outcome::Partial);
        let done = store.finish_run(&held.0, end).await;
        done.map_err(|error| told(&error))?;
        held.1 = self.begin_run(store, held.0).await?;
        Ok(())
    }

    async fn take_over(&self, store: &S) -> Result<(), String> {
        let mut held = self.held.write().await;
        held.0 = store.acquire(self.id).await.map_err(|error| told(&error))?;
        held.1 = self.begin_run(store, held.0).await?;
        Ok(())
    }

    async fn begin_run(&self, store: &S, fence: Fence) -> Result<RunId, String> {
        let begun = store.begin_run(&fence, new_run(Mode::Full)).await;
        begun
            .map(|start| start.run.id)
            .map_err(|error| told(&error))
    }

    /// Moves the dispatcher's position to where the log is, if nobody else does.
    async fn fan_out(&self, store: &S) -> Result<(), String> {
        let pending = store.pending(1).await.map_err(|error| told(&error))?;
        let Some(log) = pending.into_iter().next() else {
            return Ok(());
        };
        let (connection, from) = (log.connection, log.from);
        let events = store.events_after(connection, from, 100).await;
        let events = events.map_err(|error| told(&error))?;
        let Some(last) = events.last() else {
            return Ok(());
        };
        let fan_out = FanOut {
            connection,
            from,
            to: last.event.sequence,
            messages: Vec::new(),
        };
        let moved = store.fan_out(fan_out).await;
        moved.map(drop).map_err(|error| told(&error))
    }
}
