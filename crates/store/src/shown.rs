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

/// The rows of a page of a list, one more than are wanted where there are more.
pub(crate) struct Rows {
    /// The place of each in the query's order.
    pub(crate) places: Vec<i64>,
    pub(crate) records: JsonTexts,
    /// The source document of each, where they were asked for.
    pub(crate) raw: Option<JsonTexts>,
}

/// Puts texts that a database has joined together with their lengths; no text where there is no row.
pub(crate) fn texts(
    joined: Option<String>,
    lengths: impl IntoIterator<Item = i64>,
) -> Result<JsonTexts, Fault> {
    let lengths = lengths
        .into_iter()
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    JsonTexts::from_joined(joined.unwrap_or_default(), lengths)
        .ok_or_else(|| Fault::Corrupt("a page of a list is not as long as its records".to_owned()))
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
    } = in_order(rows);
    let documents = raw.as_ref().map_or(places.len(), JsonTexts::len);
    if records.len() != places.len() || documents != places.len() {
        let reason = "a page of a list has not as many records as places";
        return Err(Fault::Corrupt(reason.to_owned()));
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
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

/// They are in order, but no database promises it of a query around a query.
fn in_order(rows: Rows) -> Rows {
    if rows.places.is_sorted() {
        return rows;
    }
    let mut order: Vec<usize> = (0..rows.places.len()).collect();
    order.sort_by_key(|number| rows.places[*number]);
    let sorted = |texts: &JsonTexts| {
        let texts = order.iter().filter_map(|number| texts.get(*number));
        texts.collect()
    };
    Rows {
        records: sorted(&rows.records),
        raw: rows.raw.as_ref().map(sorted),
        places: order.iter().map(|number| rows.places[*number]).collect(),
    }
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

    fn rows(places: &[i64], records: &[&str]) -> Rows {
        Rows {
            places: places.to_owned(),
            records: records.iter().copied().collect(),
            raw: Some(
                records
                    .iter()
                    .filter_map(|record| record.get(1..))
                    .collect(),
            ),
        }
    }

    #[test]
    fn a_page_stands_in_order_of_place_and_leads_on_behind_the_last() {
        let head = Timestamp::from_micros(9).unwrap();
        for (places, records) in [
            ([4, 20, 30], ["1a", "2b", "3c"]),
            ([30, 4, 20], ["3c", "1a", "2b"]),
        ] {
            let query = query(ListOrder::Sequence(None), 2);
            let page = list_page(&query, rows(&places, &records), (head, true)).unwrap();
            assert_eq!(page.records.into_joined(), "1a,2b");
            assert_eq!(page.raw.unwrap().into_joined(), "a,b");
            assert_eq!(page.next, Some(ListOrder::Sequence(Some(20))));
            assert_eq!((page.head, page.complete), (head, true));
            let query = ListQuery { limit: 3, ..query };
            let page = list_page(&query, rows(&places, &records), (head, false)).unwrap();
            assert_eq!(page.records.into_joined(), "1a,2b,3c");
            assert_eq!(page.next, None);
        }
    }

    #[test]
    fn a_page_in_order_of_creation_leads_on_behind_an_instant() {
        let head = Timestamp::from_micros(9).unwrap();
        let query = query(ListOrder::Creation(None), 1);
        let page = list_page(&query, rows(&[7, 8], &["1a", "2b"]), (head, true)).unwrap();
        let place = Timestamp::from_micros(7).unwrap();
        assert_eq!(page.next, Some(ListOrder::Creation(Some(place))));
        let page = list_page(&query, rows(&[], &[]), (head, true)).unwrap();
        assert_eq!((page.records.len(), page.next), (0, None));
    }

    #[test]
    fn rows_that_do_not_belong_together_are_told() {
        let head = Timestamp::from_micros(9).unwrap();
        let query = query(ListOrder::Creation(None), 5);
        for (places, records) in [
            (vec![1, 2], vec!["1a"]),
            (vec![2, 1], vec!["1a"]),
            (vec![1], vec!["1a", "2b"]),
        ] {
            let refused = list_page(&query, rows(&places, &records), (head, true));
            assert!(matches!(refused, Err(Fault::Corrupt(_))), "{places:?}");
        }
        assert!(matches!(
            texts(Some("1a".to_owned()), [3]),
            Err(Fault::Corrupt(_))
        ));
        assert!(matches!(texts(None, [-1]), Err(Fault::Corrupt(_))));
        assert_eq!(texts(None, []).unwrap().len(), 0);
    }
}
