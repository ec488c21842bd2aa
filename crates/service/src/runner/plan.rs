//! When a connection's next run is due by itself, and what it reads.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wrenchtime_connector::{ConnectorInfo, EntityInfo, EntityName};

use crate::storage::{StoredConnection, SyncSnapshot};
use crate::{Options, State};

/// A source that fails is given more and more rest; our own store only so much, as all wait for it to come back.
const LONGEST_STORE_GAP: Duration = Duration::from_secs(5 * 60);

/// What is remembered of a connection's runs.
#[derive(Default)]
pub(super) struct Past {
    /// When the last run began, also one before the start of the service.
    pub(super) last_start: Option<DateTime<Utc>>,
    /// When the last run ended; nothing before the first one since the start of the service.
    pub(super) ended_at: Option<DateTime<Utc>>,
    /// Failed runs in a row that are worth trying again soon.
    pub(super) failures: u32,
    /// The last of them was the store's.
    pub(super) store_failed: bool,
    /// When the last run began that was to read an entity.
    read: BTreeMap<EntityName, DateTime<Utc>>,
    /// When the last run was cancelled before it began: its time counts as come and gone.
    skipped_at: Option<DateTime<Utc>>,
    /// When entities were last read to their end, as the store knows.
    completed: Option<BTreeMap<EntityName, DateTime<Utc>>>,
}

impl Past {
    /// Tells whether [`Past::know`] has to be called before single resources can be planned.
    pub(super) fn is_unknown(&self) -> bool {
        self.completed.is_none()
    }

    /// Takes over what the store knows of runs before the start of the service. What was never read to its end counts
    /// from the last run, or from when the connection was made: from then on, however many runs read something else.
    pub(super) fn know(
        &mut self,
        info: &ConnectorInfo,
        snapshot: &SyncSnapshot,
        connection: &StoredConnection,
    ) {
        let otherwise = self.since_any(connection);
        let completed = info.entities.iter().map(|entity| {
            let streams = entity.streams.iter();
            let last = streams.filter_map(|stream| snapshot.completed.get(&stream.name));
            (entity.name.clone(), *last.max().unwrap_or(&otherwise))
        });
        self.completed = Some(completed.collect());
    }

    fn since_any(&self, connection: &StoredConnection) -> DateTime<Utc> {
        let created_at = || connection.created_at.as_datetime();
        self.last_start.unwrap_or_else(created_at)
    }

    /// Notes that a run began that is to read these entities.
    pub(super) fn reads<'a>(
        &mut self,
        entities: impl IntoIterator<Item = &'a EntityName>,
        at: DateTime<Utc>,
    ) {
        self.read
            .extend(entities.into_iter().map(|name| (name.clone(), at)));
    }

    /// Notes that a run that was due was not to be.
    pub(super) fn skip(&mut self, at: DateTime<Utc>) {
        self.skipped_at = Some(at);
    }

    /// Returns from when on the wait for an entity counts.
    fn since(&self, entity: &EntityName) -> Option<DateTime<Utc>> {
        let completed = self.completed.as_ref();
        let known = || completed.and_then(|completed| completed.get(entity));
        let read = self.read.get(entity).or_else(known).copied();
        read.max(self.skipped_at)
    }
}

/// A connection's schedule, and what was so far.
pub(super) struct Plan<'a> {
    pub(super) options: &'a Options,
    pub(super) connection: &'a StoredConnection,
    /// Nothing where the system is not here any more.
    pub(super) info: Option<&'a ConnectorInfo>,
    pub(super) past: &'a Past,
}

impl Plan<'_> {
    /// Returns when the next run is due by itself.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        let options = self.options;
        let spread = options.jitter.clamp(0.0, 1.0) * (rand::random::<f64>() * 2.0 - 1.0);
        let factor = 1.0 + spread;
        let offline = self.connection.state == State::Offline;
        if let Some(ended_at) = self.past.ended_at.filter(|_| self.past.failures > 0) {
            let longest = if self.past.store_failed {
                LONGEST_STORE_GAP
            } else {
                options.longest_gap
            };
            let wait = gap(options, self.past.failures).min(longest);
            return after(ended_at, wait, factor);
        }
        if let Some(due) = self.by_schedule(factor) {
            return Some(due);
        }
        match self.past.ended_at {
            Some(ended_at) if offline => after(ended_at, gap(options, 1), factor),
            // After a restart nobody remembers the failures; the source is asked at once.
            None if offline => Some(self.connection.state_since),
            _ => None,
        }
    }

    fn by_schedule(&self, factor: f64) -> Option<DateTime<Utc>> {
        if !self.has_resource_schedules() {
            return after(self.since_any(), self.connection.schedule?, factor);
        }
        // One factor for all: entities that were read together stay together.
        let entities = self.entities().filter_map(|entity| {
            let every = self.interval(entity)?;
            after(self.since(entity), every, factor)
        });
        entities.min()
    }

    /// Returns what a run by schedule reads that begins now; nothing for everything.
    ///
    /// All is read whose time has come, and what would be due within the jitter: entities of one schedule go together.
    pub(super) fn due_entities(&self, now: DateTime<Utc>) -> Option<Vec<EntityName>> {
        if !self.has_resource_schedules() {
            return None;
        }
        let earliest = 1.0 - self.options.jitter.clamp(0.0, 1.0);
        let is_due = |entity: &&EntityInfo| {
            let every = self.interval(entity);
            let due = every.and_then(|every| after(self.since(entity), every, earliest));
            due.is_some_and(|due| due <= now)
        };
        let due = self.entities().filter(is_due);
        let due: Vec<EntityName> = due.map(|entity| entity.name.clone()).collect();
        // A run that begins for another reason, to look whether the source answers again for example, reads everything.
        let is_part = !due.is_empty() && due.len() < self.entities().count();
        is_part.then_some(due)
    }

    /// Returns everything that can be read.
    pub(super) fn all_entities(&self) -> Vec<EntityName> {
        self.entities().map(|entity| entity.name.clone()).collect()
    }

    /// Returns how often an entity is read: as often as that of its resources that is read most often.
    fn interval(&self, entity: &EntityInfo) -> Option<Duration> {
        let connection = self.connection;
        let of_resource = |resource| match connection.resource_schedules.get(resource) {
            Some(own) => *own,
            None => connection.schedule,
        };
        if entity.resources.is_empty() {
            return connection.schedule;
        }
        entity.resources.iter().filter_map(of_resource).min()
    }

    fn has_resource_schedules(&self) -> bool {
        self.info.is_some() && !self.connection.resource_schedules.is_empty()
    }

    fn entities(&self) -> impl Iterator<Item = &EntityInfo> {
        self.info.into_iter().flat_map(|info| &info.entities)
    }

    fn since(&self, entity: &EntityInfo) -> DateTime<Utc> {
        let known = self.past.since(&entity.name);
        known.unwrap_or_else(|| self.since_any())
    }

    fn since_any(&self) -> DateTime<Utc> {
        self.past.since_any(self.connection)
    }
}

fn after(from: DateTime<Utc>, wait: Duration, factor: f64) -> Option<DateTime<Utc>> {
    let wait = TimeDelta::from_std(wait.mul_f64(factor)).ok()?;
    from.checked_add_signed(wait)
}

/// Returns the wait after so many failures in a row.
fn gap(options: &Options, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    options
        .first_gap
        .saturating_mul(1 << doublings)
        .min(options.longest_gap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;
    use wrenchtime_connector::SystemName;
    use wrenchtime_model::{ConnectionId, IdentityClass, Resource};

    use super::*;
    use crate::storage::{SealedSettings, StoredAccount};

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minute: i64) -> DateTime<Utc> {
        let begin: DateTime<Utc> = "2031-05-01T09:00:00Z".parse().unwrap();
        begin + TimeDelta::minutes(minute)
    }

    fn name(name: &'static str) -> EntityName {
        EntityName::from_static(name)
    }

    /// Orders, assets and places in one, and a table that becomes nothing by itself.
    fn info() -> ConnectorInfo {
        let entity = |own: &'static str, resources: &[Resource]| {
            EntityInfo::new(name(own), resources.to_vec(), IdentityClass::new(own))
        };
        let mut info = ConnectorInfo::new(SystemName::from_static("x"), "X");
        info.entities = vec![
            entity("orders", &[Resource::WorkOrder]),
            entity("places", &[Resource::Asset, Resource::Location]),
            entity("users", &[Resource::User]),
            entity("codes", &[]),
        ];
        info
    }

    fn connection(minutes: Option<u32>, own: &[(Resource, Option<u32>)]) -> StoredConnection {
        let every = |minutes: Option<u32>| minutes.map(|minutes| MINUTE * minutes);
        StoredConnection {
            id: ConnectionId::from_uuid(Uuid::nil()),
            system: SystemName::from_static("x"),
            name: String::new(),
            state: State::Active,
            state_since: at(0),
            reason: None,
            account: StoredAccount {
                identity: String::new(),
                display_name: String::new(),
                server_version: None,
            },
            sealed: SealedSettings {
                data_key: Vec::new(),
                settings: Vec::new(),
            },
            schedule: every(minutes),
            resource_schedules: own.iter().map(|(one, own)| (*one, every(*own))).collect(),
            created_at: at(0).into(),
            authorized_at: at(0),
            records_since: None,
        }
    }

    fn nothing_known() -> SyncSnapshot {
        SyncSnapshot {
            completed: BTreeMap::new(),
            records: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            head: at(0).into(),
            last_success_at: None,
        }
    }

    fn options(jitter: f64) -> Options {
        Options {
            jitter,
            ..Options::default()
        }
    }

    /// Runs by schedule up to a minute; tells when, and what each one read.
    fn runs(connection: &StoredConnection, jitter: f64, until: i64) -> Vec<(f64, String)> {
        let (options, info) = (options(jitter), info());
        let mut past = Past::default();
        past.know(&info, &nothing_known(), connection);
        let mut runs = Vec::new();
        loop {
            let plan = Plan {
                options: &options,
                connection,
                info: Some(&info),
                past: &past,
            };
            let Some(now) = plan.due().filter(|due| *due <= at(until)) else {
                return runs;
            };
            let all = info.entities.iter().map(|one| one.name.clone()).collect();
            let due = plan.due_entities(now).unwrap_or(all);
            let names: Vec<&str> = due.iter().map(EntityName::as_str).collect();
            let seconds = f64::from(i32::try_from((now - at(0)).num_seconds()).unwrap());
            runs.push((seconds / 60.0, names.join(" ")));
            past.reads(&due, now);
            past.last_start = Some(now);
        }
    }

    #[track_caller]
    fn check(connection: &StoredConnection, until: i64, expected: &[(f64, &str)]) {
        let runs = runs(connection, 0.0, until);
        let runs: Vec<(f64, &str)> = runs.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(runs, expected);
    }

    #[test]
    fn without_schedules_of_resources_everything_is_read_at_once() {
        let all = "orders places users codes";
        check(&connection(None, &[]), 60, &[]);
        check(&connection(Some(30), &[]), 60, &[(30.0, all), (60.0, all)]);
    }

    #[test]
    fn a_resource_is_read_by_its_own_schedule_and_the_others_by_the_connections() {
        let own = [(Resource::WorkOrder, Some(5)), (Resource::User, None)];
        check(
            &connection(Some(15), &own),
            20,
            &[
                (5.0, "orders"),
                (10.0, "orders"),
                (15.0, "orders places codes"),
                (20.0, "orders"),
            ],
        );
        // Of two resources of one table the more frequent one counts.
        check(
            &connection(None, &[(Resource::Location, Some(10))]),
            20,
            &[(10.0, "places"), (20.0, "places")],
        );
    }

    #[test]
    fn a_restart_goes_on_from_what_the_store_knows() {
        let connection = connection(Some(60), &[(Resource::WorkOrder, Some(5))]);
        let (options, info) = (options(0.0), info());
        let mut past = Past {
            last_start: Some(at(58)),
            ..Past::default()
        };
        past.completed = Some([(name("places"), at(1)), (name("orders"), at(58))].into());
        let plan = Plan {
            options: &options,
            connection: &connection,
            info: Some(&info),
            past: &past,
        };
        assert_eq!(plan.due(), Some(at(61)));
        assert_eq!(plan.due_entities(at(61)), Some(vec![name("places")]));
    }

    #[test]
    fn gaps_grow_up_to_the_longest() {
        let options = Options::default();
        let seconds: Vec<u64> = (1..=9)
            .map(|failures| gap(&options, failures).as_secs())
            .collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(gap(&options, u32::MAX).as_secs(), 3600);
    }

    proptest! {
        /// Each entity is read once in its interval, by the jitter more or less, and never in between for nothing.
        #[test]
        fn rule_9_jitter_keeps_within_its_bounds(
            jitter in 0.0..0.5_f64,
            orders in 1_u32..60,
            others in 1_u32..240,
        ) {
            let own = [(Resource::WorkOrder, Some(orders))];
            let runs = runs(&connection(Some(others), &own), jitter, 600);
            for (entity, every) in [("orders", orders), ("places", others), ("users", others)] {
                let every = f64::from(every);
                let mut last = 0.0;
                for (at, what) in &runs {
                    if what.split(' ').any(|name| name == entity) {
                        let gap = at - last;
                        // Times are whole seconds here.
                        prop_assert!(gap >= every * (1.0 - jitter) - 0.02, "{entity} {gap}");
                        prop_assert!(gap <= every * (1.0 + jitter) + 0.02, "{entity} {gap}");
                        last = *at;
                    }
                }
                prop_assert!(600.0 - last <= every * (1.0 + jitter) + 0.02, "{entity} rests");
            }
        }
    }
}
