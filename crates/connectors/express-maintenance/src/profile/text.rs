//! A profile as it is written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::{CellKind, ProfileError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileText {
    pub(super) format: u32,
    pub(super) identity: Option<String>,
    pub(super) time_zone: Option<String>,
    #[serde(default = "utf8")]
    pub(super) encoding: String,
    #[serde(default = "comma")]
    pub(super) delimiter: String,
    #[serde(default = "double_quote")]
    pub(super) quote: String,
    #[serde(default = "full_stop")]
    pub(super) decimal_sign: String,
    pub(super) group_sign: Option<String>,
    #[serde(default)]
    pub(super) date_formats: Vec<String>,
    #[serde(default)]
    pub(super) datetime_formats: Vec<String>,
    #[serde(default)]
    pub(super) yes: Vec<String>,
    #[serde(default)]
    pub(super) no: Vec<String>,
    #[serde(default = "ten")]
    pub(super) settle_seconds: u32,
    pub(super) entities: EntitiesText,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntitiesText {
    pub(super) units: Option<EntityText>,
    pub(super) work_orders: Option<EntityText>,
    pub(super) parts: Option<EntityText>,
    pub(super) vendors: Option<EntityText>,
    pub(super) purchase_orders: Option<EntityText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityText {
    pub(super) file: String,
    pub(super) key: Vec<String>,
    pub(super) columns: BTreeMap<String, ColumnText>,
    #[serde(default)]
    pub(super) lookups: BTreeMap<String, LookupText>,
    #[serde(default)]
    pub(super) codes: BTreeMap<String, CodesText>,
    #[serde(default)]
    pub(super) lines: BTreeMap<String, LinesText>,
}

/// A header alone, or a table.
#[derive(Debug)]
pub(super) struct ColumnText {
    pub(super) column: String,
    pub(super) kind: CellKind,
    pub(super) optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnTable {
    column: String,
    #[serde(default, rename = "type")]
    kind: CellKind,
    #[serde(default)]
    optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupText {
    #[serde(rename = "in")]
    pub(super) target: String,
    #[serde(rename = "match")]
    pub(super) matches: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodesText {
    pub(super) field: String,
    pub(super) unified: String,
    #[serde(default)]
    pub(super) map: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) when: Vec<WhenText>,
    pub(super) otherwise: Option<String>,
    pub(super) blank: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenText {
    pub(super) present: String,
    pub(super) code: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinesText {
    pub(super) file: String,
    #[serde(rename = "match")]
    pub(super) matches: BTreeMap<String, String>,
    pub(super) columns: BTreeMap<String, ColumnText>,
}

impl ProfileText {
    pub(super) fn parse(text: &str) -> Result<Self, ProfileError> {
        toml::from_str(text).map_err(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let fault = match error.span() {
                Some(span) => {
                    let (line, column) = position(text, span.start);
                    format!("line {line}, column {column}: {message}")
                }
                None => message,
            };
            ProfileError {
                faults: vec![fault],
            }
        })
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .chars()
        .rev()
        .take_while(|sign| *sign != '\n')
        .count()
        + 1;
    (line, column)
}

impl<'de> Deserialize<'de> for ColumnText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ColumnText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header, or a table with `column`, `type` and `optional`")
            }

            fn visit_str<E: serde::de::Error>(self, header: &str) -> Result<Self::Value, E> {
                let kind = CellKind::default();
                Ok(ColumnText {
                    column: header.to_owned(),
                    kind,
                    optional: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = ColumnTable::deserialize(MapAccessDeserializer::new(map))
                    .map_err(A::Error::custom)?;
                let ColumnTable {
                    column,
                    kind,
                    optional,
                } = table;
                Ok(ColumnText {
                    column,
                    kind,
                    optional,
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

fn utf8() -> String {
    "utf-8".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

fn double_quote() -> String {
    "\"".to_owned()
}

fn full_stop() -> String {
    ".".to_owned()
}

fn ten() -> u32 {
    10
}
