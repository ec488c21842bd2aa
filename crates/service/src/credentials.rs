//! Other credentials for a connection that is there.

use serde_json::json;
use wrenchtime_connector::Settings;
use wrenchtime_model::ConnectionId;

use crate::storage::{
    NewCredentials, NewSchedule, SealedSettings, StoredAccount, StoredConnection,
};
use crate::{Actor, Error, Result, Schedule, Service, State, Trigger};

/// What to change of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectionChange {
    /// What the system's fields ask for, all of them: nothing of the settings before is kept.
    pub settings: Option<Settings>,
    /// How often it is synced.
    pub schedule: Option<Schedule>,
}

impl ConnectionChange {
    /// Sets other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Sets another schedule.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }
}

/// What the source accepted, ready to be written.
struct Accepted {
    sealed: SealedSettings,
    account: StoredAccount,
    schedule: Option<NewSchedule>,
}

impl Service {
    /// Changes a connection: all that is asked for, or nothing.
    ///
    /// Settings are checked with the source first, and must open the account that the connection reads. Id, tokens,
    /// records and endpoints stay. A run under way is left after its last page, and the next goes on there with the new
    /// settings at once.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::Schedule`]; with settings also [`Error::State`] where the connection is
    /// disconnected, [`Error::Settings`], [`Error::Source`] as the source answers, and [`Error::AccountMismatch`].
    pub async fn change(
        &self,
        id: ConnectionId,
        change: ConnectionChange,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        match (change.settings, change.schedule) {
            (Some(settings), schedule) => self.reauthorize(id, settings, schedule, actor).await,
            (None, Some(schedule)) => {
                self.set_schedule(id, schedule, actor).await?;
                self.connection(id).await
            }
            (None, None) => self.connection(id).await,
        }
    }

    async fn reauthorize(
        &self,
        id: ConnectionId,
        settings: Settings,
        schedule: Option<Schedule>,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        let connection = core.connection(id).await?;
        refuse_disconnected(&connection)?;
        let every = schedule.map(|one| core.schedule(one)).transpose()?;
        let factory = core.factory(&connection.system)?;
        let settings = settings.validated(&factory.info().settings)?;
        let connector = factory.connect(&settings)?;
        let account = core.check(connector.as_ref(), id).await?;
        if account.identity != connection.account.identity {
            return Err(Error::AccountMismatch {
                id,
                account: connection.account.display_name,
            });
        }
        let accepted = Accepted {
            sealed: core.vault.seal_settings(id, &settings)?,
            account: account.into(),
            schedule: every.map(|every| {
                let detail = json!({ "seconds": every.map(|every| every.as_secs()) });
                let audit = core.audit(actor, "connection.scheduled", Some(id), detail);
                NewSchedule { every, audit }
            }),
        };
        let (service, actor) = (self.clone(), actor.clone());
        let written = async move { service.write_accepted(id, accepted, &actor).await };
        self.runner.finish(written).await
    }

    /// Writes from whatever state the connection stands in by now: a run may have moved it since it was looked at.
    async fn write_accepted(
        &self,
        id: ConnectionId,
        accepted: Accepted,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        loop {
            let connection = core.connection(id).await?;
            refuse_disconnected(&connection)?;
            let change = connection.state.after(Trigger::Authorized);
            let detail = json!({ "from": connection.state });
            let new = NewCredentials {
                id,
                expected: connection.state,
                sealed: accepted.sealed.clone(),
                account: accepted.account.clone(),
                to: change.map(|change| change.to),
                event: change.and_then(|change| change.event_of(&connection, None)),
                schedule: accepted.schedule.clone(),
                at: core.clock.now(),
                audit: core.audit(actor, "connection.reauthorized", Some(id), detail),
            };
            if let Some(connection) = core.connections.replace_credentials(new).await? {
                self.runner.renew(id);
                return Ok(connection);
            }
        }
    }
}

fn refuse_disconnected(connection: &StoredConnection) -> Result<()> {
    if connection.state == State::Disconnected {
        return Err(Error::State {
            id: connection.id,
            state: connection.state,
            action: "reauthorizing",
        });
    }
    Ok(())
}
