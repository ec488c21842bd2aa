//! Replies that are put together from stored text.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;
use wrenchtime_service::storage::StoredRecord;

use crate::problem::Problem;

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    location: Option<String>,
    body: Bytes,
}

impl Reply {
    /// A value as JSON.
    pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
        Ok(Self::text(status, "application/json", body))
    }

    /// JSON that is text already.
    pub(crate) fn json_text(text: String) -> Self {
        Self::text(StatusCode::OK, "application/json", text)
    }

    /// Any text.
    pub(crate) fn text(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            content_type,
            location: None,
            body: body.into(),
        }
    }

    /// Done, and nothing to tell.
    pub(crate) fn done() -> Self {
        Self::text(StatusCode::NO_CONTENT, "", Bytes::new())
    }

    /// Says where what was made can be found.
    pub(crate) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub(crate) fn into_reply(self) -> axum::response::Response {
        let mut reply = axum::response::Response::new(axum::body::Body::from(self.body));
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(self.content_type),
            );
        }
        if let Some(location) = self
            .location
            .and_then(|location| HeaderValue::try_from(location).ok())
        {
            headers.insert(header::LOCATION, location);
        }
        reply
    }
}

/// Writes JSON objects member by member, out of values and of text that is JSON already.
#[derive(Debug)]
pub(crate) struct ObjectText {
    text: String,
    empty: bool,
}

impl ObjectText {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self { text, empty: true }
    }

    /// Adds a member whose value is JSON text.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.separate();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self.text.push_str(json);
        self
    }

    /// Adds a member with any value.
    pub(crate) fn value<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), Problem> {
        let json = serde_json::to_string(value).map_err(|error| Problem::internal(&error))?;
        self.raw(name, &json);
        Ok(())
    }

    /// Adds all members of an object that is JSON text.
    fn members(&mut self, object: &str) {
        let inner = object
            .trim()
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .map_or("", str::trim);
        if !inner.is_empty() {
            self.separate();
            self.text.push_str(inner);
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.text.push(',');
        }
    }
}

/// What of a record is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shown {
    /// Only these members and the id; all when empty.
    pub(crate) fields: Vec<String>,
    /// The source document as well.
    pub(crate) raw: bool,
}

/// Writes a record as the API shows it: the envelope's members, then those of its content, then its source document.
///
/// The content is not parsed unless only some of its members are wanted.
pub(crate) fn record_text(record: &StoredRecord, shown: &Shown) -> Result<String, Problem> {
    let envelope =
        serde_json::to_string(&record.envelope).map_err(|error| Problem::internal(&error))?;
    let raw_length = record.raw.as_ref().map_or(0, String::len);
    let mut text =
        ObjectText::with_capacity(envelope.len() + record.content.len() + raw_length + 16);
    if shown.fields.is_empty() {
        text.members(&envelope);
        text.members(&record.content);
    } else {
        chosen_members(&mut text, &[&envelope, &record.content], &shown.fields)?;
    }
    if shown.raw {
        text.raw("raw", record.raw.as_deref().unwrap_or("null"));
    }
    Ok(text.finish())
}

fn chosen_members(
    text: &mut ObjectText,
    objects: &[&str],
    fields: &[String],
) -> Result<(), Problem> {
    for object in objects {
        let members: Members<'_> =
            serde_json::from_str(object).map_err(|error| Problem::internal(&error))?;
        for (name, value) in &members.0 {
            if name == "id" || fields.iter().any(|field| field == name) {
                text.raw(name, value.get());
            }
        }
    }
    Ok(())
}

/// The members of an object in their order, their values untouched.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wrenchtime_model::{ConnectionId, Envelope, IdentityClass, RecordId, Resource, Timestamp};

    use super::*;

    fn record(content: &str) -> StoredRecord {
        let connection_id = ConnectionId::new();
        let time = Timestamp::from_micros(1_900_000_000_000_000).unwrap();
        StoredRecord {
            resource: Resource::Part,
            envelope: Envelope {
                id: RecordId::derive(connection_id, &IdentityClass::new("part"), "7"),
                remote_id: "7".to_owned(),
                connection_id,
                created_at: time,
                modified_at: time,
                remote_created_at: None,
                remote_modified_at: None,
                deleted: false,
                sequence: 9,
            },
            content: content.to_owned(),
            raw: Some(r#"{"Id":7,"x":1.10}"#.to_owned()),
        }
    }

    #[test]
    fn stored_text_is_taken_over_byte_for_byte() {
        let text =
            record_text(&record(r#"{"name":"Öl","price":1.10}"#), &Shown::default()).unwrap();
        assert!(
            text.ends_with(r#""sequence":9,"name":"Öl","price":1.10}"#),
            "{text}"
        );
        serde_json::from_str::<Value>(&text).unwrap();
    }

    #[test]
    fn an_empty_content_leaves_a_whole_object() {
        let shown = Shown {
            raw: true,
            ..Shown::default()
        };
        let text = record_text(&record("{}"), &shown).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["raw"]["Id"], 7);
        assert!(text.contains(r#""raw":{"Id":7,"x":1.10}"#), "{text}");
    }

    #[test]
    fn chosen_fields_come_with_the_id_and_nothing_else() {
        let record = record(r#"{"name":"Öl","number":"A","price":1.10}"#);
        let shown = Shown {
            fields: vec!["price".to_owned(), "sequence".to_owned()],
            raw: false,
        };
        let text = record_text(&record, &shown).unwrap();
        let id = record.envelope.id;
        assert_eq!(
            text,
            format!(r#"{{"id":"{id}","sequence":9,"price":1.10}}"#)
        );
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap()["sequence"],
            json!(9)
        );
    }
}
