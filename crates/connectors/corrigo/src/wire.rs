//! Replies, as far as the connector itself reads them. Rows stay as they are.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use wrenchtime_connector::ChangeTime;

/// The rows of a query.
#[derive(Deserialize)]
pub(crate) struct Rows<T> {
    #[serde(rename = "Entities")]
    pub(crate) entities: Vec<Row<T>>,
}

#[derive(Deserialize)]
pub(crate) struct Row<T> {
    #[serde(rename = "Data")]
    pub(crate) data: T,
}

/// A single reference under `*`, or a nested object of which only the id matters. 0 stands for none.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Ref {
    #[serde(deserialize_with = "id")]
    pub(crate) id: i64,
    #[serde(deserialize_with = "id")]
    pub(crate) concurrency_id: i64,
}

/// What the connector reads of any row. Whatever a row lacks is as if it were empty.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Head {
    #[serde(deserialize_with = "id")]
    pub(crate) id: i64,
    #[serde(deserialize_with = "id")]
    pub(crate) concurrency_id: i64,
    pub(crate) is_removed: bool,
    pub(crate) is_offline: bool,
    pub(crate) orphan: bool,
    pub(crate) last_action_date_utc: Option<String>,
    pub(crate) main_asset: Option<Ref>,
    pub(crate) asset: Option<RootAsset>,
    #[serde(deserialize_with = "id")]
    pub(crate) model_id: i64,
    pub(crate) address: Option<Ref>,
    pub(crate) contact_addresses: Vec<Contact>,
    pub(crate) organization: Option<Ref>,
    pub(crate) specialties: Vec<SpecialtyLink>,
    pub(crate) teams: Vec<Ref>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct RootAsset {
    pub(crate) address: Option<Ref>,
}

/// A phone number or mail address.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Contact {
    #[serde(deserialize_with = "id")]
    pub(crate) id: i64,
    #[serde(deserialize_with = "id")]
    pub(crate) concurrency_id: i64,
    pub(crate) address: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct SpecialtyLink {
    #[serde(deserialize_with = "id")]
    pub(crate) id: i64,
    #[serde(deserialize_with = "id")]
    pub(crate) specialty_id: i64,
}

/// An entry of the action log.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Action {
    #[serde(deserialize_with = "id")]
    pub(crate) work_order_id: i64,
    pub(crate) system_date_utc: String,
}

/// An ancestor of a place or asset.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Branch {
    #[serde(deserialize_with = "id")]
    pub(crate) parent_id: i64,
    #[serde(deserialize_with = "id")]
    pub(crate) child_id: i64,
    #[serde(default, deserialize_with = "id")]
    pub(crate) distance: i64,
}

/// A row of which kind or name is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Named {
    #[serde(deserialize_with = "id")]
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) display_as: String,
    #[serde(default)]
    pub(crate) type_id: String,
}

/// A row that tells its id.
pub(crate) trait Keyed: DeserializeOwned + Send + 'static {
    /// Returns the id; 0 where it cannot be read.
    fn id(&self) -> i64;
}

impl Keyed for Named {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Keyed for Box<RawValue> {
    fn id(&self) -> i64 {
        serde_json::from_str::<Ref>(self.get()).map_or(0, |row| row.id)
    }
}

/// Reads a whole number that may be written as text.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Option::<Either>::deserialize(deserializer)? {
        Some(Either::Number(number)) => Ok(number),
        Some(Either::Text(text)) => text.trim().parse().map_err(serde::de::Error::custom),
        None => Ok(0),
    }
}

/// Reads an instant of a field in UTC: with or without `Z`, 0 to 7 decimals. The years 1 and 1753 stand for none.
pub(crate) fn parse_utc(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.to_utc(),
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .ok()?
            .and_utc(),
    };
    let sentinels = ["0001-01-01T00:00:00", "1753-01-01T00:00:00"];
    let shown = at.format("%Y-%m-%dT%H:%M:%S").to_string();
    (!sentinels.contains(&shown.as_str())).then_some(at)
}

/// Takes over a change time. Its text goes back to the source without `Z`, as it wants it.
pub(crate) fn change_time(text: &str) -> Option<ChangeTime> {
    let at = parse_utc(text)?;
    Some(ChangeTime {
        at,
        text: text.trim().trim_end_matches('Z').to_owned(),
    })
}

/// Writes an instant as the source reads it: UTC, milliseconds, no `Z`. Finer digits are cut, so that a bound stays
/// inclusive.
pub(crate) fn utc_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let expected = expected.map(|text| text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(parse_utc(text), expected, "{text}");
    }

    #[test]
    fn gotcha_5_utc_fields_come_without_z_and_with_0_to_7_decimals() {
        check("2031-05-01T09:30:00", Some("2031-05-01T09:30:00Z"));
        check("2031-05-01T09:30:00.5", Some("2031-05-01T09:30:00.5Z"));
        check(
            "2031-05-01T09:30:00.1234567",
            Some("2031-05-01T09:30:00.1234567Z"),
        );
        check(
            "2031-05-01T09:30:00.1234567Z",
            Some("2031-05-01T09:30:00.1234567Z"),
        );
        check("yesterday", None);
    }

    #[test]
    fn gotcha_6_some_dates_stand_for_none() {
        check("1753-01-01T00:00:00", None);
        check("0001-01-01T00:00:00", None);
        check("1753-01-01T00:00:01", Some("1753-01-01T00:00:01Z"));
    }

    #[test]
    fn a_bound_goes_back_without_z_and_never_later() {
        let change = change_time("2031-05-01T09:30:00.12Z").unwrap();
        assert_eq!(change.text, "2031-05-01T09:30:00.12");
        assert_eq!(
            utc_text("2031-05-01T09:30:00.123999Z".parse().unwrap()),
            "2031-05-01T09:30:00.123"
        );
    }

    #[test]
    fn a_row_is_read_with_ids_as_text_and_nothing_else() {
        let head: Head = serde_json::from_str(r#"{"Id":"42","Novel":{"Id":1}}"#).unwrap();
        assert_eq!(
            (head.id, head.concurrency_id, head.is_removed),
            (42, 0, false)
        );
        assert!(serde_json::from_str::<Head>(r#"{"Id":"forty"}"#).is_err());
    }
}
