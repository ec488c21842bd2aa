//! A service that can be stopped and started again over the same data.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use wrenchtime_connector::{Clock, Factory, ManualClock, Settings, SystemName, Systems};
use wrenchtime_memory::{MemoryFactory, MemorySource};
use wrenchtime_model::{ConnectionId, Event, EventBody, EventType};
use wrenchtime_service::storage::ChangesQuery;
use wrenchtime_service::sync::RunState;
use wrenchtime_service::{
    Actor, Connect, MasterKey, Options, Parts, Result, Schedule, Service, State,
};
use wrenchtime_store::{SqliteOptions, SqliteStore};

pub(crate) struct Fixture {
    pub(crate) service: Service,
    pub(crate) store: SqliteStore,
    pub(crate) source: MemorySource,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::new(at("2031-05-01T08:00:00Z"))
}

/// No jitter, so that times can be told.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.jitter = 0.0;
    options
}

pub(crate) async fn parts(
    directory: &Path,
    clock: Arc<dyn Clock>,
    source: &MemorySource,
    key: &MasterKey,
) -> (Parts, SqliteStore) {
    let store = SqliteStore::open(SqliteOptions::new(directory, Arc::clone(&clock)))
        .await
        .unwrap();
    let factory: Arc<dyn Factory> = Arc::new(MemoryFactory::new(source.clone()));
    let parts = Parts {
        systems: Systems::new([factory]),
        connections: Arc::new(store.clone()),
        records: Arc::new(store.clone()),
        deliveries: Arc::new(store.clone()),
        sync: Arc::new(store.clone()),
        clock,
        master_key: key.clone(),
        options: options(),
    };
    (parts, store)
}

impl Fixture {
    pub(crate) async fn open(
        directory: &Path,
        clock: Arc<dyn Clock>,
        source: &MemorySource,
        key: &MasterKey,
    ) -> Result<Self> {
        let (parts, store) = parts(directory, clock, source, key).await;
        match Service::open(parts).await {
            Ok(service) => Ok(Self {
                service,
                store,
                source: source.clone(),
            }),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn new(directory: &Path, clock: Arc<dyn Clock>) -> Self {
        let source = MemorySource::new();
        Self::open(directory, clock, &source, &MasterKey::generate())
            .await
            .unwrap()
    }

    pub(crate) async fn connect(&self, schedule: Schedule, start_sync: bool) -> ConnectionId {
        let settings = Settings::new([("name", "Plant"), ("secret", "secret")]);
        let mut request =
            Connect::new(SystemName::from_static("memory"), settings).with_schedule(schedule);
        if !start_sync {
            request = request.without_first_sync();
        }
        let connected = self
            .service
            .connect(request, &Actor::CommandLine)
            .await
            .unwrap();
        connected.connection.id
    }

    /// Returns a connection's runs, oldest first.
    pub(crate) async fn runs(&self, id: ConnectionId) -> Vec<RunState> {
        let mut runs = self.service.runs(id, None, 500).await.unwrap();
        runs.reverse();
        runs
    }

    pub(crate) async fn state(&self, id: ConnectionId) -> State {
        self.service.connection(id).await.unwrap().state
    }

    /// Returns the events of the connection itself, in order.
    pub(crate) async fn events(&self, id: ConnectionId) -> Vec<Event> {
        let query = ChangesQuery {
            connection: id,
            after: 0,
            limit: 500,
            include_records: false,
        };
        let page = self.service.changes(&query).await.unwrap();
        page.entries
            .into_iter()
            .map(|(event, _)| event)
            .filter(|event| matches!(event.body, EventBody::Lifecycle { .. }))
            .collect()
    }

    /// Returns the types of the events that tell of the connection's state.
    pub(crate) async fn announced(&self, id: ConnectionId) -> Vec<EventType> {
        self.events(id)
            .await
            .iter()
            .map(|event| event.body.event_type())
            .filter(|event| event.name().starts_with("connection."))
            .collect()
    }

    pub(crate) async fn close(self) {
        self.service.shutdown().await;
        self.store.close().await;
    }
}

/// Waits, in real time, until something is true.
pub(crate) async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    for _ in 0..12_000 {
        if check().await {
            return;
        }
        pause().await;
    }
    unreachable!("waited in vain until {what}")
}

async fn pause() {
    tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>())
        .await
        .unwrap_err();
}
