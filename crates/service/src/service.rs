//! The service: what it is made of, and how it begins and ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tracing::{error, info};
use wrenchtime_connector::{Clock, ConnectorInfo, Factory, Mapper, SystemName, Systems};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::EngineOptions;
use wrenchtime_webhooks::DeliveryStore;

use crate::engine::{EngineSyncs, Syncs};
use crate::error::chain;
use crate::mappers;
use crate::runner::Runner;
use crate::storage::{AuditEntry, ConnectionStore, ManagementKey, RecordReader, StorageError};
use crate::vault::{MasterKey, Vault};
use crate::{Error, Result};

/// What a service works with. A store is usually all four of its stores.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The systems that can be connected.
    pub systems: Systems,
    /// Connections, keys, tokens.
    pub connections: Arc<dyn ConnectionStore>,
    /// Records as they are served.
    pub records: Arc<dyn RecordReader>,
    /// Webhook endpoints and deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Where the engine writes.
    pub sync: Arc<dyn wrenchtime_sync::Storage>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What everything is sealed under.
    pub master_key: MasterKey,
    /// What can be chosen.
    pub options: Options,
}

/// What can be chosen.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How often a connection is synced that says nothing else. 15 minutes by default.
    pub schedule: Duration,
    /// By how much of its length a wait varies, so that not all connections ask at once: 0.1 is up to a tenth more or
    /// less. 0.1 by default, 0 to 1.
    pub jitter: f64,
    /// How many runs in a row find the source silent until the connection is offline. 3 by default.
    pub offline_after: u32,
    /// The wait after the first failure; it doubles with each. 30 seconds by default.
    pub first_gap: Duration,
    /// No wait after a failure is longer. An hour by default.
    pub longest_gap: Duration,
    /// How many runs work at once, of all connections. Others wait for their turn, those that somebody asked for before
    /// those by schedule. 8 by default.
    pub concurrent_runs: usize,
    /// After how many pages a run lets another one work, where one waits, and goes on when it is its turn again. 10 by
    /// default.
    pub pages_per_turn: u64,
    /// How many bytes of pages may be in memory at once, of all runs. 64 MiB by default.
    pub bytes_in_flight: u64,
    /// How long a check of credentials may take. 30 seconds by default.
    pub check_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schedule: Duration::from_secs(15 * 60),
            jitter: 0.1,
            offline_after: 3,
            first_gap: Duration::from_secs(30),
            longest_gap: Duration::from_secs(60 * 60),
            concurrent_runs: 8,
            pages_per_turn: 10,
            bytes_in_flight: EngineOptions::default().bytes_in_flight,
            check_timeout: Duration::from_secs(30),
        }
    }
}

/// Who asks whether the service is ready does not wait for long.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Connections, their life-cycle, their runs and their secrets. Clones are one service.
#[derive(Clone)]
pub struct Service {
    pub(crate) core: Arc<Core>,
    pub(crate) runner: Arc<Runner>,
}

/// What the parts of the service share.
pub(crate) struct Core {
    pub(crate) systems: Systems,
    pub(crate) mappers: BTreeMap<SystemName, Arc<dyn Mapper>>,
    pub(crate) connections: Arc<dyn ConnectionStore>,
    pub(crate) records: Arc<dyn RecordReader>,
    pub(crate) deliveries: Arc<dyn DeliveryStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) options: Options,
    /// The store did not answer, or took no writes, when it was asked last.
    unready: AtomicBool,
    /// The first management key, from when it is drawn until it is kept.
    pub(crate) shown_key: Mutex<Option<ManagementKey>>,
}

impl Service {
    /// Opens the service over its stores. Nothing runs until [`Service::start`].
    ///
    /// # Errors
    /// [`VaultError::WrongKey`](crate::VaultError::WrongKey) before anything else when the store was sealed under
    /// another master key; [`Error::Mapping`] when a system's default mapping does not compile.
    pub async fn open(parts: Parts) -> Result<Self> {
        let (storage, clock) = (Arc::clone(&parts.sync), Arc::clone(&parts.clock));
        let syncs = EngineSyncs::new(storage, clock, &parts.options);
        Self::open_with(parts, Arc::new(syncs)).await
    }

    pub(crate) async fn open_with(parts: Parts, syncs: Arc<dyn Syncs>) -> Result<Self> {
        let vault = Vault::open(&parts.master_key, parts.connections.as_ref()).await?;
        let core = Arc::new(Core {
            mappers: mappers::compile_all(&parts.systems)?,
            systems: parts.systems,
            connections: parts.connections,
            records: parts.records,
            deliveries: parts.deliveries,
            clock: parts.clock,
            vault: Arc::new(vault),
            options: parts.options,
            unready: AtomicBool::new(false),
            shown_key: Mutex::default(),
        });
        let runner = Arc::new(Runner::new(Arc::clone(&core), syncs));
        Ok(Self { core, runner })
    }

    /// Begins to run syncs: unfinished runs go on, schedules count. `waker` is told when events were written.
    ///
    /// # Errors
    /// When the connections cannot be read.
    pub async fn start(&self, waker: Option<Arc<Notify>>) -> Result<()> {
        self.runner.start(waker).await
    }

    /// Leaves all runs where they are, to go on at the next start after the last page written, and waits for their
    /// tasks to end. Later requests for runs are refused.
    pub async fn shutdown(&self) {
        self.runner.shutdown().await;
    }

    /// Returns the systems that can be connected.
    pub fn systems(&self) -> &Systems {
        &self.core.systems
    }

    /// Returns the vault, which seals signing secrets as well.
    pub fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.core.vault)
    }

    /// Returns the clock that the service goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.clock
    }

    /// Tells whether the store answers within 5 seconds and can be written.
    ///
    /// # Errors
    /// When it does not, or cannot.
    pub async fn ready(&self) -> Result<()> {
        let asked = tokio::time::timeout(READY_WITHIN, self.core.connections.ready()).await;
        let answer = asked.unwrap_or_else(|late| Err(StorageError::Unavailable(Box::new(late))));
        // Asked again and again, so only a change is told.
        let was_unready = self.core.unready.swap(answer.is_err(), Ordering::Relaxed);
        match &answer {
            Err(error) if !was_unready => {
                error!(error = %chain(error), "the store does not answer, or takes no writes");
            }
            Ok(()) if was_unready => info!("the store answers and takes writes again"),
            Ok(()) | Err(_) => {}
        }
        Ok(answer?)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("options", &self.core.options)
            .field("runner", &self.runner)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn factory(&self, name: &SystemName) -> Result<&Arc<dyn Factory>> {
        self.systems.get(name).ok_or_else(|| Error::UnknownSystem {
            name: name.to_string(),
            known: self.system_names(),
        })
    }

    /// Returns what a system declares, as long as it is here.
    pub(crate) fn info(&self, name: &SystemName) -> Option<&ConnectorInfo> {
        Some(self.systems.get(name)?.info())
    }

    fn system_names(&self) -> BTreeSet<String> {
        self.systems
            .iter()
            .map(|factory| factory.info().system.to_string())
            .collect()
    }

    pub(crate) fn audit(
        &self,
        actor: &Actor,
        action: &str,
        connection: Option<ConnectionId>,
        detail: Value,
    ) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            actor: actor.to_string(),
            action: action.to_owned(),
            connection,
            detail,
        }
    }

    pub(crate) fn system_audit(&self, action: &str, connection: ConnectionId) -> AuditEntry {
        self.audit(&Actor::System, action, Some(connection), json!({}))
    }
}

/// Who does something, as the audit log names them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Actor {
    /// Somebody with this management key.
    Key(uuid::Uuid),
    /// Somebody at the machine itself.
    CommandLine,
    /// The service by itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::CommandLine => f.write_str("command_line"),
            Self::System => f.write_str("system"),
        }
    }
}
