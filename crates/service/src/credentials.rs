//! Other credentials for a connection that is there.

use std::collections::BTreeMap;

use serde_json::json;
use wrenchtime_connector::{SettingField, Settings, SettingsError};
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_sync::Outcome;

use crate::schedules::ScheduleChange;

use crate::storage::{
    NewCredentials, NewSchedule, SealedSettings, StoredAccount, StoredConnection,
};
use crate::{Actor, Error, Result, Schedule, Service, Trigger};

/// What to change of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectionChange {
    /// What the system's fields ask for, all of them: nothing of the settings before is kept. An optional field that is
    /// set now is given a value or an empty text; to leave it out is refused.
    pub settings: Option<Settings>,
    /// How often it is synced.
    pub schedule: Option<Schedule>,
    /// How often single resources are. Others keep what they have.
    pub resource_schedules: BTreeMap<Resource, Schedule>,
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

    /// Sets another schedule of one resource.
    #[must_use]
    pub fn with_resource_schedule(mut self, resource: Resource, schedule: Schedule) -> Self {
        self.resource_schedules.insert(resource, schedule);
        self
    }
}

/// What the source accepted, ready to be written.
struct Accepted {
    /// The settings that stood there before the source was asked.
    replaces: SealedSettings,
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
    /// [`Error::NoConnection`]; [`Error::Schedule`]; [`Error::Invalid`] for a resource that is not read, or its schedule; with
    /// settings also [`Error::State`] where the connection is disconnected, [`Error::Settings`], also for an optional field that is set and
    /// was left out, [`Error::Source`] as the source answers, [`Error::AccountMismatch`], and [`Error::Overtaken`].
    pub async fn change(
        &self,
        id: ConnectionId,
        change: ConnectionChange,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let schedules = ScheduleChange {
            connection: change.schedule,
            resources: change.resource_schedules,
        };
        match change.settings {
            Some(settings) => self.reauthorize(id, settings, &schedules, actor).await,
            None => {
                self.set_schedules(id, &schedules, actor).await?;
                self.connection(id).await
            }
        }
    }

    async fn reauthorize(
        &self,
        id: ConnectionId,
        settings: Settings,
        schedules: &ScheduleChange,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        let connection = core.connection(id).await?;
        connection.refuse_disconnected("reauthorizing")?;
        let schedule = core.new_schedule(&connection, schedules, actor)?;
        let factory = core.factory(&connection.system)?;
        let fields = &factory.info().settings;
        let before = core.vault.open_settings(id, &connection.sealed)?;
        refuse_dropped(&settings, &before, fields)?;
        let settings = settings.validated(fields)?;
        let connector = factory.connect(&settings)?;
        let account = core.check(connector.as_ref(), id).await?;
        if account.identity != connection.account.identity {
            return Err(Error::AccountMismatch {
                id,
                account: connection.account.display_name,
            });
        }
        let accepted = Accepted {
            replaces: connection.sealed,
            sealed: core.vault.seal_settings(id, &settings)?,
            account: account.into(),
            schedule,
        };
        let (service, actor) = (self.clone(), actor.clone());
        let written = async move { service.write_accepted(id, accepted, &actor).await };
        self.runner.finish(written).await
    }

    /// Tells whether a run follows other settings: by schedule, or to do what the last one left undone.
    async fn is_read_next(&self, connection: &StoredConnection) -> bool {
        if connection.schedule.is_some() {
            return true;
        }
        let runs = self.core.connections.runs(connection.id, None, 1).await;
        let last = runs.map(|runs| runs.into_iter().next());
        match last {
            Ok(Some(run)) => {
                !matches!(run.finished, Some((_, outcome)) if outcome != Outcome::Failed)
            }
            Ok(None) => false,
            // A run too many does less harm than one too few.
            Err(_) => true,
        }
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
            connection.refuse_disconnected("reauthorizing")?;
            if connection.sealed != accepted.replaces {
                return Err(Error::Overtaken(id));
            }
            let change = connection.state.after(Trigger::Authorized);
            let detail = json!({ "from": connection.state });
            let new = NewCredentials {
                id,
                expected: connection.state,
                replaces: accepted.replaces.clone(),
                sealed: accepted.sealed.clone(),
                account: accepted.account.clone(),
                to: change.map(|change| change.to),
                event: change.and_then(|change| change.event_of(&connection, None)),
                schedule: accepted.schedule.clone(),
                at: core.clock.now(),
                audit: core.audit(actor, "connection.reauthorized", Some(id), detail),
            };
            if let Some(connection) = core.connections.replace_credentials(new).await? {
                let wants_run = self.is_read_next(&connection).await;
                self.runner.renew(id, wants_run);
                return Ok(connection);
            }
        }
    }
}

/// Refuses settings that leave out what is set now: a time zone that is gone without a word changes every record. What
/// is given without a value is given up on purpose.
fn refuse_dropped(given: &Settings, before: &Settings, fields: &[SettingField]) -> Result<()> {
    let is_dropped = |field: &&SettingField| {
        !field.required
            && given.get(field.name).is_none()
            && before.get(field.name).is_some()
            && before.get(field.name) != field.default
    };
    let faults: Vec<_> = fields
        .iter()
        .filter(is_dropped)
        .map(|field| {
            let fault =
                "is set now and was left out: give it again, or give it empty to do without";
            (field.name.to_owned(), fault.to_owned())
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(SettingsError { faults }.into())
    }
}
