//! How values are kept in columns, whichever database it is.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wrenchtime_model::{Resource, Timestamp};

use crate::error::Fault;

pub(crate) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

pub(crate) fn instant(micros: i64) -> Result<DateTime<Utc>, Fault> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| Fault::Corrupt(format!("{micros} is no instant")))
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, Fault> {
    instant(micros).map(Timestamp::from)
}

pub(crate) fn optional_micros(instant: Option<Timestamp>) -> Option<i64> {
    instant.map(|instant| instant.as_micros())
}

pub(crate) fn day(date: Option<NaiveDate>) -> Option<String> {
    date.map(|date| date.to_string())
}

pub(crate) fn hash(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes
        .try_into()
        .map_err(|_| Fault::Corrupt(format!("a hash of {} bytes", bytes.len())))
}

/// Databases count with a sign. No counter of ours comes near to its end.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Corrupt(format!("{number} below zero")))
}

pub(crate) fn small(number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| Fault::Corrupt(format!("{number} out of range")))
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Corrupt(error.to_string()))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Corrupt(error.to_string()))
}

/// Takes schedules of resources, in seconds by their names; 0 means on demand only.
pub(crate) fn intervals(text: &str) -> Result<BTreeMap<Resource, Option<Duration>>, Fault> {
    let seconds: BTreeMap<Resource, u64> = from_json(text)?;
    let interval = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
    let intervals = seconds.into_iter();
    Ok(intervals
        .map(|(resource, seconds)| (resource, interval(seconds)))
        .collect())
}

pub(crate) fn intervals_to_text(
    intervals: &BTreeMap<Resource, Option<Duration>>,
) -> Result<String, Fault> {
    let seconds = |every: &Option<Duration>| every.map_or(0, |every| every.as_secs());
    let by_name = intervals
        .iter()
        .map(|(resource, every)| (resource, seconds(every)));
    to_json(&by_name.collect::<BTreeMap<_, _>>())
}

/// Takes a name of one of our closed lists, whose members serialise as plain text.
pub(crate) fn from_name<T: DeserializeOwned>(name: &str) -> Result<T, Fault> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name))
        .map_err(|error| Fault::Corrupt(error.to_string()))
}

/// Returns the name of a member of one of our closed lists, whose members serialise as plain text.
pub(crate) fn to_name(member: &impl Serialize) -> Result<String, Fault> {
    match serde_json::to_value(member) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        other => Err(Fault::Corrupt(format!("{other:?} is no name"))),
    }
}

pub(crate) fn resource(name: &str) -> Result<Resource, Fault> {
    name.parse()
        .map_err(|error: wrenchtime_model::UnknownResource| Fault::Corrupt(error.to_string()))
}

pub(crate) fn resources_to_text(resources: &[Resource]) -> String {
    let names: Vec<_> = resources.iter().map(|resource| resource.name()).collect();
    names.join(",")
}

pub(crate) fn resources_from_text(text: &str) -> Result<Vec<Resource>, Fault> {
    text.split(',')
        .filter(|name| !name.is_empty())
        .map(resource)
        .collect()
}
