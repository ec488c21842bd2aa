//! Rows as columns, and back: what both databases say the same way.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use wrenchtime_connector::{RemoteKey, SortKey};
use wrenchtime_model::{
    ConnectionId, EndpointId, Event, EventBody, EventType, RecordChange, RecordId, RunId,
};
use wrenchtime_service::storage::{ManagementKey, SecretHash};
use wrenchtime_sync::{KnownRow, LifecycleEvent, Outcome, RunFinish, RunReport, RunState};
use wrenchtime_webhooks::{Attempt, AttemptOutcome, Delivery, DeliveryId, DeliveryState};

use crate::codec;
use crate::error::Fault;

/// Rows that could not be read are told one by one up to this number for each run.
pub(crate) const ISSUES_OF_RUN: i64 = 1_000;
/// How many runs of a connection are remembered.
pub(crate) const RUNS_KEPT: i64 = 1_000;
/// Of how many runs that met rows that could not be read it is remembered which. A run that met none counts for nothing:
/// what the daily listing met is still so when many runs have asked for changes since.
pub(crate) const RUNS_WITH_ISSUES: i64 = 20;
/// What a receiver that answers 410 has its endpoint disabled for.
pub(crate) const RECEIVER_GONE: &str = "the receiver answered that it is gone";
/// Under this name the store keeps what tells its logs from those of any other.
pub(crate) const LOG_EPOCH: &str = "store.log_epoch";

/// Key, sort key, version, hash, mapper, observation, whether it is gone, and resources of a row.
pub(crate) type KnownColumns = (
    String,
    String,
    Option<String>,
    Vec<u8>,
    String,
    i64,
    bool,
    String,
);

pub(crate) fn known_row(columns: KnownColumns) -> Result<KnownRow, Fault> {
    let (key, sort_key, version, hash, mapped_by, observation, gone, resources) = columns;
    Ok(KnownRow {
        key: RemoteKey::new(key),
        sort_key: SortKey::from_stored(sort_key),
        version,
        hash: codec::hash(&hash)?,
        mapped_by,
        observation,
        gone,
        resources: codec::resources_from_text(&resources)?,
    })
}

/// Id, mode, beginning, end, outcome and progress of a run.
pub(crate) type RunColumns = (Uuid, String, i64, Option<i64>, Option<String>, String);

pub(crate) fn run_state(columns: RunColumns) -> Result<RunState, Fault> {
    let (id, mode, started_at, finished_at, outcome, progress) = columns;
    let finished = match (finished_at, outcome) {
        (Some(at), Some(outcome)) => Some((codec::instant(at)?, codec::from_name(&outcome)?)),
        _ => None,
    };
    Ok(RunState {
        id: RunId::from_uuid(id),
        mode: codec::from_name(&mode)?,
        started_at: codec::instant(started_at)?,
        progress: codec::from_json(&progress)?,
        finished,
    })
}

/// Returns what the log is told of a run's end, in order.
pub(crate) fn events_at_end(
    finish: &RunFinish,
    report: &RunReport,
) -> Result<Vec<LifecycleEvent>, Fault> {
    let event = match finish.outcome {
        Outcome::Complete | Outcome::Partial => Some(EventType::SyncCompleted),
        Outcome::Failed => Some(EventType::SyncFailed),
        Outcome::Cancelled => None,
    };
    let data = serde_json::to_value(report).map_err(|error| Fault::Corrupt(error.to_string()))?;
    let end = event.map(|event| LifecycleEvent { event, data });
    Ok(end.into_iter().chain(finish.events.clone()).collect())
}

/// Id, name, hash, making and end of a management key.
pub(crate) type KeyColumns = (Uuid, String, Vec<u8>, i64, Option<i64>);

pub(crate) fn management_key(columns: KeyColumns) -> Result<ManagementKey, Fault> {
    let (id, name, hash, created_at, revoked_at) = columns;
    Ok(ManagementKey {
        id,
        name,
        hash: SecretHash(codec::hash(&hash)?),
        created_at: codec::instant(created_at)?,
        revoked_at: revoked_at.map(codec::instant).transpose()?,
    })
}

/// An event as columns.
#[derive(Debug)]
pub(crate) struct EventColumns {
    pub(crate) sequence: i64,
    pub(crate) time: i64,
    pub(crate) name: String,
    pub(crate) resource: Option<String>,
    pub(crate) record: Option<Uuid>,
    pub(crate) initial: bool,
    pub(crate) data: Option<String>,
}

pub(crate) fn event(columns: EventColumns, connection_id: ConnectionId) -> Result<Event, Fault> {
    let name = columns.name;
    let event: EventType = codec::from_name(&name)?;
    let change = match event {
        EventType::RecordCreated => Some(RecordChange::Created),
        EventType::RecordUpdated => Some(RecordChange::Updated),
        EventType::RecordDeleted => Some(RecordChange::Deleted),
        _ => None,
    };
    let body = match (change, columns.resource, columns.record) {
        (Some(change), Some(resource), Some(record)) => EventBody::Record {
            change,
            resource: codec::resource(&resource)?,
            record_id: RecordId::from_uuid(record),
            initial: columns.initial,
        },
        (Some(_), ..) => return Err(Fault::Corrupt(format!("{name} of no record"))),
        (None, ..) => EventBody::Lifecycle {
            event,
            data: codec::from_json(columns.data.as_deref().unwrap_or("null"))?,
        },
    };
    Ok(Event {
        sequence: codec::unsigned(columns.sequence)?,
        connection_id,
        time: codec::timestamp(columns.time)?,
        body,
    })
}

/// Ids of a delivery, its endpoint and its connection; event, state, attempts, making, next attempt, last status and
/// error.
pub(crate) type DeliveryColumns = (
    Uuid,
    Uuid,
    Uuid,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

pub(crate) fn delivery(columns: DeliveryColumns) -> Result<Delivery, Fault> {
    let (id, endpoint, connection, event, state, attempts, created_at, next, status, error) =
        columns;
    Ok(Delivery {
        id: DeliveryId::from_uuid(id),
        endpoint_id: EndpointId::from_uuid(endpoint),
        connection_id: ConnectionId::from_uuid(connection),
        event: codec::from_name(&event)?,
        state: codec::from_name(&state)?,
        attempts: codec::small(attempts)?,
        created_at: codec::instant(created_at)?,
        next_attempt_at: next.map(codec::instant).transpose()?,
        last_status: status
            .map(u16::try_from)
            .transpose()
            .map_err(|_| Fault::Corrupt(format!("status {status:?} of an attempt")))?,
        last_error: error,
    })
}

/// Returns the state of a delivery after an attempt, and when the next one is due.
pub(crate) fn after_attempt(attempt: &Attempt) -> (DeliveryState, Option<DateTime<Utc>>) {
    match &attempt.outcome {
        AttemptOutcome::Delivered => (DeliveryState::Delivered, None),
        AttemptOutcome::RetryAt(at) => (DeliveryState::Pending, Some(*at)),
        AttemptOutcome::Failed => (DeliveryState::Failed, None),
        AttemptOutcome::Gone => (DeliveryState::Pending, Some(attempt.at)),
    }
}
