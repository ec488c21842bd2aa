//! Runs, and how fresh a connection's copy is.

use chrono::{DateTime, Utc};
use wrenchtime_connector::{ConnectorInfo, EntityInfo, Role, StreamName, SystemName};
use wrenchtime_model::{ConnectionId, Resource, RunId, Timestamp};
use wrenchtime_sync::{Mode, RunState};

use crate::runner::{SyncOrder, SyncRequested};
use crate::storage::{RecordCounts, StoredConnection, SyncSnapshot};
use crate::{Error, Result, Service, State};

/// A run to make now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyncRequest {
    /// How much it reads.
    pub mode: Mode,
}

/// Where a connection stands, and what it does.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The connection.
    pub connection: StoredConnection,
    /// The run under way, as far as it is.
    pub syncing: Option<RunState>,
    /// The run before, or the last one.
    pub last_run: Option<RunState>,
    /// When the last run ended that was complete or partial.
    pub last_success_at: Option<DateTime<Utc>>,
    /// A run is wanted and has not begun: it waits for its turn, for another to end, or for the end of a pause.
    pub queued: bool,
    /// When the next run begins by itself.
    pub next_sync_at: Option<DateTime<Utc>>,
}

impl Status {
    /// Returns since when the served data is not renewed, where the source cannot be read.
    pub fn stale_since(&self) -> Option<DateTime<Utc>> {
        is_stale(self.connection.state)
            .then(|| self.last_success_at.unwrap_or(self.connection.state_since))
    }
}

/// How fresh a connection's copy is.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct SyncStatus {
    /// Safe to list changes from next time, for every resource.
    pub next_modified_after: Timestamp,
    /// Each resource that the system has.
    pub resources: Vec<ResourceStatus>,
}

/// How fresh one resource is.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct ResourceStatus {
    /// The resource.
    pub resource: Resource,
    /// When its last complete pass ended, never later than what is safe to list changes from.
    pub last_synced_at: Option<Timestamp>,
    /// Every row of the source was seen at least once.
    pub complete: bool,
    /// How many records there are.
    pub records: RecordCounts,
}

impl Service {
    /// Asks for a run: joins the one under way if that does it all, else it comes next.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::State`] where nothing is read in the connection's state;
    /// [`Error::NotRunning`] before [`Service::start`] and after [`Service::shutdown`].
    pub async fn start_sync(
        &self,
        id: ConnectionId,
        request: SyncRequest,
    ) -> Result<SyncRequested> {
        let connection = self.core.connection(id).await?;
        if !connection.state.runs() {
            return Err(Error::State {
                id,
                state: connection.state,
                action: "syncing",
            });
        }
        self.runner.attach(id, None);
        let order = SyncOrder::on_demand(request.mode, self.core.clock.now());
        self.runner.request(id, order)
    }

    /// Ends the run under way after the page that it is at. Tells whether there was one.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn cancel_sync(&self, id: ConnectionId) -> Result<bool> {
        self.core.connection(id).await?;
        Ok(self.runner.cancel(id))
    }

    /// Returns how many runs wait for their turn, those included that gave it up for others.
    pub fn waiting_runs(&self) -> usize {
        self.runner.waiting()
    }

    /// Returns a connection's runs, newest first, before `before` where given; the one under way with its progress.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn runs(
        &self,
        id: ConnectionId,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunState>> {
        self.core.connection(id).await?;
        let mut runs = self.core.connections.runs(id, before, limit).await?;
        for run in &mut runs {
            self.show_progress(id, run);
        }
        Ok(runs)
    }

    /// Returns one run of a connection.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn run(&self, id: ConnectionId, run: RunId) -> Result<Option<RunState>> {
        self.core.connection(id).await?;
        let mut run = self.core.connections.run(id, run).await?;
        if let Some(run) = &mut run {
            self.show_progress(id, run);
        }
        Ok(run)
    }

    /// Returns where a connection stands. Answers in every state.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn status(&self, id: ConnectionId) -> Result<Status> {
        let connection = self.core.connection(id).await?;
        let snapshot = self.core.records.sync_snapshot(id).await?;
        let runs = self.core.connections.runs(id, None, 2).await?;
        let (mut syncing, mut last_run) = (None, None);
        for mut run in runs {
            if run.finished.is_none() && syncing.is_none() && self.runner.live(id).is_some() {
                self.show_progress(id, &mut run);
                syncing = Some(run);
            } else if last_run.is_none() {
                last_run = Some(run);
            }
        }
        Ok(Status {
            connection,
            syncing,
            last_run,
            last_success_at: snapshot.last_success_at,
            queued: self.runner.is_queued(id),
            next_sync_at: self.runner.next_at(id),
        })
    }

    /// Returns how fresh each resource of a connection is.
    ///
    /// # Errors
    /// [`Error::NoConnection`], or when the store fails.
    pub async fn sync_status(&self, id: ConnectionId) -> Result<SyncStatus> {
        let connection = self.core.connection(id).await?;
        let snapshot = self.core.records.sync_snapshot(id).await?;
        // A system that is not here any more has nothing to tell of.
        let info = self
            .core
            .systems
            .get(&connection.system)
            .map(|factory| factory.info());
        let resources = info
            .into_iter()
            .flat_map(|info| info.resources.iter().map(move |one| (info, one.resource)))
            .map(|(info, resource)| resource_status(info, resource, &snapshot))
            .collect();
        Ok(SyncStatus {
            next_modified_after: snapshot.head,
            resources,
        })
    }

    /// Returns the streams that must have had a complete pass before a list of this resource is complete; nothing when
    /// the system is not here any more.
    pub fn complete_when(
        &self,
        system: &SystemName,
        resource: Resource,
    ) -> Option<Vec<StreamName>> {
        let info = self.core.systems.get(system)?.info();
        let streams = entities(info, resource)
            .filter_map(EntityInfo::listing)
            .map(|stream| stream.name.clone())
            .collect();
        Some(streams)
    }

    /// Returns since when a connection's data is not renewed, where the source cannot be read.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stale_since(
        &self,
        connection: &StoredConnection,
    ) -> Result<Option<DateTime<Utc>>> {
        if !is_stale(connection.state) {
            return Ok(None);
        }
        let snapshot = self.core.records.sync_snapshot(connection.id).await?;
        Ok(Some(
            snapshot.last_success_at.unwrap_or(connection.state_since),
        ))
    }

    fn show_progress(&self, id: ConnectionId, run: &mut RunState) {
        if run.finished.is_none()
            && let Some(live) = self.runner.live(id)
            && live.pages > run.progress.pages
        {
            run.progress = live;
        }
    }
}

fn is_stale(state: State) -> bool {
    match state {
        State::Offline | State::Paused | State::ReauthorizationRequired | State::Disconnected => {
            true
        }
        State::Active | State::Pending => false,
    }
}

fn entities(info: &ConnectorInfo, resource: Resource) -> impl Iterator<Item = &EntityInfo> {
    info.entities
        .iter()
        .filter(move |entity| entity.resources.contains(&resource))
}

fn resource_status(
    info: &ConnectorInfo,
    resource: Resource,
    snapshot: &SyncSnapshot,
) -> ResourceStatus {
    let synced = entities(info, resource)
        .map(|entity| entity_synced_at(entity, snapshot))
        .min()
        .flatten();
    ResourceStatus {
        resource,
        last_synced_at: synced.map(|at| Timestamp::from(at).min(snapshot.head)),
        complete: entities(info, resource)
            .filter_map(EntityInfo::listing)
            .all(|stream| snapshot.completed.contains_key(&stream.name)),
        records: snapshot.records.get(&resource).copied().unwrap_or_default(),
    }
}

/// Returns when an entity was last read: by its listing, or by all its streams of changes, whichever was later.
fn entity_synced_at(entity: &EntityInfo, snapshot: &SyncSnapshot) -> Option<DateTime<Utc>> {
    let of_role = |role| {
        entity
            .streams
            .iter()
            .filter(move |stream| stream.role == role)
            .map(|stream| snapshot.completed.get(&stream.name).copied())
    };
    let changes = of_role(Role::Changes).min().flatten();
    let listing = of_role(Role::Listing).max().flatten();
    // Streams of changes alone do not make a copy: before the first listing rows may be missing.
    listing.map(|listing| changes.map_or(listing, |changes| changes.max(listing)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use wrenchtime_connector::{EntityName, Precision, StreamInfo};
    use wrenchtime_model::IdentityClass;

    use super::*;

    fn info() -> ConnectorInfo {
        let mut entity = EntityInfo::new(
            EntityName::from_static("Row"),
            vec![Resource::Asset],
            IdentityClass::new("asset"),
        );
        let changes = |name| StreamInfo::changes(name, 10, Precision::Second, Duration::ZERO);
        entity.streams = vec![
            changes(StreamName::from_static("a")),
            changes(StreamName::from_static("b")),
            StreamInfo::listing(StreamName::from_static("all"), 10),
        ];
        let mut info = ConnectorInfo::new(SystemName::from_static("x"), "X");
        info.entities = vec![entity];
        info
    }

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2031-05-01T09:{minute:02}:00Z").parse().unwrap()
    }

    #[track_caller]
    fn check(completed: &[(&'static str, u32)], expected: Option<u32>) {
        let snapshot = SyncSnapshot {
            completed: completed
                .iter()
                .map(|(name, minute)| (StreamName::from_static(name), at(*minute)))
                .collect(),
            records: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            head: at(40).into(),
            last_success_at: None,
        };
        let status = resource_status(&info(), Resource::Asset, &snapshot);
        assert_eq!(
            status.last_synced_at,
            expected.map(|minute| at(minute).into())
        );
    }

    #[test]
    fn a_resource_is_as_fresh_as_its_stalest_stream_of_changes() {
        check(&[], None);
        check(&[("a", 5), ("b", 6)], None);
        check(&[("all", 3)], Some(3));
        check(&[("all", 3), ("a", 5)], Some(3));
        check(&[("all", 3), ("a", 5), ("b", 6)], Some(5));
        check(&[("all", 7), ("a", 5), ("b", 6)], Some(7));
    }

    #[test]
    fn what_it_says_is_always_safe_to_list_changes_from() {
        check(&[("all", 50)], Some(40));
    }
}
