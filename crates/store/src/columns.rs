//! Rows as columns, and back: what both databases say the same way.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;
use wrenchtime_connector::{
    ChangeTime, Document, EntityName, RemoteKey, RowIssue, SortKey, StreamName,
};
use wrenchtime_model::{
    ConnectionId, EndpointId, Event, EventBody, EventType, RecordChange, RecordId, RunId,
    SuspicionId,
};
use wrenchtime_service::storage::{ManagementKey, SecretHash};
use wrenchtime_sync::{
    KnownRow, LifecycleEvent, Outcome, RunFinish, RunReport, RunState, StoredDocument, Suspicion,
};
use wrenchtime_webhooks::{Attempt, AttemptOutcome, Delivery, DeliveryId, DeliveryState};

use crate::codec;
use crate::error::Fault;

/// Rows that could not be read are told one by one up to this number for each run.
pub(crate) const ISSUES_OF_RUN: i64 = 1_000;
/// How many runs of a connection are remembered.
pub(crate) const RUNS_KEPT: i64 = 1_000;
/// How many more there may be until they are taken away together: it costs as much as taking one away.
pub(crate) const RUNS_BEYOND: i64 = 50;
/// How many rows that could not be read are remembered of a connection, the latest of all runs. Beyond that number it is
/// not known any more which of them are still so.
pub(crate) const ISSUES_KEPT: i64 = 20_000;
/// What a receiver that answers 410 has its endpoint disabled for.
pub(crate) const RECEIVER_GONE: &str = "the receiver answered that it is gone";
/// Under this name the store keeps what tells its logs from those of any other.
pub(crate) const LOG_EPOCH: &str = "store.log_epoch";

/// Counts rows without a key that stand in the same place of one page: by their number they are told apart. Any other
/// row is the first.
#[derive(Default)]
pub(crate) struct Numbers<'a>(HashMap<&'a str, i64>);

impl<'a> Numbers<'a> {
    pub(crate) fn of(&mut self, issue: &'a RowIssue) -> i64 {
        if issue.key.is_some() {
            return 1;
        }
        let count = self.0.entry(&issue.place).or_default();
        *count += 1;
        *count
    }
}

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

/// Entity, key, sort key, version, hash, observation, change's instant and text, and body of a document.
pub(crate) type DocumentColumns<T> = (
    T,
    T,
    T,
    Option<T>,
    Vec<u8>,
    i64,
    Option<i64>,
    Option<T>,
    String,
);

pub(crate) fn stored_document<T: Into<String>>(
    columns: DocumentColumns<T>,
) -> Result<StoredDocument, Fault> {
    let (entity, key, sort_key, version, hash, observation, changed_at, changed_text, body) =
        columns;
    let body = RawValue::from_string(body).map_err(|error| Fault::Corrupt(error.to_string()))?;
    let changed = changed_at.zip(changed_text).map(|(at, text)| {
        let at = codec::instant(at)?;
        let text = text.into();
        Ok::<_, Fault>(ChangeTime { at, text })
    });
    let key = RemoteKey::new(key);
    let document = Document::new(EntityName::new(entity.into()), key, body)
        .with_version(version.map(Into::into))
        .with_changed_at(changed.transpose()?);
    Ok(StoredDocument {
        document,
        sort_key: SortKey::from_stored(sort_key),
        hash: codec::hash(&hash)?,
        observation,
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

/// A run that is to end, and what it leaves. Most leave nothing, and then none of it is looked for.
pub(crate) struct Ending {
    pub(crate) row: i64,
    pub(crate) run: RunState,
    pub(crate) has_marks: bool,
    pub(crate) has_issues: bool,
    /// The connection has so many runs beyond those that are remembered that they are to go.
    pub(crate) has_old_runs: bool,
}

/// The columns of a run, its row, and the rest of an [`Ending`].
pub(crate) type EndingColumns = (
    Uuid,
    String,
    i64,
    Option<i64>,
    Option<String>,
    String,
    i64,
    bool,
    bool,
    bool,
);

pub(crate) fn ending(columns: EndingColumns) -> Result<Ending, Fault> {
    let (id, mode, started_at, finished_at, outcome, progress, row, marks, issues, old) = columns;
    Ok(Ending {
        row,
        run: run_state((id, mode, started_at, finished_at, outcome, progress))?,
        has_marks: marks,
        has_issues: issues,
        has_old_runs: old,
    })
}

/// Id, stream, entity, run, beginning, last finding, missing, stored and confirmation of a suspicion.
pub(crate) type SuspicionColumns<T> = (Uuid, T, T, Uuid, i64, i64, i64, i64, Option<i64>);

pub(crate) fn suspicion<T: Into<String>>(columns: SuspicionColumns<T>) -> Result<Suspicion, Fault> {
    let (id, stream, entity, run, since, found_at, missing, stored, confirmed_at) = columns;
    Ok(Suspicion {
        id: SuspicionId::from_uuid(id),
        stream: StreamName::new(stream.into()),
        entity: EntityName::new(entity.into()),
        run: RunId::from_uuid(run),
        since: codec::instant(since)?,
        found_at: codec::instant(found_at)?,
        missing: codec::unsigned(missing)?,
        stored: codec::unsigned(stored)?,
        confirmed_at: confirmed_at.map(codec::instant).transpose()?,
    })
}

/// Returns what the log is told of a run's end.
pub(crate) fn event_at_end(
    finish: &RunFinish,
    report: &RunReport,
) -> Result<Option<LifecycleEvent>, Fault> {
    let event = match finish.outcome {
        Outcome::Complete | Outcome::Partial => Some(EventType::SyncCompleted),
        Outcome::Failed => Some(EventType::SyncFailed),
        Outcome::Cancelled => None,
    };
    let data = serde_json::to_value(report).map_err(|error| Fault::Corrupt(error.to_string()))?;
    Ok(event.map(|event| LifecycleEvent { event, data }))
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
