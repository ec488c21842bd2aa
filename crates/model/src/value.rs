//! Values that several resources share: instants, money, quantities, references.

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{RecordId, Resource};

/// An instant in UTC with microseconds, written as RFC 3339 with `Z` and six decimals.
///
/// Finer digits are cut off, so that a stored instant equals the one that was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Timestamp(#[schemars(with = "String", extend("format" = "date-time"))] DateTime<Utc>);

impl Timestamp {
    /// Returns the instant.
    pub fn as_datetime(&self) -> DateTime<Utc> {
        self.0
    }

    /// Returns microseconds since 1970-01-01T00:00:00Z, the form in which stores keep it.
    pub fn as_micros(&self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Returns the instant of [`Timestamp::as_micros`], or nothing outside of chrono's range of years.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant.trunc_subsecs(6))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self::from)
    }
}

/// A decimal number, written as JSON text so that no reader rounds it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(transparent, inline)]
pub struct Amount(
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String", extend("format" = "decimal"))]
    Decimal,
);

impl Amount {
    /// Returns the number.
    pub fn as_decimal(&self) -> Decimal {
        self.0
    }
}

impl From<Decimal> for Amount {
    fn from(number: Decimal) -> Self {
        Self(number)
    }
}

/// A sum of money.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// How much, in the currency's major unit.
    pub amount: Amount,
    /// ISO 4217 code, for example `USD`; absent when the source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// A number of something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Quantity {
    /// How many.
    pub value: Amount,
    /// The source's own name of the unit; absent when the source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A link to another record of the same connection. The target may not have been read yet, or ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The target's id.
    pub id: RecordId,
    /// The target's resource, where the source tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_with_six_decimals_and_cut() {
        let instant: DateTime<Utc> = "2031-05-01T09:30:00.1234567Z".parse().unwrap();
        let timestamp = Timestamp::from(instant);
        assert_eq!(timestamp.to_string(), "2031-05-01T09:30:00.123456Z");
        assert_eq!(
            Timestamp::from_micros(timestamp.as_micros()),
            Some(timestamp)
        );
    }

    #[test]
    fn money_keeps_every_digit() {
        let text = r#"{"amount":"1234567890.1200","currency":"USD"}"#;
        let money: Money = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&money).unwrap(), text);
    }
}
