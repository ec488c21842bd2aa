//! What is in quarantine: shown, and tried again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use wrenchtime_connector::{EntityInfo, EntityName, StreamName};
use wrenchtime_model::ConnectionId;

use crate::runner::SyncOrder;
use crate::storage::{
    QuarantineId, QuarantinePosition, QuarantineQuery, QuarantineRetried, QuarantineRetry,
    QuarantinedRow, RowFault, StoredConnection,
};
use crate::{Actor, Result, Service};

/// No place or reason is shown longer than this, in characters.
const LONGEST_REASON: usize = 300;
/// So many fields of a row are shown at most.
const FIELDS: usize = 50;
/// No field's name is shown that is longer than this, in bytes.
const LONGEST_NAME: usize = 60;

/// A page of rows that cannot be read or mapped.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Quarantine {
    /// The rows.
    pub rows: Vec<Quarantined>,
    /// Where the last one stands, when there are more behind it.
    pub next: Option<QuarantinePosition>,
}

/// A row that cannot be read or mapped, without what it says.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Quarantined {
    /// The row. Its body is empty.
    pub row: QuarantinedRow,
    /// The fields of the row as it is stored, with the kind of each value and never a value; nothing of one that could not
    /// be read.
    pub sample: Option<Value>,
}

impl Service {
    /// Returns a page of the rows that cannot be read or mapped now, each with a reason of at most 300 characters.
    /// Answers in every state.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn quarantine(
        &self,
        connection: &StoredConnection,
        after: Option<QuarantinePosition>,
        limit: u32,
    ) -> Result<Quarantine> {
        let query = QuarantineQuery {
            connection: connection.id,
            listings: self.listings(connection),
            after,
            limit,
        };
        let page = self.core.records.quarantine(&query).await?;
        Ok(Quarantine {
            rows: page.rows.into_iter().map(shown).collect(),
            next: page.next,
        })
    }

    /// Lets what is in quarantine be tried again: the given row, or all. Returns how many rows are tried in which way;
    /// nothing when there is no such row.
    ///
    /// A run begins as soon as there is room, or once the connection is read again. It maps stored documents before it
    /// asks the source for anything.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection); [`Error::State`](crate::Error::State) when it is
    /// disconnected; or when the store fails.
    pub async fn retry_quarantine(
        &self,
        id: ConnectionId,
        row: Option<QuarantineId>,
        actor: &Actor,
    ) -> Result<Option<QuarantineRetried>> {
        let core = &self.core;
        let connection = core.connection(id).await?;
        connection.refuse_disconnected("trying again")?;
        let entities = self.entities_of(&connection).iter();
        let detail = json!({ "row": row.map(|row| row.to_string()) });
        let retry = QuarantineRetry {
            connection: id,
            row,
            listings: self.listings(&connection),
            rereads: entities
                .filter(|entity| wrenchtime_sync::rereads(entity))
                .map(|entity| entity.name.clone())
                .collect::<BTreeSet<_>>(),
            audit: core.audit(actor, "quarantine.retried", Some(id), detail),
        };
        let service = self.clone();
        self.runner
            .finish(async move { service.write_retry(retry).await })
            .await
    }

    async fn write_retry(&self, retry: QuarantineRetry) -> Result<Option<QuarantineRetried>> {
        let id = retry.connection;
        let retried = self.core.connections.retry_quarantine(retry).await?;
        if retried.is_some_and(|retried| retried.mapped + retried.read > 0) {
            self.runner.attach(id, Some(SyncOrder::decided()));
        }
        Ok(retried)
    }

    /// Returns the stream that lists each entity whole. Of a system that is not here any more nobody knows what settles a
    /// row: all stay listed.
    fn listings(&self, connection: &StoredConnection) -> BTreeMap<EntityName, StreamName> {
        let entities = self.entities_of(connection).iter();
        entities.filter_map(listing).collect()
    }

    fn entities_of(&self, connection: &StoredConnection) -> &[EntityInfo] {
        let factory = self.core.systems.get(&connection.system);
        factory.map_or(&[][..], |factory| &factory.info().entities)
    }
}

fn listing(entity: &EntityInfo) -> Option<(EntityName, StreamName)> {
    let stream = entity.listing()?;
    Some((entity.name.clone(), stream.name.clone()))
}

fn shown(mut row: QuarantinedRow) -> Quarantined {
    shorten(&mut row.reason);
    let sample = match &mut row.fault {
        RowFault::Unreadable { place, .. } => {
            shorten(place);
            None
        }
        RowFault::Unmapped { body } => {
            let body = std::mem::take(body);
            serde_json::from_str(&body).ok().map(|row| sample(&row))
        }
    };
    Quarantined { row, sample }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_REASON) {
        text.truncate(end);
        text.pop();
        text.push('…');
    }
}

/// Tells what a row looks like without what it says.
fn sample(row: &Value) -> Value {
    let Value::Object(members) = row else {
        return Value::String(kind(row));
    };
    let mut shown: Map<String, Value> = members
        .iter()
        .take(FIELDS)
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.clone(), Value::String(kind(value))))
        .collect();
    let more = members.len() - shown.len();
    if more > 0 {
        shown.insert("…".to_owned(), json!(format!("{more} more fields")));
    }
    Value::Object(shown)
}

/// A name that people gave to a field, and not a value that stands where a name does.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphabetic() || " _-.#/()".contains(letter);
    let mut digits = 0;
    let plain = text.chars().all(|letter| {
        digits += usize::from(letter.is_ascii_digit());
        letter.is_ascii_digit() || is_plain(letter)
    });
    plain && digits < 4 && !text.is_empty() && text.len() <= LONGEST_NAME
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) if text.is_empty() => "empty text".to_owned(),
        Value::String(text) => format!("text of {} characters", text.chars().count()),
        Value::Array(items) => format!("list of {}", items.len()),
        Value::Object(members) => format!("object of {} fields", members.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut text = text.to_owned();
        shorten(&mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        check("no name", "no name");
        check(&"é".repeat(300), &"é".repeat(300));
        check(&"é".repeat(301), &format!("{}…", "é".repeat(299)));
    }

    #[test]
    fn a_sample_tells_kinds_and_no_values() {
        let row = json!({
            "Name": "Jo Roe", "Cost ($)": 7.5, "Open": true, "Left": null, "Note": "", "Lines": [1, 2],
            "Site": { "Id": 9 }, "Address1": "x", "jo@plant.example": 1, "555-0199": 2,
        });
        let expected = json!({
            "Name": "text of 6 characters", "Open": "boolean", "Left": "null", "Note": "empty text",
            "Lines": "list of 2", "Site": "object of 1 fields", "Address1": "text of 1 characters",
            "…": "3 more fields",
        });
        assert_eq!(sample(&row), expected);
        assert_eq!(sample(&json!("Jo Roe")), json!("text of 6 characters"));
        let wide: Map<String, Value> = (b'a'..=b'z')
            .flat_map(|first| (b'a'..=b'c').map(move |second| [first, second]))
            .map(|name| (String::from_utf8_lossy(&name).into_owned(), json!(1)))
            .collect();
        let shown = sample(&Value::Object(wide));
        assert_eq!(shown.as_object().unwrap().len(), FIELDS + 1);
        assert_eq!(shown["…"], "28 more fields");
    }
}
