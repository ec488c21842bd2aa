//! Replies that are put together from stored text.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{self, Poll};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde::Serialize;
use serde_json::value::RawValue;
use wrenchtime_service::storage::JsonTexts;

use crate::problem::Problem;

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    location: Option<String>,
    body: Pieces,
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

    /// JSON that is text already, in pieces that need not be copied into one.
    pub(crate) fn json_pieces<const N: usize>(texts: [String; N]) -> Self {
        let mut reply = Self::json_text(String::new());
        reply.body = Pieces(texts.into_iter().map(Bytes::from).collect());
        reply
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
            body: Pieces(VecDeque::from([body.into()])),
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
        let mut reply = axum::response::Response::new(axum::body::Body::new(self.body));
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

/// A body whose pieces are sent one behind the other, after its length.
#[derive(Debug)]
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let lengths = self.0.iter().map(|piece| piece.len() as u64);
        SizeHint::with_exact(lengths.sum())
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

impl Shown {
    /// Nothing is added or left out.
    fn is_all(&self) -> bool {
        self.fields.is_empty() && !self.raw
    }
}

/// Writes a record as the API shows it: the envelope's members, then those of its content, then its source document.
///
/// It is taken over as it is stored unless something is to be added or left out.
pub(crate) fn record_text<'r>(
    record: &'r str,
    raw: Option<&str>,
    shown: &Shown,
) -> Result<Cow<'r, str>, Problem> {
    if shown.is_all() {
        return Ok(Cow::Borrowed(record));
    }
    let mut text = ObjectText::with_capacity(record.len() + raw.map_or(0, str::len) + 16);
    if shown.fields.is_empty() {
        text.members(record);
    } else {
        chosen_members(&mut text, record, &shown.fields)?;
    }
    if shown.raw {
        text.raw("raw", raw.unwrap_or("null"));
    }
    Ok(Cow::Owned(text.finish()))
}

/// Writes records as the API shows them, with commas between.
pub(crate) fn record_texts(
    records: JsonTexts,
    raw: Option<&JsonTexts>,
    shown: &Shown,
) -> Result<String, Problem> {
    if shown.is_all() {
        return Ok(records.into_joined());
    }
    let mut joined = String::new();
    for (number, record) in records.iter().enumerate() {
        if number > 0 {
            joined.push(',');
        }
        let raw = raw.and_then(|raw| raw.get(number));
        joined.push_str(&record_text(record, raw, shown)?);
    }
    Ok(joined)
}

fn chosen_members(text: &mut ObjectText, object: &str, fields: &[String]) -> Result<(), Problem> {
    let members: Members<'_> =
        serde_json::from_str(object).map_err(|error| Problem::internal(&error))?;
    for (name, value) in &members.0 {
        if name == "id" || fields.iter().any(|field| field == name) {
            text.raw(name, value.get());
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

    use super::*;

    const ID: &str = "6d1d6b3e-5f0e-5c59-9a3f-0d9be0b0b0b0";

    const RAW: Option<&str> = Some(r#"{"Id":7,"x":1.10}"#);

    fn record(content: &str) -> String {
        format!(r#"{{"id":"{ID}","sequence":9{content}}}"#)
    }

    #[test]
    fn stored_text_is_taken_over_byte_for_byte() {
        let record = record(r#","name":"Öl","price":1.10"#);
        let text = record_text(&record, RAW, &Shown::default()).unwrap();
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
        let record = record("");
        let text = record_text(&record, RAW, &shown).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["raw"]["Id"], 7);
        assert!(text.contains(r#""raw":{"Id":7,"x":1.10}"#), "{text}");
    }

    #[test]
    fn chosen_fields_come_with_the_id_and_nothing_else() {
        let record = record(r#","name":"Öl","number":"A","price":1.10"#);
        let shown = Shown {
            fields: vec!["price".to_owned(), "sequence".to_owned()],
            raw: false,
        };
        let text = record_text(&record, RAW, &shown).unwrap();
        assert_eq!(
            text,
            format!(r#"{{"id":"{ID}","sequence":9,"price":1.10}}"#)
        );
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap()["sequence"],
            json!(9)
        );
    }

    #[test]
    fn records_of_a_page_are_shown_like_single_ones() {
        let (one, other) = (record(r#","price":1.10"#), record(""));
        let records: JsonTexts = [one.as_str(), other.as_str()].into_iter().collect();
        let raw: JsonTexts = ["{}", "[ ]"].into_iter().collect();
        let all = record_texts(records.clone(), Some(&raw), &Shown::default()).unwrap();
        assert_eq!(all, format!("{one},{other}"));
        let shown = Shown {
            fields: vec!["price".to_owned()],
            raw: true,
        };
        let chosen = record_texts(records, Some(&raw), &shown).unwrap();
        let expected =
            format!(r#"{{"id":"{ID}","price":1.10,"raw":{{}}}},{{"id":"{ID}","raw":[ ]}}"#);
        assert_eq!(chosen, expected);
    }

    #[tokio::test]
    async fn a_body_in_pieces_has_a_length_and_is_sent_whole() {
        let texts = ["{", "", "}"].map(str::to_owned);
        let body = Reply::json_pieces(texts).into_reply().into_body();
        assert_eq!(Body::size_hint(&body).exact(), Some(2));
        let collected = http_body_util::BodyExt::collect(body).await.unwrap();
        assert_eq!(collected.to_bytes(), "{}");
        let nothing = Reply::done().into_reply().into_body();
        assert_eq!(Body::size_hint(&nothing).exact(), Some(0));
        assert!(Body::is_end_stream(&nothing));
    }
}
