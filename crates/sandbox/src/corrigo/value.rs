//! Values of entities before they become JSON.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Number, Value as Json, json};

/// Names a row; what the two numbers mean is up to its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) id: u32,
    pub(super) sub: u32,
}

impl Key {
    pub(super) const fn of(id: u32) -> Self {
        Self { id, sub: 0 }
    }

    pub(super) const fn pair(id: u32, sub: u32) -> Self {
        Self { id, sub }
    }
}

/// The value of one property of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Null; the property is left out of replies.
    Missing,
    /// A null integer: 0 in replies, null in conditions.
    NullInt,
    Int(i64),
    Bool(bool),
    Text(Cow<'a, str>),
    Decimal(Decimal),
    Money(Decimal, &'static str),
    Date(NaiveDateTime),
    /// Where a reference or child points.
    Row(Key),
    /// The rows of a collection.
    Rows(Vec<Key>),
}

impl Value<'_> {
    /// Tells whether conditions see null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Missing | Self::NullInt)
    }

    /// Renders a scalar; `None` for what is left out or is no scalar.
    pub(super) fn render(&self) -> Option<Json> {
        Some(match self {
            Self::Missing | Self::Row(_) | Self::Rows(_) => return None,
            Self::NullInt => json!(0),
            Self::Int(value) => json!(value),
            Self::Bool(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Decimal(value) => number(*value),
            Self::Money(value, currency) => {
                json!({"CurrencyTypeId": currency, "Value": number(*value)})
            }
            Self::Date(value) => json!(date_text(*value)),
        })
    }
}

/// Renders a decimal without the digits that a binary fraction would add.
fn number(value: Decimal) -> Json {
    let text = value.normalize().to_string();
    if let Ok(whole) = text.parse::<i64>() {
        return json!(whole);
    }
    let parsed = text.parse::<f64>().ok().and_then(Number::from_f64);
    parsed.map_or(Json::Null, Json::Number)
}

/// Writes a date as a later read shows it: no zone, trailing zeros of the fraction dropped.
pub(super) fn date_text(at: NaiveDateTime) -> String {
    let seconds = at.format("%Y-%m-%dT%H:%M:%S");
    let millis = at.and_utc().timestamp_subsec_millis();
    if millis == 0 {
        return seconds.to_string();
    }
    let fraction = format!("{millis:03}");
    format!("{seconds}.{}", fraction.trim_end_matches('0'))
}

/// The date that stands for "never".
pub(super) fn sentinel<'a>() -> Value<'a> {
    NaiveDate::from_ymd_opt(1753, 1, 1)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map_or(Value::Missing, Value::Date)
}

pub(super) fn text(value: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(value))
}

pub(super) fn owned<'a>(value: String) -> Value<'a> {
    Value::Text(Cow::Owned(value))
}

pub(super) fn int<'a>(value: u32) -> Value<'a> {
    Value::Int(i64::from(value))
}

pub(super) fn flag<'a>(value: bool) -> Value<'a> {
    Value::Bool(value)
}

pub(super) fn row<'a>(key: Option<Key>) -> Value<'a> {
    key.map_or(Value::Missing, Value::Row)
}

pub(super) fn link<'a>(id: u32) -> Value<'a> {
    Value::Row(Key::of(id))
}

/// Keys of the children of a row, numbered from 0.
pub(super) fn children<'a>(id: u32, count: usize) -> Value<'a> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Value::Rows((0..count).map(|sub| Key::pair(id, sub)).collect())
}

/// An instant as the database keeps it, in UTC.
pub(super) fn utc<'a>(at: DateTime<Utc>) -> Value<'a> {
    Value::Date(at.naive_utc())
}

/// An instant as the database keeps it, in the wall time of a zone.
pub(super) fn local<'a>(at: DateTime<Utc>, zone: Tz) -> Value<'a> {
    Value::Date(at.with_timezone(&zone).naive_local())
}

/// A day.
pub(super) fn day<'a>(day: NaiveDate) -> Value<'a> {
    day.and_hms_opt(0, 0, 0).map_or(Value::Missing, Value::Date)
}

/// Returns the vendor's index of a time zone.
pub(super) fn zone_index(zone: Tz) -> u32 {
    match zone {
        Tz::America__Chicago => 20,
        Tz::America__New_York => 35,
        Tz::America__Denver => 10,
        Tz::America__Los_Angeles => 4,
        Tz::America__Phoenix => 15,
        Tz::Europe__London => 85,
        Tz::Europe__Brussels => 110,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::{Value, date_text, sentinel};

    #[test]
    fn dates_drop_zeros_and_zone() {
        let at = |millis| {
            NaiveDate::from_ymd_opt(2031, 5, 1)
                .unwrap()
                .and_hms_milli_opt(9, 30, 0, millis)
                .unwrap()
        };
        assert_eq!(date_text(at(0)), "2031-05-01T09:30:00");
        assert_eq!(date_text(at(120)), "2031-05-01T09:30:00.12");
        assert_eq!(date_text(at(7)), "2031-05-01T09:30:00.007");
        assert_eq!(sentinel().render(), Some(json!("1753-01-01T00:00:00")));
    }

    #[test]
    fn money_is_an_object_and_null_integers_are_zero() {
        let money = Value::Money(Decimal::new(1250, 2), "USD");
        assert_eq!(
            money.render(),
            Some(json!({"CurrencyTypeId": "USD", "Value": 12.5}))
        );
        assert_eq!(
            Value::Decimal(Decimal::new(700, 2)).render(),
            Some(json!(7))
        );
        assert_eq!(Value::NullInt.render(), Some(json!(0)));
        assert_eq!(Value::Missing.render(), None);
    }
}
