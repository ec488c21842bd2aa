//! Values that conditions compare with.

use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::super::{
    errors::{ApiError, Result},
    options::Switches,
    schema::Kind,
    value::Value,
};

/// A value of a request, read as the type of the property it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::corrigo) enum Literal {
    Int(i64),
    Bool(bool),
    Text(String),
    Decimal(Decimal),
    Date(NaiveDateTime),
}

impl Literal {
    /// Reads a value as a property's type. Numbers may be texts, members of enumerations may be numbers.
    pub(in crate::corrigo) fn read(kind: Kind, json: &Json, switches: &Switches) -> Result<Self> {
        let plain = match json {
            Json::String(text) => text.clone(),
            Json::Number(_) | Json::Bool(_) => json.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return Err(ApiError::parsing(format!("Value {json} is not a scalar.")));
            }
        };
        let read = match kind {
            Kind::Int => plain.trim().parse().ok().map(Self::Int),
            Kind::Bool => read_bool(&plain).map(Self::Bool),
            Kind::Decimal | Kind::Money => plain.trim().parse().ok().map(Self::Decimal),
            Kind::Date => read_date(&plain, switches).map(Self::Date),
            Kind::Enum(members) => read_member(members, &plain).map(Self::Text),
            Kind::Text => Some(Self::Text(plain.clone())),
            Kind::Ref(_) | Kind::Child(_) | Kind::Many(_) => None,
        };
        read.ok_or_else(|| ApiError::parsing(format!("Value '{plain}' cannot be converted.")))
    }

    /// Compares a property's value with this one; `None` when they can't be compared, as with null.
    pub(in crate::corrigo) fn compare(
        &self,
        value: &Value<'_>,
        switches: &Switches,
    ) -> Option<Ordering> {
        match (value, self) {
            (Value::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Value::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Value::Decimal(left) | Value::Money(left, _), Self::Decimal(right)) => {
                Some(left.cmp(right))
            }
            (Value::Date(left), Self::Date(right)) => Some(left.cmp(right)),
            (Value::Text(left), Self::Text(right)) if switches.text_ignores_case => {
                Some(left.to_lowercase().cmp(&right.to_lowercase()))
            }
            (Value::Text(left), Self::Text(right)) => Some(left.as_ref().cmp(right.as_str())),
            _ => None,
        }
    }
}

fn read_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn read_member(members: &[&str], text: &str) -> Option<String> {
    let by_name = members
        .iter()
        .find(|member| member.eq_ignore_ascii_case(text));
    let by_number = || {
        text.parse::<usize>()
            .ok()
            .and_then(|index| members.get(index))
    };
    by_name
        .or_else(by_number)
        .map(|member| (*member).to_owned())
}

/// Reads a date with or without fraction, with or without offset, or a bare day.
fn read_date(text: &str, switches: &Switches) -> Option<NaiveDateTime> {
    if let Ok(at) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        return Some(if switches.converts_offsets {
            at.naive_utc()
        } else {
            at.naive_local()
        });
    }
    let plain = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let spaced = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|day| day.and_hms_opt(0, 0, 0))
    };
    plain.or_else(spaced).or_else(day)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Kind, Literal, Switches};
    use crate::corrigo::{enums, value::date_text};

    fn date(text: &str, switches: &Switches) -> Option<String> {
        match Literal::read(Kind::Date, &json!(text), switches) {
            Ok(Literal::Date(at)) => Some(date_text(at)),
            _ => None,
        }
    }

    #[test]
    fn dates_come_in_many_forms() {
        let switches = Switches::default();
        let nine = Some("2031-05-01T09:00:00".to_owned());
        assert_eq!(date("2031-05-01T09:00:00", &switches), nine);
        assert_eq!(date("2031-05-01T09:00:00Z", &switches), nine);
        assert_eq!(date("2031-05-01T11:00:00+02:00", &switches), nine);
        assert_eq!(date("2031-05-01T09:00:00.0000000", &switches), nine);
        assert_eq!(
            date("2031-05-01", &switches),
            Some("2031-05-01T00:00:00".to_owned())
        );
        assert_eq!(date("yesterday", &switches), None);
        let drops = Switches {
            converts_offsets: false,
            ..Switches::default()
        };
        assert_eq!(
            date("2031-05-01T11:00:00+02:00", &drops),
            Some("2031-05-01T11:00:00".to_owned())
        );
    }

    #[test]
    fn numbers_may_be_texts_and_members_numbers() {
        let switches = Switches::default();
        let read = |kind, json| Literal::read(kind, &json, &switches).ok();
        assert_eq!(read(Kind::Int, json!("42")), Some(Literal::Int(42)));
        assert_eq!(read(Kind::Int, json!("x")), None);
        let status = Kind::Enum(enums::WORK_ORDER_STATUS);
        assert_eq!(
            read(status, json!("onhold")),
            Some(Literal::Text("OnHold".to_owned()))
        );
        assert_eq!(
            read(status, json!(4)),
            Some(Literal::Text("New".to_owned()))
        );
        assert_eq!(read(status, json!("Closed")), None);
        assert_eq!(read(Kind::Text, json!(null)), None);
    }
}
