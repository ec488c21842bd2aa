//! Connections: made, listed, ended.

use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;
use wrenchtime_connector::{Account, Connector, Context, Priority, Settings, SystemName};
use wrenchtime_model::{ConnectionId, EventType, Timestamp};
use wrenchtime_sync::{LifecycleEvent, Mode};

use crate::keys::checked_name;
use crate::runner::SyncOrder;
use crate::secret::SecretKind;
use crate::service::Core;
use crate::storage::{
    AuditEntry, ConnectionFilter, ConnectionToken, Disconnect, NewConnection, SealedSettings,
    StoredAccount, StoredConnection, Transition,
};
use crate::{Actor, Change, Error, RecordsSince, Result, Schedule, Service, State, Trigger};

/// A connection to make.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connect {
    /// The system.
    pub system: SystemName,
    /// What people call the connection; the account's own name when absent.
    pub name: Option<String>,
    /// What the system's fields ask for.
    pub settings: Settings,
    /// How often it is synced.
    pub schedule: Schedule,
    /// How far back its records go.
    pub records_since: RecordsSince,
    /// Whether its first sync begins at once.
    pub start_sync: bool,
}

impl Connect {
    /// Asks for a connection with the account's own name, the default schedule and all records, whose first sync begins at
    /// once.
    pub fn new(system: SystemName, settings: Settings) -> Self {
        Self {
            system,
            name: None,
            settings,
            schedule: Schedule::Default,
            records_since: RecordsSince::All,
            start_sync: true,
        }
    }

    /// Sets what people call it.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how often it is synced.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Sets how far back its records go.
    #[must_use]
    pub fn with_records_since(mut self, since: RecordsSince) -> Self {
        self.records_since = since;
        self
    }

    /// Leaves the first sync to the schedule, or to a request.
    #[must_use]
    pub fn without_first_sync(mut self) -> Self {
        self.start_sync = false;
        self
    }
}

impl From<Account> for StoredAccount {
    fn from(account: Account) -> Self {
        Self {
            identity: account.identity,
            display_name: account.display_name,
            server_version: account.server_version,
        }
    }
}

/// A connection that was just made.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub connection: StoredConnection,
    /// Its token, shown this once.
    pub token: SecretString,
}

impl Service {
    /// Checks credentials with the source and makes a connection of them.
    ///
    /// # Errors
    /// [`Error::UnknownSystem`], [`Error::Settings`], [`Error::Invalid`] and [`Error::Schedule`] without asking the
    /// source; [`Error::Source`] as it answers. Nothing is written then. A caller that goes away after the source's
    /// answer leaves a connection that is synced.
    pub async fn connect(&self, request: Connect, actor: &Actor) -> Result<Connected> {
        let core = &self.core;
        let schedule = core.schedule(request.schedule)?.every();
        let name = request.name.as_deref().map(checked_name).transpose()?;
        let factory = core.factory(&request.system)?;
        let records_since = core.records_since(request.records_since, factory.info())?;
        let settings = request.settings.validated(&factory.info().settings)?;
        let connector = factory.connect(&settings)?;
        let id = ConnectionId::new();
        let account = core.check(connector.as_ref(), id).await?;

        let (token, hash) = SecretKind::ConnectionToken.draw();
        let now = core.clock.now();
        let new = NewConnection {
            id,
            system: request.system,
            name: name.unwrap_or_else(|| account.display_name.clone()),
            state: State::Active,
            account: account.into(),
            sealed: core.vault.seal_settings(id, &settings)?,
            token: ConnectionToken {
                id: Uuid::now_v7(),
                connection: id,
                hash,
                created_at: now,
                void_from: None,
            },
            schedule,
            records_since,
            created_at: Timestamp::from(now),
            audit: core.audit(actor, "connection.created", Some(id), json!({})),
        };
        let first = request
            .start_sync
            .then(|| SyncOrder::on_demand(Mode::Full, now));
        let service = self.clone();
        let written = async move {
            service.core.connections.create_connection(new).await?;
            service.runner.attach(id, first);
            let connection = service.connection(id).await?;
            Ok(Connected { connection, token })
        };
        self.runner.finish(written).await
    }

    /// Returns a connection, also a disconnected one.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn connection(&self, id: ConnectionId) -> Result<StoredConnection> {
        self.core.connection(id).await
    }

    /// Returns connections in order of their making.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<StoredConnection>> {
        Ok(self.core.connections.connections(filter).await?)
    }

    /// Ends a connection for good: its token is void at once, nothing is read any more, what is stored stays.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::State`] when it is disconnected already; or when the store fails.
    pub async fn disconnect(&self, id: ConnectionId, actor: &Actor) -> Result<StoredConnection> {
        let core = &self.core;
        let audit = core.audit(actor, "connection.disconnected", Some(id), json!({}));
        let service = self.clone();
        self.runner
            .finish(async move { service.disconnect_whole(id, audit).await })
            .await
    }

    async fn disconnect_whole(
        &self,
        id: ConnectionId,
        audit: AuditEntry,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        let connection = core.connection(id).await?;
        let request = Disconnect {
            id,
            reason: None,
            event: LifecycleEvent {
                event: EventType::ConnectionDisconnected,
                data: json!({ "system": connection.system, "name": connection.name }),
            },
            at: core.clock.now(),
            audit,
        };
        let done = core.connections.disconnect(request).await?;
        // Also when another replica was faster: the run here must end all the same.
        self.runner.detach(id);
        done.ok_or(Error::State {
            id,
            state: State::Disconnected,
            action: "disconnecting",
        })
    }
}

impl Change {
    /// Returns what is told of this change of a connection.
    pub(crate) fn event_of(
        self,
        connection: &StoredConnection,
        reason: Option<&str>,
    ) -> Option<LifecycleEvent> {
        self.event.map(|event| LifecycleEvent {
            event,
            data: json!({
                "system": connection.system,
                "name": connection.name,
                "state": self.to,
                "reason": reason,
            }),
        })
    }
}

impl StoredConnection {
    pub(crate) fn refuse_disconnected(&self, action: &'static str) -> Result<()> {
        if self.state == State::Disconnected {
            return Err(Error::State {
                id: self.id,
                state: self.state,
                action,
            });
        }
        Ok(())
    }
}

impl Core {
    pub(crate) async fn connection(&self, id: ConnectionId) -> Result<StoredConnection> {
        self.connections
            .connection(id)
            .await?
            .ok_or(Error::NoConnection(id))
    }

    /// Moves a connection by a trigger, if it means something where the connection stands. Tells whether it did.
    ///
    /// What came of a run says something only about the settings that the run was made with: under others it moves
    /// nothing.
    pub(crate) async fn apply(
        &self,
        id: ConnectionId,
        trigger: Trigger,
        reason: Option<&str>,
        made_with: SealedSettings,
    ) -> Result<bool> {
        let connection = self.connection(id).await?;
        let Some(change) = connection.state.after(trigger) else {
            return Ok(false);
        };
        let event = change.event_of(&connection, reason);
        let transition = Transition {
            id,
            expected: vec![connection.state],
            sealed: Some(made_with),
            to: change.to,
            reason: reason.map(str::to_owned),
            event,
            at: self.clock.now(),
            audit: self.system_audit(&format!("connection.{}", change.to), id),
        };
        // Nothing is returned when somebody else moved it meanwhile; where it stands then was decided by what
        // happened later.
        Ok(self.connections.transition(transition).await?.is_some())
    }

    pub(crate) async fn check(
        &self,
        connector: &dyn Connector,
        id: ConnectionId,
    ) -> Result<Account> {
        let timeout = TimeDelta::from_std(self.options.check_timeout).unwrap_or(TimeDelta::MAX);
        let deadline = self.clock.now().checked_add_signed(timeout);
        let mut cx = Context::new(id.to_string()).with_priority(Priority::Interactive);
        cx.deadline = deadline;
        Ok(connector.check(&cx).await?)
    }
}
