//! Records as the API shows them, put together from stored text.

use serde_json::value::RawValue;
use wrenchtime_service::storage::StoredRecord;

use crate::codec;
use crate::error::Fault;

/// Returns envelope and content side by side in one object. The content is not parsed.
pub(crate) fn record_json(record: &StoredRecord) -> Result<Box<RawValue>, Fault> {
    let envelope = codec::to_json(&record.envelope)?;
    let content = record.content.trim();
    let (Some(head), Some(tail)) = (envelope.strip_suffix('}'), content.strip_prefix('{')) else {
        return Err(Fault::Corrupt(format!(
            "record {} has no object as content",
            record.envelope.id
        )));
    };
    let comma = if tail.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    RawValue::from_string(format!("{head}{comma}{tail}"))
        .map_err(|error| Fault::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use wrenchtime_model::{
        Asset, ConnectionId, Envelope, IdentityClass, Record, RecordId, Resource, Timestamp,
    };

    use super::*;

    #[track_caller]
    fn check(content: &str) {
        let connection_id = ConnectionId::new();
        let time = Timestamp::from_micros(1_900_000_000_000_001).unwrap();
        let envelope = Envelope {
            id: RecordId::derive(connection_id, &IdentityClass::new("asset"), "7"),
            remote_id: "7 \"}".to_owned(),
            connection_id,
            created_at: time,
            modified_at: time,
            remote_created_at: None,
            remote_modified_at: Some(time),
            deleted: false,
            sequence: 3,
        };
        let record = StoredRecord {
            resource: Resource::Asset,
            envelope: envelope.clone(),
            content: content.to_owned(),
            raw: None,
        };
        let json = record_json(&record).unwrap();
        let read: Record<Asset> = serde_json::from_str(json.get()).unwrap();
        assert_eq!(read.envelope, envelope);
        assert_eq!(read.content, serde_json::from_str(content).unwrap());
    }

    #[test]
    fn envelope_and_content_stand_side_by_side() {
        check(r#"{"name":"Pump {7}"}"#);
        check("{}");
        check("{ }");
        check(" {\"name\": \"x\"}\n");
    }

    #[test]
    fn content_that_is_no_object_is_told() {
        let connection_id = ConnectionId::new();
        let time = Timestamp::from_micros(0).unwrap();
        let record = StoredRecord {
            resource: Resource::Asset,
            envelope: Envelope {
                id: RecordId::derive(connection_id, &IdentityClass::new("asset"), "7"),
                remote_id: String::new(),
                connection_id,
                created_at: time,
                modified_at: time,
                remote_created_at: None,
                remote_modified_at: None,
                deleted: false,
                sequence: 1,
            },
            content: "[]".to_owned(),
            raw: None,
        };
        assert!(matches!(record_json(&record), Err(Fault::Corrupt(_))));
    }
}
