//! How often connections and single resources of them are synced.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wrenchtime_model::{ConnectionId, Resource};

use crate::service::Core;
use crate::storage::{Interval, NewSchedule, StoredConnection};
use crate::{Actor, Error, Result, Service};

/// The shortest schedule.
pub const SHORTEST_SCHEDULE: Duration = Duration::from_secs(60);
/// The longest schedule.
pub const LONGEST_SCHEDULE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a connection, or a resource of it, is synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// A connection: as [`Options::schedule`](crate::Options::schedule) says. A resource: as its connection.
    Default,
    /// Once in this time, from [`SHORTEST_SCHEDULE`] to [`LONGEST_SCHEDULE`].
    Every(Duration),
    /// Only when asked.
    OnDemand,
}

/// What to change of a connection's schedules.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ScheduleChange {
    pub(crate) connection: Option<Schedule>,
    pub(crate) resources: BTreeMap<Resource, Schedule>,
}

impl Service {
    /// Sets how often a connection is synced, from its last run on. Resources with a schedule of their own keep it.
    ///
    /// # Errors
    /// [`Error::Schedule`]; [`Error::NoConnection`]; [`Error::State`] when it is disconnected; or when the store fails.
    pub async fn set_schedule(
        &self,
        id: ConnectionId,
        schedule: Schedule,
        actor: &Actor,
    ) -> Result<()> {
        let change = ScheduleChange {
            connection: Some(schedule),
            resources: BTreeMap::new(),
        };
        self.set_schedules(id, &change, actor).await
    }

    pub(crate) async fn set_schedules(
        &self,
        id: ConnectionId,
        change: &ScheduleChange,
        actor: &Actor,
    ) -> Result<()> {
        let connection = self.core.connection(id).await?;
        if let Some(new) = self.core.new_schedule(&connection, change, actor)? {
            if !self.core.connections.set_schedule(id, new).await? {
                let connection = self.core.connection(id).await?;
                connection.refuse_disconnected("scheduling")?;
                return Err(Error::NoConnection(id));
            }
            self.runner.look_again(id);
        }
        Ok(())
    }
}

impl Core {
    /// Checks a change of schedules, and makes what is written of it; nothing where nothing is to change.
    pub(crate) fn new_schedule(
        &self,
        connection: &StoredConnection,
        change: &ScheduleChange,
        actor: &Actor,
    ) -> Result<Option<NewSchedule>> {
        let mut detail = json!({});
        let seconds = |interval: Interval| interval.every().map(|every| every.as_secs());
        let mut every = None;
        if let Some(schedule) = change.connection {
            let interval = self.schedule(schedule)?;
            detail["seconds"] = seconds(interval).into();
            every = Some(interval);
        }
        let mut resources = BTreeMap::new();
        for (resource, schedule) in &change.resources {
            self.check_is_read(connection, *resource)?;
            let own = match schedule {
                Schedule::Default => None,
                other => Some(self.own_schedule(*resource, *other)?),
            };
            detail["resource_seconds"][resource.name()] = match own {
                Some(own) => seconds(own).unwrap_or_default().into(),
                None => Value::Null,
            };
            resources.insert(*resource, own);
        }
        if every.is_none() && resources.is_empty() {
            return Ok(None);
        }
        let audit = self.audit(actor, "connection.scheduled", Some(connection.id), detail);
        Ok(Some(NewSchedule {
            every,
            resources,
            audit,
        }))
    }

    fn check_is_read(&self, connection: &StoredConnection, resource: Resource) -> Result<()> {
        let info = self.factory(&connection.system)?.info();
        let mut entities = info.entities.iter();
        if entities.any(|entity| entity.resources.contains(&resource)) {
            return Ok(());
        }
        Err(Error::Invalid {
            field: "resource_schedule_seconds",
            message: format!("names {resource}, which is not read from this system"),
        })
    }

    fn own_schedule(&self, resource: Resource, schedule: Schedule) -> Result<Interval> {
        self.schedule(schedule).map_err(|error| match error {
            Error::Schedule { shortest, longest } => Error::Invalid {
                field: "resource_schedule_seconds",
                message: format!(
                    "of {resource} must be between {} and {}, or 0 for on demand only",
                    shortest.as_secs(),
                    longest.as_secs()
                ),
            },
            other => other,
        })
    }

    pub(crate) fn schedule(&self, schedule: Schedule) -> Result<Interval> {
        match schedule {
            Schedule::Default => Ok(Interval::Every(self.options.schedule)),
            Schedule::OnDemand => Ok(Interval::OnDemand),
            Schedule::Every(every) if (SHORTEST_SCHEDULE..=LONGEST_SCHEDULE).contains(&every) => {
                Ok(Interval::Every(Duration::from_secs(every.as_secs())))
            }
            Schedule::Every(_) => Err(Error::Schedule {
                shortest: SHORTEST_SCHEDULE,
                longest: LONGEST_SCHEDULE,
            }),
        }
    }
}
