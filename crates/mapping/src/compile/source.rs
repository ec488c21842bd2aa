//! Paths, conditions, functions and value maps that rules name.

use std::sync::Arc;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::Compiler;
use super::keys::Keys;
use crate::fault::nearest;
use crate::path::Path;
use crate::rule::{Condition, Source};
use crate::value_map::ValueMap;

/// How many values a field takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    One,
    Many,
}

/// What the unified names of a value map may be.
pub(super) enum Names<'n> {
    Any,
    Of(&'n str, Vec<&'n str>),
    Zones,
    Currencies,
}

impl Names<'_> {
    pub(super) fn fault_of(&self, name: &str) -> Option<(String, Option<String>)> {
        match self {
            Self::Any => None,
            Self::Of(_, known) if known.contains(&name) => None,
            Self::Of(what, known) => {
                let message = format!("`{name}` is no {what}; known are {}", known.join(", "));
                Some((message, nearest(name, known.iter().copied())))
            }
            Self::Zones if name.parse::<Tz>().is_ok() => None,
            Self::Zones => Some((format!("`{name}` is no IANA time zone"), nearest_zone(name))),
            Self::Currencies if is_currency(name) => None,
            Self::Currencies => Some((format!("`{name}` is no ISO 4217 code"), None)),
        }
    }
}

/// Tells whether a text has the form of an ISO 4217 code.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn nearest_zone(name: &str) -> Option<String> {
    nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name()))
}

impl Compiler<'_> {
    pub(super) fn path(&self, keys: &Keys<'_>, key: &str, text: &str) -> Option<Path> {
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(reason) => {
                keys.fault(key, format!("`{text}` is no path: {reason}"));
                None
            }
        }
    }

    /// Reads a path that finds one value at most.
    pub(super) fn one_path(&self, keys: &Keys<'_>, key: &str, text: &str) -> Option<Path> {
        let path = self.path(keys, key, text)?;
        if path.is_many() {
            keys.fault(
                key,
                format!("`{text}` may find many values where one is wanted"),
            );
            return None;
        }
        Some(path)
    }

    pub(super) fn optional_path(&self, keys: &Keys<'_>, key: &str) -> Option<Path> {
        let text = keys.text(key)?;
        self.one_path(keys, key, text)
    }

    /// Reads `path` or `first`, and `apply`.
    pub(super) fn source(&self, keys: &Keys<'_>, takes: Takes) -> Option<Source> {
        let paths = match (keys.has("path"), keys.has("first")) {
            (true, false) => {
                let path = self.path(keys, "path", keys.text("path")?)?;
                if takes == Takes::One && path.is_many() {
                    keys.fault("path", format!(
                        "`{}` may find many values where the field takes one: write `first = [...]`, or `join` for text",
                        path.as_str()
                    ));
                }
                vec![path]
            }
            (false, true) => {
                let texts = keys.texts("first")?;
                if texts.is_empty() {
                    keys.fault("first", "the list is empty");
                }
                texts
                    .into_iter()
                    .filter_map(|text| self.path(keys, "first", text))
                    .collect()
            }
            (false, false) => {
                keys.fault_here("a `path` is missing");
                return None;
            }
            (true, true) => {
                keys.fault_here("`path` and `first` exclude each other");
                return None;
            }
        };
        let names = keys.texts("apply").unwrap_or_default();
        let apply = names
            .into_iter()
            .filter_map(|name| self.function(keys, name))
            .collect();
        Some(Source { paths, apply })
    }

    pub(super) fn value_map(
        &self,
        keys: &Keys<'_>,
        key: &str,
        names: &Names<'_>,
    ) -> Option<Arc<ValueMap>> {
        let name = keys.text(key)?;
        let Some(map) = self.values.get(name) else {
            let suggestion = nearest(name, self.values.keys().map(String::as_str));
            keys.fault_with(key, format!("there is no value map `{name}`"), suggestion);
            return None;
        };
        for (source, target) in map.pairs() {
            if let Some((message, suggestion)) = names.fault_of(target) {
                let place = format!("values.{}.{source}", map.name());
                let message = format!("{message} (used by {})", keys.place_of(key));
                keys.faults().add(place, message, suggestion);
            }
        }
        Some(Arc::clone(map))
    }

    pub(super) fn zone(&self, keys: &Keys<'_>, key: &str) -> Option<Tz> {
        let name = keys.text(key)?;
        let zone = name.parse().ok();
        if zone.is_none() {
            keys.fault_with(
                key,
                format!("`{name}` is no IANA time zone"),
                nearest_zone(name),
            );
        }
        zone
    }

    pub(super) fn conditions(&self, keys: &Keys<'_>) -> Vec<Condition> {
        let tables = keys.tables("when");
        tables
            .iter()
            .filter_map(|keys| self.condition(keys))
            .collect()
    }

    fn condition(&self, keys: &Keys<'_>) -> Option<Condition> {
        keys.only("a condition", &["path", "in", "not_in", "present"]);
        if !["in", "not_in", "present"].iter().any(|key| keys.has(key)) {
            keys.fault_here("a condition needs `in`, `not_in` or `present`");
        }
        let text = keys.required_text("path")?;
        Some(Condition {
            path: self.path(keys, "path", text)?,
            within: keys.literals("in"),
            without: keys.literals("not_in"),
            present: keys.flag("present"),
        })
    }
}
