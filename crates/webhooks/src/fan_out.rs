//! From a stretch of an event log to one message for each endpoint that wants it. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wrenchtime_model::{ConnectionId, EventBody, EventType, Resource};

use crate::storage::{DeliveryId, Message, PendingEvent};
use crate::{Endpoint, StoreError};

/// Records of one message, at most.
const BATCH_RECORDS: usize = 100;
/// Bytes of records in one message, at most, unless a single record is larger.
const BATCH_BYTES: usize = 200 * 1024;

/// What every message's body has.
#[derive(Serialize)]
struct Body<'a> {
    id: String,
    #[serde(rename = "type")]
    event: EventType,
    timestamp: DateTime<Utc>,
    connection_id: ConnectionId,
    sequence: u64,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Records {
        resource: Resource,
        initial: bool,
        records: Vec<&'a RawValue>,
    },
    Lifecycle(&'a Value),
}

/// Makes the messages that tell one endpoint of these events, in order.
///
/// Neighbouring changes of one kind and resource share a message, so that a first sync of a hundred thousand records
/// is no hundred thousand requests.
///
/// # Errors
/// When a body cannot be written as JSON, which the types rule out.
pub(crate) fn messages(
    endpoint: &Endpoint,
    events: &[PendingEvent],
    now: DateTime<Utc>,
) -> Result<Vec<Message>, StoreError> {
    let wanted: Vec<&PendingEvent> = events
        .iter()
        .filter(|event| is_wanted(endpoint, event))
        .collect();
    let mut messages = Vec::new();
    let mut rest = wanted.as_slice();
    while let Some(first) = rest.first() {
        let (batch, behind) = rest.split_at(batch_length(first, rest));
        messages.push(message(endpoint, batch, now)?);
        rest = behind;
    }
    Ok(messages)
}

fn is_wanted(endpoint: &Endpoint, pending: &PendingEvent) -> bool {
    let event = &pending.event;
    let initial = matches!(event.body, EventBody::Record { initial: true, .. });
    // A record event without its record: a later event tells of what became of it.
    let is_told = matches!(event.body, EventBody::Lifecycle { .. }) || pending.record.is_some();
    is_told && endpoint.wants(event.connection_id, event.body.event_type(), initial)
}

/// Returns how many events from the first on share its message, at least one.
fn batch_length(first: &PendingEvent, rest: &[&PendingEvent]) -> usize {
    let EventBody::Record {
        change,
        resource,
        initial,
        ..
    } = &first.event.body
    else {
        return 1;
    };
    let mut bytes = 0;
    rest.iter()
        .take(BATCH_RECORDS)
        .take_while(|pending| {
            let alike = matches!(&pending.event.body, EventBody::Record { change: c, resource: r, initial: i, .. }
                if c == change && r == resource && i == initial);
            let is_first = bytes == 0;
            bytes += pending.record.as_ref().map_or(0, |record| record.get().len());
            alike && (is_first || bytes <= BATCH_BYTES)
        })
        .count()
        .max(1)
}

fn message(
    endpoint: &Endpoint,
    batch: &[&PendingEvent],
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let last = &batch[batch.len() - 1].event;
    let event = last.body.event_type();
    let id = DeliveryId::derive(endpoint.id, last.connection_id, event, last.sequence);
    let data = match &last.body {
        EventBody::Record {
            resource, initial, ..
        } => Data::Records {
            resource: *resource,
            initial: *initial,
            records: batch
                .iter()
                .filter_map(|pending| pending.record.as_deref())
                .collect(),
        },
        EventBody::Lifecycle { data, .. } => Data::Lifecycle(data),
    };
    let body = Body {
        id: id.to_string(),
        event,
        timestamp: last.time.as_datetime(),
        connection_id: last.connection_id,
        sequence: last.sequence,
        data,
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| StoreError::new("write a webhook's body").with_source(error))?;
    Ok(Message {
        id,
        endpoint: endpoint.id,
        event,
        sequence: last.sequence,
        body,
        created_at: now,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wrenchtime_model::{EndpointId, Event, IdentityClass, RecordChange, RecordId, Timestamp};

    use super::*;
    use crate::{EndpointScope, NewEndpoint};

    fn endpoint(scope: EndpointScope, events: &[EventType], include_initial: bool) -> Endpoint {
        let new = NewEndpoint {
            url: "https://receiver.example/hook".parse().unwrap(),
            description: None,
            scope,
            events: events.iter().copied().collect::<BTreeSet<_>>(),
            include_initial,
        };
        Endpoint::new(EndpointId::new(), new, Vec::new(), DateTime::UNIX_EPOCH)
    }

    fn record(
        connection: ConnectionId,
        sequence: u64,
        change: RecordChange,
        initial: bool,
    ) -> PendingEvent {
        record_of_size(connection, sequence, (change, initial), 10)
    }

    fn record_of_size(
        connection: ConnectionId,
        sequence: u64,
        (change, initial): (RecordChange, bool),
        size: usize,
    ) -> PendingEvent {
        let record_id = RecordId::derive(
            connection,
            &IdentityClass::new("asset"),
            &sequence.to_string(),
        );
        let body = EventBody::Record {
            change,
            resource: Resource::Asset,
            record_id,
            initial,
        };
        let time = Timestamp::from(DateTime::UNIX_EPOCH);
        let record = RawValue::from_string(format!("{{\"n\":\"{}\"}}", "x".repeat(size))).unwrap();
        PendingEvent {
            event: Event {
                sequence,
                connection_id: connection,
                time,
                body,
            },
            record: Some(record),
        }
    }

    fn lengths(endpoint: &Endpoint, events: &[PendingEvent]) -> Vec<(u64, usize)> {
        messages(endpoint, events, DateTime::UNIX_EPOCH)
            .unwrap()
            .iter()
            .map(|message| {
                let body: Value = serde_json::from_slice(&message.body).unwrap();
                assert_eq!(body["id"], message.id.to_string());
                assert_eq!(body["sequence"], message.sequence);
                (
                    message.sequence,
                    body["data"]["records"].as_array().map_or(0, Vec::len),
                )
            })
            .collect()
    }

    #[test]
    fn neighbours_of_one_kind_share_a_message() {
        let connection = ConnectionId::new();
        let mut events: Vec<_> = (1..=250)
            .map(|n| record(connection, n, RecordChange::Created, false))
            .collect();
        events.push(record(connection, 251, RecordChange::Deleted, false));
        events.push(record(connection, 252, RecordChange::Created, false));
        let got = lengths(&endpoint(EndpointScope::All, &[], false), &events);
        assert_eq!(got, [(100, 100), (200, 100), (250, 50), (251, 1), (252, 1)]);
    }

    #[test]
    fn large_records_are_told_apart() {
        let connection = ConnectionId::new();
        let created = (RecordChange::Created, false);
        let events: Vec<_> = (1..=3)
            .map(|n| record_of_size(connection, n, created, BATCH_BYTES * 2 / 3))
            .collect();
        let got = lengths(&endpoint(EndpointScope::All, &[], false), &events);
        assert_eq!(got, [(1, 1), (2, 1), (3, 1)]);
    }

    #[test]
    fn an_endpoint_gets_what_it_asked_for() {
        let (mine, other) = (ConnectionId::new(), ConnectionId::new());
        let events = [
            record(mine, 1, RecordChange::Created, true),
            record(mine, 2, RecordChange::Updated, false),
            record(other, 3, RecordChange::Updated, false),
            record(mine, 4, RecordChange::Deleted, false),
        ];
        let only_mine = EndpointScope::Connection(mine);
        let updates = [EventType::RecordUpdated];
        assert_eq!(
            lengths(&endpoint(only_mine, &updates, false), &events),
            [(2, 1)]
        );
        assert_eq!(
            lengths(&endpoint(only_mine, &[], true), &events),
            [(1, 1), (2, 1), (4, 1)]
        );
        assert_eq!(
            lengths(
                &endpoint(EndpointScope::Connection(other), &[], true),
                &events
            ),
            [(3, 1)]
        );
        let mut off = endpoint(EndpointScope::All, &[], true);
        off.disabled = Some((DateTime::UNIX_EPOCH, "by hand".to_owned()));
        assert_eq!(lengths(&off, &events), []);
    }

    #[test]
    fn the_same_stretch_makes_the_same_ids() {
        let connection = ConnectionId::new();
        let events = [record(connection, 1, RecordChange::Created, false)];
        let endpoint = endpoint(EndpointScope::All, &[], false);
        let first = messages(&endpoint, &events, DateTime::UNIX_EPOCH).unwrap();
        let again = messages(&endpoint, &events, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(first[0].id, again[0].id);
        assert_eq!(first[0].body, again[0].body);
    }
}
