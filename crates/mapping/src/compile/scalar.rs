//! Rules of fields that hold one value.

use std::borrow::Cow;

use toml::Value;
use wrenchtime_connector::Value as Found;
use wrenchtime_model::{FieldKind, Timestamp};

use super::Compiler;
use super::fields::{READS, with_rule};
use super::keys::Keys;
use super::source::{Names, Takes};
use crate::convert::{Format, Moment, parse_iso};
use crate::rule::{Convert, Scalar, ScalarRule, Unmapped};
use crate::zone::ZoneRule;

const UNKNOWN: &str = "unknown";
const FLAGS: [&str; 2] = ["true", "false"];

impl Compiler<'_> {
    /// Reads the rule of an instant that stands beside the fields.
    pub(super) fn instant(&self, keys: &Keys<'_>, key: &str) -> Option<ScalarRule> {
        let value = keys.get(key)?;
        with_rule(keys, key, value, |rule| {
            self.scalar(rule, &FieldKind::Timestamp)
        })
    }

    pub(super) fn scalar(&self, keys: &Keys<'_>, kind: &FieldKind) -> Option<ScalarRule> {
        let (owner, own) = keys_of(kind);
        let owner = format!("a rule for {owner}");
        if let Some(value) = keys.get("value") {
            keys.only(&owner, &["value"]);
            return self.constant(keys, kind, value);
        }
        keys.only(&owner, &[READS, &["value"], own].concat());
        let join = keys.text("join");
        let takes = if join.is_some() {
            Takes::Many
        } else {
            Takes::One
        };
        let source = self.source(keys, takes);
        let convert = self.convert(keys, kind);
        let (source, convert) = (source?, convert?);
        Some(match join {
            Some(join) => ScalarRule::Joined(source, join.to_owned(), convert),
            None => ScalarRule::One(source, convert),
        })
    }

    fn convert(&self, keys: &Keys<'_>, kind: &FieldKind) -> Option<Convert> {
        match kind {
            FieldKind::Text if keys.has("values") => {
                let map = self.value_map(keys, "values", &Names::Any)?;
                Some(Convert::Named(map, Unmapped::Absent))
            }
            FieldKind::Text => Some(Convert::Text),
            FieldKind::Integer => self.factor(keys).map(Convert::Integer),
            FieldKind::Boolean if keys.has("values") => {
                let names = Names::Of("flag", FLAGS.to_vec());
                self.value_map(keys, "values", &names)
                    .map(Convert::NamedBoolean)
            }
            FieldKind::Boolean => Some(Convert::Boolean),
            FieldKind::Amount => Some(Convert::Amount),
            FieldKind::Timestamp => self.instant_convert(keys),
            FieldKind::Date => Some(Convert::Day(self.formats(keys))),
            FieldKind::Reference => self.link(keys).map(Convert::Link),
            FieldKind::Choice(members) => self.choice(keys, members),
            _ => {
                keys.fault_here("mappings cannot fill fields of this kind");
                None
            }
        }
    }

    fn choice(&self, keys: &Keys<'_>, members: &[String]) -> Option<Convert> {
        if !keys.has("values") {
            keys.fault_here(
                "a field with a closed list of names needs `values`, the name of a value map",
            );
            return None;
        }
        let names = Names::Of(
            "member of the field's list",
            members.iter().map(String::as_str).collect(),
        );
        let map = self.value_map(keys, "values", &names)?;
        let has_unknown = members.iter().any(|member| member == UNKNOWN);
        Some(Convert::Named(
            map,
            if has_unknown {
                Unmapped::Unknown
            } else {
                Unmapped::Absent
            },
        ))
    }

    #[expect(
        clippy::option_option,
        reason = "no factor is an answer, a wrong one is none"
    )]
    fn factor(&self, keys: &Keys<'_>) -> Option<Option<i64>> {
        if !keys.has("unit") {
            return Some(None);
        }
        match keys.text("unit")? {
            "seconds" => Some(Some(1)),
            "minutes" => Some(Some(60)),
            "hours" => Some(Some(3600)),
            other => {
                keys.fault(
                    "unit",
                    format!("`{other}` is no unit; known are seconds, minutes, hours"),
                );
                None
            }
        }
    }

    pub(super) fn instant_convert(&self, keys: &Keys<'_>) -> Option<Convert> {
        if keys.has("zones") && !keys.has("zone_path") {
            keys.fault(
                "zones",
                "`zones` names the zones that `zone_path` finds, and that is missing",
            );
        }
        let zone = ZoneRule {
            fixed: self.zone(keys, "zone"),
            path: self.optional_path(keys, "zone_path"),
            names: self.value_map(keys, "zones", &Names::Zones),
        };
        Some(Convert::Instant(zone, self.formats(keys)))
    }

    pub(super) fn formats(&self, keys: &Keys<'_>) -> Vec<Format> {
        let texts = keys.texts("formats").unwrap_or_default();
        let formats = texts
            .into_iter()
            .filter_map(|text| match Format::new(text) {
                Ok(format) => Some(format),
                Err(reason) => {
                    keys.fault("formats", reason);
                    None
                }
            });
        formats.collect()
    }

    fn constant(&self, keys: &Keys<'_>, kind: &FieldKind, value: &Value) -> Option<ScalarRule> {
        let text = value
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let (scalar, wanted) = match kind {
            FieldKind::Text => (text.map(owned), "a text"),
            FieldKind::Integer => (value.as_integer().map(Scalar::Integer), "a whole number"),
            FieldKind::Boolean => (value.as_bool().map(Scalar::Boolean), "true or false"),
            FieldKind::Amount => (
                text.and_then(|text| Found::from(text).as_decimal())
                    .map(Scalar::Amount),
                "a decimal as text",
            ),
            FieldKind::Date => (text.and_then(day), "a day as text"),
            FieldKind::Timestamp => (text.and_then(at), "an instant as text, with its offset"),
            FieldKind::Choice(members) => {
                if let Some(name) = text {
                    let known: Vec<&str> = members.iter().map(String::as_str).collect();
                    if !known.contains(&name) {
                        let suggestion = crate::fault::nearest(name, known.iter().copied());
                        let message = format!(
                            "`{name}` is no member of the field's list; known are {}",
                            known.join(", ")
                        );
                        keys.fault_with("value", message, suggestion);
                        return None;
                    }
                }
                (text.map(owned), "a member of the field's list")
            }
            _ => (None, "left out: fields of this kind have no constant"),
        };
        if scalar.is_none() {
            keys.fault("value", format!("this must be {wanted}"));
        }
        scalar.map(ScalarRule::Constant)
    }
}

fn owned(text: &str) -> Scalar<'static> {
    Scalar::Text(Cow::Owned(text.to_owned()))
}

fn day(text: &str) -> Option<Scalar<'static>> {
    parse_iso(text).map(|moment| Scalar::Day(moment.day()))
}

fn at(text: &str) -> Option<Scalar<'static>> {
    match parse_iso(text)? {
        Moment::Instant { at, .. } => Some(Scalar::Instant(Timestamp::from(at))),
        Moment::Local(_) | Moment::Day(_) => None,
    }
}

/// What a kind is called, and the keys of its rules beyond the common ones.
fn keys_of(kind: &FieldKind) -> (&'static str, &'static [&'static str]) {
    match kind {
        FieldKind::Text => ("text", &["join", "values"]),
        FieldKind::Integer => ("a whole number", &["unit"]),
        FieldKind::Boolean => ("a flag", &["values"]),
        FieldKind::Amount => ("a decimal", &[]),
        FieldKind::Timestamp => ("an instant", &["zone", "zone_path", "zones", "formats"]),
        FieldKind::Date => ("a day", &["formats"]),
        FieldKind::Reference => (
            "a reference",
            &["class", "resource", "resource_path", "resources"],
        ),
        FieldKind::Choice(_) => ("a name of a closed list", &["values"]),
        _ => ("this field", &[]),
    }
}
