//! Records as the API shows them: kept as text in two parts, read as one, and those of a page of a list in one.

use serde_json::value::RawValue;
use wrenchtime_model::{Envelope, Timestamp};
use wrenchtime_service::storage::{JsonTexts, ListOrder, ListPage, ListQuery, StoredRecord};

use crate::codec;
use crate::error::Fault;

/// Returns the first part of a record's text: its envelope, whose object does not end there.
pub(crate) fn envelope_part(envelope: &Envelope) -> Result<String, Fault> {
    let mut text = codec::to_json(envelope)?;
    text.pop();
    Ok(text)
}

/// Returns the second part of a record's text: its content, with what leads over from the envelope.
pub(crate) fn content_part(content: &RawValue) -> Result<String, Fault> {
    let members = content
        .get()
        .strip_prefix('{')
        .ok_or_else(|| Fault::Corrupt("a record has no object as content".to_owned()))?;
    let comma = if members.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    Ok(format!("{comma}{members}"))
}

/// Reads an envelope from the first part of a record's text.
pub(crate) fn envelope(part: &str) -> Result<Envelope, Fault> {
    codec::from_json(&format!("{part}}}"))
}

/// Returns a record's text as JSON.
pub(crate) fn json(record: StoredRecord) -> Result<Box<RawValue>, Fault> {
    RawValue::from_string(record.text).map_err(|error| Fault::Corrupt(error.to_string()))
}

/// About how many bytes the text of a record has; what is too little is copied once more.
const RECORD_BYTES: usize = 2_500;
/// Bytes for which room is made before they are there, at most.
const MOST_ROOM: usize = 1_000_000;

/// The rows of a page of a list in its order, one more than are wanted where there are more.
pub(crate) struct Rows {
    places: Vec<i64>,
    records: JsonTexts,
    /// The source document of each, where they were asked for.
    raw: Option<JsonTexts>,
}

impl Rows {
    pub(crate) fn new(query: &ListQuery) -> Self {
        let room = limit(query).saturating_mul(RECORD_BYTES).min(MOST_ROOM);
        Self {
            places: Vec::new(),
            records: JsonTexts::with_capacity(room),
            raw: query.include_raw.then(JsonTexts::default),
        }
    }

    /// Adds a row: its place in the query's order, the two parts of its text, and its source document.
    pub(crate) fn push(&mut self, place: i64, record: [&str; 2], raw: Option<&str>) {
        self.places.push(place);
        self.records.push(&record);
        if let (Some(all), Some(raw)) = (&mut self.raw, raw) {
            all.push(&[raw]);
        }
    }
}

fn limit(query: &ListQuery) -> usize {
    usize::try_from(query.limit).unwrap_or(usize::MAX)
}

/// Makes a page of a list out of its rows, the event clock, and whether what is listed was read completely once.
pub(crate) fn list_page(
    query: &ListQuery,
    rows: Rows,
    (head, complete): (Timestamp, bool),
) -> Result<ListPage, Fault> {
    let Rows {
        places,
        mut records,
        mut raw,
    } = rows;
    let limit = limit(query);
    let last = limit.checked_sub(1).and_then(|last| places.get(last));
    let next = match last {
        Some(place) if places.len() > limit => Some(behind(query.order, *place)?),
        _ => None,
    };
    records.truncate(limit);
    if let Some(raw) = &mut raw {
        raw.truncate(limit);
    }
    Ok(ListPage {
        records,
        raw,
        next,
        head,
        complete,
    })
}

/// Returns the position behind a place.
fn behind(order: ListOrder, place: i64) -> Result<ListOrder, Fault> {
    Ok(match order {
        ListOrder::Creation(_) => ListOrder::Creation(Some(codec::timestamp(place)?)),
        ListOrder::Sequence(_) => ListOrder::Sequence(Some(codec::unsigned(place)?)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use wrenchtime_model::{ConnectionId, IdentityClass, RecordId, Resource};
    use wrenchtime_service::storage::RecordFilter;

    use super::*;

    fn envelope(connection_id: ConnectionId) -> Envelope {
        let time = Timestamp::from_micros(1_900_000_000_000_001).unwrap();
        Envelope {
            id: RecordId::derive(connection_id, &IdentityClass::new("asset"), "7"),
            remote_id: "7 \"}\n".to_owned(),
            connection_id,
            created_at: time,
            modified_at: time,
            remote_created_at: None,
            remote_modified_at: Some(time),
            deleted: false,
            sequence: 3,
        }
    }

    #[track_caller]
    fn text_of(content: &str) -> String {
        let envelope = envelope(ConnectionId::new());
        let raw: Box<RawValue> = serde_json::from_str(content).unwrap();
        let text = envelope_part(&envelope).unwrap() + &content_part(&raw).unwrap();
        let record = StoredRecord {
            text: text.clone(),
            raw: None,
        };
        let read = record.read::<Value>().unwrap();
        assert_eq!(read.envelope, envelope);
        assert_eq!(
            read.content,
            serde_json::from_str::<Value>(content).unwrap()
        );
        text
    }

    #[test]
    fn envelope_and_content_stand_side_by_side() {
        let text = text_of("{\"name\":\"\\nÖl {7}\",\"price\":1.10}");
        let end = "\"sequence\":3,\"name\":\"\\nÖl {7}\",\"price\":1.10}";
        assert!(text.ends_with(end), "{text}");
        text_of("{}");
        text_of("{ }");
        text_of(" {\"name\": \"x\"\n}\n");
    }

    #[test]
    fn content_that_is_no_object_is_told() {
        let raw: Box<RawValue> = serde_json::from_str("[]").unwrap();
        assert!(matches!(content_part(&raw), Err(Fault::Corrupt(_))));
    }

    fn query(order: ListOrder, limit: u32) -> ListQuery {
        ListQuery {
            connection: ConnectionId::new(),
            resource: Resource::Asset,
            filter: RecordFilter::default(),
            include_deleted: true,
            include_raw: true,
            order,
            limit,
            complete_when: Vec::new(),
        }
    }

    fn page(query: &ListQuery, places: &[i64]) -> ListPage {
        let head = Timestamp::from_micros(9).unwrap();
        let mut rows = Rows::new(query);
        for place in places {
            let text = place.to_string();
            rows.push(*place, ["1", &text], Some(&text));
        }
        list_page(query, rows, (head, true)).unwrap()
    }

    #[test]
    fn a_page_leads_on_behind_its_last_row() {
        let mut query = query(ListOrder::Sequence(None), 2);
        let shown = page(&query, &[4, 20, 30]);
        assert_eq!(shown.records.into_joined(), "14,120");
        assert_eq!(shown.raw.unwrap().into_joined(), "4,20");
        assert_eq!(shown.next, Some(ListOrder::Sequence(Some(20))));
        assert_eq!((shown.head.as_micros(), shown.complete), (9, true));
        query.limit = 3;
        let shown = page(&query, &[4, 20, 30]);
        assert_eq!(shown.records.into_joined(), "14,120,130");
        assert_eq!(shown.next, None);
    }

    #[test]
    fn a_page_in_order_of_creation_leads_on_behind_an_instant() {
        let mut query = query(ListOrder::Creation(None), 1);
        query.include_raw = false;
        let shown = page(&query, &[7, 8]);
        let place = Timestamp::from_micros(7).unwrap();
        assert_eq!(shown.next, Some(ListOrder::Creation(Some(place))));
        assert_eq!(shown.raw, None);
        let shown = page(&query, &[]);
        assert_eq!((shown.records.len(), shown.next), (0, None));
    }
}
