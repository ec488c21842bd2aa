//! Changes of one connection at once.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;
use wrenchtime_connector::Settings;
use wrenchtime_memory::MemorySource;
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_service::storage::{
    AuditEntry, ConnectionFilter, ConnectionStore, ConnectionToken, Disconnect, Extension,
    ManagementKey, NewConnection, NewCredentials, NewSchedule, QuarantineRetried, QuarantineRetry,
    SecretHash, Standing, StorageError, StoredConnection, SuspicionDecision, Transition,
};
use wrenchtime_service::sync::{RunState, Suspicion};
use wrenchtime_service::{Actor, ConnectionChange, Error, MasterKey, Schedule, Service, State};
use wrenchtime_store::SqliteStore;

use crate::fixture::{Fixture, clock, parts, until};
use crate::stepped::Stepped;

type Result<T> = std::result::Result<T, StorageError>;

fn named(name: &str) -> ConnectionChange {
    let settings = Settings::new([("name", name), ("secret", "secret")]);
    ConnectionChange::default().with_settings(settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_were_checked_longer_do_not_take_the_place_of_newer_ones() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let runtime = tokio::runtime::Handle::current();
    let asked = fixture.source.requests().len();
    // While the source is asked about the first, somebody gives others and is done.
    fixture.source.at_request(asked + 1, move |_| {
        let change = service.change(id, named("newer"), &Actor::CommandLine);
        tokio::task::block_in_place(|| runtime.block_on(change)).unwrap();
    });
    let change = fixture
        .service
        .change(id, named("older"), &Actor::CommandLine);
    let refused = change.await.unwrap_err();
    assert!(matches!(refused, Error::Overtaken(_)), "{refused}");
    let stored = fixture.service.connection(id).await.unwrap();
    assert_eq!(stored.account.display_name, "newer");
    fixture.close().await;
}

#[tokio::test]
async fn a_connection_that_ends_while_it_is_reauthorized_is_not_tended_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (source, key) = (MemorySource::new(), MasterKey::generate());
    let (mut parts, store) = parts(directory.path(), Arc::new(Stepped::new()), &source, &key).await;
    let held = Arc::new(Held {
        store: store.clone(),
        replaced: Notify::new(),
        go_on: Notify::new(),
    });
    parts.connections = Arc::clone(&held) as _;
    let service = Service::open(parts).await.unwrap();
    let fixture = Fixture {
        service,
        store,
        source,
    };
    fixture.service.start(None).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, false).await;
    let service = fixture.service.clone();
    let change = tokio::spawn(async move {
        let change = service.change(id, named("Plant"), &Actor::CommandLine);
        change.await.map(drop)
    });
    held.replaced.notified().await;
    let actor = Actor::CommandLine;
    fixture.service.disconnect(id, &actor).await.unwrap();
    held.go_on.notify_one();
    change.await.unwrap().unwrap();
    assert_eq!(fixture.state(id).await, State::Disconnected);
    until("nobody tends it", async || {
        format!("{:?}", fixture.service).contains("connections: 0")
    })
    .await;
    fixture.close().await;
}

/// A store that holds back the answer to other credentials.
#[derive(Debug)]
struct Held {
    store: SqliteStore,
    replaced: Notify,
    go_on: Notify,
}

#[async_trait]
impl ConnectionStore for Held {
    async fn replace_credentials(&self, new: NewCredentials) -> Result<Option<StoredConnection>> {
        let done = self.store.replace_credentials(new).await;
        self.replaced.notify_one();
        self.go_on.notified().await;
        done
    }

    async fn ready(&self) -> Result<()> {
        self.store.ready().await
    }

    async fn meta_init(&self, name: &str, value: &[u8]) -> Result<Vec<u8>> {
        self.store.meta_init(name, value).await
    }

    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.store.meta(name).await
    }

    async fn put_meta(&self, name: &str, value: &[u8]) -> Result<()> {
        self.store.put_meta(name, value).await
    }

    async fn add_key(&self, key: ManagementKey, audit: AuditEntry) -> Result<()> {
        self.store.add_key(key, audit).await
    }

    async fn key_by_hash(&self, hash: &SecretHash) -> Result<Option<ManagementKey>> {
        self.store.key_by_hash(hash).await
    }

    async fn keys(&self) -> Result<Vec<ManagementKey>> {
        self.store.keys().await
    }

    async fn revoke_key(&self, id: Uuid, at: DateTime<Utc>, audit: AuditEntry) -> Result<bool> {
        self.store.revoke_key(id, at, audit).await
    }

    async fn token_by_hash(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(ConnectionToken, StoredConnection)>> {
        self.store.token_by_hash(hash).await
    }

    async fn create_connection(&self, new: NewConnection) -> Result<()> {
        self.store.create_connection(new).await
    }

    async fn connection(&self, id: ConnectionId) -> Result<Option<StoredConnection>> {
        self.store.connection(id).await
    }

    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<StoredConnection>> {
        self.store.connections(filter).await
    }

    async fn transition(&self, transition: Transition) -> Result<Option<StoredConnection>> {
        self.store.transition(transition).await
    }

    async fn disconnect(&self, disconnect: Disconnect) -> Result<Option<StoredConnection>> {
        self.store.disconnect(disconnect).await
    }

    async fn set_schedule(&self, id: ConnectionId, new: NewSchedule) -> Result<bool> {
        self.store.set_schedule(id, new).await
    }

    async fn extend(&self, extension: Extension) -> Result<Option<StoredConnection>> {
        self.store.extend(extension).await
    }

    async fn decide_suspicion(&self, decision: SuspicionDecision) -> Result<Option<Suspicion>> {
        self.store.decide_suspicion(decision).await
    }

    async fn retry_quarantine(&self, retry: QuarantineRetry) -> Result<Option<QuarantineRetried>> {
        self.store.retry_quarantine(retry).await
    }

    async fn standings(&self) -> Result<Vec<Standing>> {
        self.store.standings().await
    }

    async fn runs(
        &self,
        connection: ConnectionId,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunState>> {
        self.store.runs(connection, before, limit).await
    }

    async fn run(&self, connection: ConnectionId, run: RunId) -> Result<Option<RunState>> {
        self.store.run(connection, run).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.store.audit(entry).await
    }
}
