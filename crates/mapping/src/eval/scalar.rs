//! Single values: found, changed by functions, converted.

use std::borrow::Cow;
use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, Utc};
use wrenchtime_connector::Value;
use wrenchtime_model::{ConnectionId, IssueCode, RecordId, Resource, Timestamp};

use super::Run;
use super::issues::Place;
use crate::convert::{Format, Moment, parse_iso, push_decimal, whole_number};
use crate::path::Scope;
use crate::rule::{Convert, LinkRule, Scalar, ScalarRule, Source, Unmapped};
use crate::value_map::ValueMap;
use crate::write::push_text;
use crate::zone::{NoInstant, ZoneRule};

/// What became of a value.
#[derive(Debug)]
pub(super) enum Outcome<'v> {
    Value(Scalar<'v>),
    Absent,
    /// Nothing, and that is told with the source's value.
    Issue(IssueCode),
    /// Nothing, and that is told with this text.
    Told(IssueCode, String),
    /// This stands in, and that is told.
    Instead(Scalar<'v>, IssueCode),
}

const UNREADABLE: Outcome<'_> = Outcome::Issue(IssueCode::Unreadable);

impl Source {
    /// Returns the first value found.
    pub(super) fn first<'t, 'd>(&self, scope: Scope<'t, 'd>) -> Option<&'t Value<'d>> {
        self.paths.iter().find_map(|path| path.first(scope))
    }

    /// Calls for every value that the first successful path finds, with lists taken apart.
    pub(super) fn each<'t, 'd>(&self, scope: Scope<'t, 'd>, visit: &mut dyn FnMut(&'t Value<'d>)) {
        let mut found = false;
        for path in &self.paths {
            let _all = path.visit(scope, &mut |value| {
                found = true;
                match value {
                    Value::List(items) => items
                        .iter()
                        .filter(|item| !item.is_absent())
                        .for_each(&mut *visit),
                    one => visit(one),
                }
                ControlFlow::Continue(())
            });
            if found {
                return;
            }
        }
    }

    /// Applies the functions. Nothing when one leaves the value out.
    pub(super) fn applied<'t, 'd>(
        &self,
        value: &'t Value<'d>,
    ) -> Result<Option<Cow<'t, Value<'d>>>, String> {
        let mut value = Cow::Borrowed(value);
        for function in &self.apply {
            value = Cow::Owned(function(&value)?);
            if value.is_absent() {
                return Ok(None);
            }
        }
        Ok(Some(value))
    }
}

fn is_single(value: &Value<'_>) -> bool {
    !matches!(value, Value::List(_) | Value::Object(_) | Value::Opaque)
}

impl Run {
    /// Makes the value of a rule and hands it on. Returns false when there is none.
    pub(super) fn scalar(
        &mut self,
        rule: &ScalarRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
        then: impl FnOnce(&mut Self, Scalar<'_>),
    ) -> bool {
        match rule {
            ScalarRule::Constant(scalar) => {
                then(self, scalar.clone());
                true
            }
            ScalarRule::One(source, convert) => self.one((source, convert), scope, place, then),
            ScalarRule::Joined(source, between, convert) => {
                let Some(joined) = self.joined(source, between, scope, place) else {
                    return false;
                };
                let joined = Value::from(joined);
                let outcome = convert.outcome(&joined, scope, self.connection);
                self.settle(outcome, &joined, place, then)
            }
        }
    }

    /// Makes a value of the first thing found that gives one: a key of 0 or a date that a function leaves out
    /// gives way to the next.
    fn one(
        &mut self,
        (source, convert): (&Source, &Convert),
        scope: Scope<'_, '_>,
        place: &Place<'_>,
        then: impl FnOnce(&mut Self, Scalar<'_>),
    ) -> bool {
        let mut then = Some(then);
        let mut is_written = false;
        let mut attempt = |found: &Value<'_>| {
            let value = match source.applied(found) {
                Ok(Some(value)) => value,
                Ok(None) => return ControlFlow::Continue(()),
                Err(_) => {
                    self.issues.add(place, IssueCode::Unreadable, found);
                    return ControlFlow::Break(());
                }
            };
            match convert.outcome(&value, scope, self.connection) {
                Outcome::Absent => return ControlFlow::Continue(()),
                outcome => {
                    if let Some(then) = then.take() {
                        // What a function picked out of a whole row is what was not understood, not the row.
                        let told = if is_single(found) { found } else { &value };
                        is_written = self.settle(outcome, told, place, then);
                    }
                }
            }
            ControlFlow::Break(())
        };
        let _stopped = source
            .paths
            .iter()
            .try_for_each(|path| path.visit(scope, &mut |found| attempt(found)));
        is_written
    }

    /// Applies a rule's functions and goes on with what they return.
    pub(super) fn converted<'t, 'd>(
        &mut self,
        source: &Source,
        found: &'t Value<'d>,
        place: &Place<'_>,
        then: impl FnOnce(&mut Self, &Value<'d>) -> bool,
    ) -> bool {
        match source.applied(found) {
            Ok(Some(value)) => then(self, &value),
            Ok(None) => false,
            Err(_) => {
                self.issues.add(place, IssueCode::Unreadable, found);
                false
            }
        }
    }

    /// Tells what is to be told and hands on the value, if there is one.
    pub(super) fn settle(
        &mut self,
        outcome: Outcome<'_>,
        found: &Value<'_>,
        place: &Place<'_>,
        then: impl FnOnce(&mut Self, Scalar<'_>),
    ) -> bool {
        let scalar = match outcome {
            Outcome::Value(scalar) => scalar,
            Outcome::Absent => return false,
            Outcome::Issue(code) => {
                self.issues.add(place, code, found);
                return false;
            }
            Outcome::Told(code, raw) => {
                self.issues.add_raw(place, code, &raw);
                return false;
            }
            Outcome::Instead(scalar, code) => {
                self.issues.add(place, code, found);
                scalar
            }
        };
        then(self, scalar);
        true
    }

    fn joined(
        &mut self,
        source: &Source,
        between: &str,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> Option<String> {
        let mut joined = String::new();
        source.each(scope, &mut |found| {
            self.converted(source, found, place, |run, value| {
                let Some(text) = value.as_text() else {
                    run.issues.add(place, IssueCode::Unreadable, found);
                    return false;
                };
                if !joined.is_empty() {
                    joined.push_str(between);
                }
                joined.push_str(text);
                true
            });
        });
        (!joined.is_empty()).then_some(joined)
    }
}

impl Convert {
    /// Converts a value that is not absent.
    pub(super) fn outcome<'v>(
        &'v self,
        value: &'v Value<'_>,
        scope: Scope<'v, '_>,
        connection: ConnectionId,
    ) -> Outcome<'v> {
        let readable = |scalar: Option<Scalar<'v>>| scalar.map_or(UNREADABLE, Outcome::Value);
        let decimal = || value.as_decimal();
        match self {
            Self::Text => readable(
                value
                    .as_text()
                    .map(|text| Scalar::Text(Cow::Borrowed(text))),
            ),
            Self::Named(map, unmapped) => named(map, *unmapped, value),
            Self::Integer(factor) => {
                let whole = decimal().and_then(|number| whole_number(number, *factor));
                readable(whole.map(Scalar::Integer))
            }
            Self::Number => readable(number(value)),
            Self::Boolean => readable(value.as_boolean().map(Scalar::Boolean)),
            Self::NamedBoolean(map) => match named(map, Unmapped::Absent, value) {
                Outcome::Value(Scalar::Text(flag)) => {
                    Outcome::Value(Scalar::Boolean(flag == "true"))
                }
                other => other,
            },
            Self::Amount => readable(decimal().map(Scalar::Amount)),
            Self::Instant(zone, formats) => instant(zone, formats, value, scope),
            Self::Day(formats) => {
                let moment = value.as_text().and_then(|text| moment(text, formats));
                readable(moment.map(|moment| Scalar::Day(moment.day())))
            }
            Self::Link(rule) => rule.outcome(value, scope, connection),
        }
    }
}

fn named<'v>(map: &'v ValueMap, unmapped: Unmapped, value: &Value<'_>) -> Outcome<'v> {
    let Some(text) = value.as_text() else {
        return UNREADABLE;
    };
    match (map.get(text), unmapped) {
        (Some(name), _) => Outcome::Value(Scalar::Text(Cow::Borrowed(name))),
        (None, Unmapped::Absent) => Outcome::Issue(IssueCode::UnmappedValue),
        (None, Unmapped::Unknown) => Outcome::Instead(
            Scalar::Text(Cow::Borrowed("unknown")),
            IssueCode::UnmappedValue,
        ),
    }
}

/// A number is kept in its own digits; text that is one in those of a decimal, since JSON knows fewer spellings.
fn number<'v>(value: &'v Value<'_>) -> Option<Scalar<'v>> {
    let decimal = value.as_decimal()?;
    match value {
        Value::Number(digits) => Some(Scalar::Number(Cow::Borrowed(digits))),
        _ => Some(Scalar::Number(Cow::Owned(decimal.to_string()))),
    }
}

fn moment(text: &str, formats: &[Format]) -> Option<Moment> {
    parse_iso(text).or_else(|| formats.iter().find_map(|format| format.parse(text)))
}

fn instant<'v>(
    zone: &ZoneRule,
    formats: &[Format],
    value: &Value<'_>,
    scope: Scope<'v, '_>,
) -> Outcome<'v> {
    let Some(text) = value.as_text() else {
        return UNREADABLE;
    };
    let Some(moment) = moment(text, formats) else {
        return UNREADABLE;
    };
    let told = |zone: &str| Outcome::Told(IssueCode::UnknownZone, format!("{text}[{zone}]"));
    match zone.instant(moment, scope) {
        Ok(at) if has_year(at) => Outcome::Value(Scalar::Instant(Timestamp::from(at))),
        Ok(_) => UNREADABLE,
        Err(NoInstant::NoZone) => Outcome::Issue(IssueCode::UnknownZone),
        Err(NoInstant::UnknownZone(zone)) => told(zone),
        Err(NoInstant::Skipped(zone)) => told(zone.name()),
    }
}

/// The offset of a zone can carry a time over the ends of the years that RFC 3339 can write.
fn has_year(at: DateTime<Utc>) -> bool {
    (1..=9999).contains(&at.year())
}

impl LinkRule {
    pub(super) fn outcome<'v>(
        &self,
        value: &Value<'_>,
        scope: Scope<'_, '_>,
        connection: ConnectionId,
    ) -> Outcome<'v> {
        let key = match value {
            Value::Text(_) | Value::Number(_) => value.as_text(),
            _ => None,
        };
        let Some(key) = key else {
            return UNREADABLE;
        };
        if value.as_decimal().is_some_and(|number| number.is_zero()) {
            return Outcome::Absent;
        }
        let id = RecordId::derive(connection, &self.class, key);
        Outcome::Value(Scalar::Link(id, self.resource_of(scope)))
    }

    /// A type that the map does not know leaves the resource open: the reference is right without it.
    fn resource_of(&self, scope: Scope<'_, '_>) -> Option<Resource> {
        let told = self
            .told
            .as_ref()
            .and_then(|(path, names)| names.get(path.first(scope)?.as_text()?)?.parse().ok());
        told.or(self.resource)
    }
}

impl Scalar<'_> {
    /// Writes the value as the model's own types write it.
    pub(super) fn push_json(&self, out: &mut String) {
        match self {
            Self::Text(text) => push_text(out, text),
            Self::Integer(number) => out.push_str(&number.to_string()),
            Self::Number(digits) => out.push_str(digits),
            Self::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Amount(number) => push_decimal(out, *number),
            Self::Instant(at) => push_plain(out, &at.to_string()),
            Self::Day(day) => push_plain(out, &day.to_string()),
            Self::Link(id, resource) => {
                out.push_str("{\"id\":");
                push_plain(out, &id.to_string());
                if let Some(resource) = resource {
                    out.push_str(",\"resource\":");
                    push_plain(out, resource.name());
                }
                out.push('}');
            }
        }
    }
}

/// Writes a text that needs no escapes.
fn push_plain(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}
