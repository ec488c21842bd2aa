//! How often connections and single resources of them are synced.

use std::collections::BTreeMap;
use std::time::Duration;

use wrenchtime_model::Resource;

use super::{AuditEntry, StoredConnection};

/// How often something is synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interval {
    /// Once in this time. Whole seconds.
    Every(Duration),
    /// Only when asked.
    OnDemand,
}

impl Interval {
    /// Returns the time between two runs; nothing means on demand only.
    pub fn every(self) -> Option<Duration> {
        match self {
            Self::Every(every) => Some(every),
            Self::OnDemand => None,
        }
    }
}

/// Another schedule of a connection. What it leaves out stays.
#[derive(Clone, PartialEq, Debug)]
pub struct NewSchedule {
    /// How often the connection is synced.
    pub every: Option<Interval>,
    /// How often these resources are; nothing means as the connection again.
    pub resources: BTreeMap<Resource, Option<Interval>>,
    /// Who did it.
    pub audit: AuditEntry,
}

impl NewSchedule {
    /// Returns what a connection's [`schedule`](StoredConnection::schedule) and
    /// [`resource_schedules`](StoredConnection::resource_schedules) are from now on. A store asks it under the lock
    /// under which it writes them.
    pub fn over(
        &self,
        connection: &StoredConnection,
    ) -> (Option<Duration>, BTreeMap<Resource, Option<Duration>>) {
        let every = self.every.map_or(connection.schedule, Interval::every);
        let mut resources = connection.resource_schedules.clone();
        for (resource, own) in &self.resources {
            match own {
                Some(own) => resources.insert(*resource, own.every()),
                None => resources.remove(resource),
            };
        }
        (every, resources)
    }
}
