//! Parameters: declared once as data, from which requests are checked and the document is written.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};
use wrenchtime_model::Timestamp;

use crate::problem::Problem;

/// How many rows a page has that does not say it.
pub(crate) const DEFAULT_LIMIT: u32 = 100;
/// How many rows a page has at most.
pub(crate) const LARGEST_LIMIT: u32 = 500;

/// A parameter of a route.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What it means, and by whose clock.
    pub(crate) description: String,
}

/// What a parameter holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// RFC 3339 instant or date.
    Instant,
    /// Date alone.
    Date,
    /// Any text that is not empty.
    Text,
    /// A UUID.
    Uuid,
    /// Number of rows.
    Limit,
    /// `true` or `false`.
    Flag,
    /// One of these.
    Choice(Vec<String>),
    /// One or more of these, separated by commas.
    List(Vec<String>),
}

impl Parameter {
    pub(crate) fn new(name: &'static str, kind: Kind, description: impl Into<String>) -> Self {
        Self {
            name,
            kind,
            description: description.into(),
        }
    }

    /// Returns the JSON Schema of its value.
    pub(crate) fn schema(&self) -> Value {
        match &self.kind {
            Kind::Instant => {
                json!({ "type": "string", "examples": ["2031-05-01", "2031-05-01T09:30:00Z"] })
            }
            Kind::Date => json!({ "type": "string", "format": "date" }),
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
            Kind::Limit => json!({
                "type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT
            }),
            Kind::Flag => json!({ "type": "boolean", "default": false }),
            Kind::Choice(names) => json!({ "type": "string", "enum": names }),
            Kind::List(names) => json!({
                "type": "array", "items": { "type": "string", "enum": names }, "minItems": 1
            }),
        }
    }
}

/// The query of a request: every name is one that the route takes, and stands there once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// Names the parameter that is unknown, empty or given twice, and all that are allowed.
    pub(crate) fn parse(text: &str, allowed: &[Parameter]) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if !allowed.iter().any(|parameter| parameter.name == name) {
                return Err(Problem::parameter(&name, unknown(allowed)));
            }
            if value.is_empty() {
                return Err(Problem::parameter(&name, "must not be empty"));
            }
            if values
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                return Err(Problem::parameter(&name, "must be given once"));
            }
        }
        Ok(Self { values })
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.values.contains_key(*name))
    }

    /// Reads a value that has a textual form of its own.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Problem::parameter(name, format!("must be {what}")))
            })
            .transpose()
    }

    /// Reads the beginning of a stretch of time, which belongs to it: finer digits than we keep are cut off.
    pub(crate) fn instant_from(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        Ok(self.instant(name)?.map(Timestamp::from))
    }

    /// Reads the end of a stretch of time, which does not belong to it: finer digits than we keep are rounded up.
    pub(crate) fn instant_before(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        Ok(self.instant(name)?.map(|instant| {
            let cut = instant.trunc_subsecs(6);
            if cut == instant {
                Timestamp::from(cut)
            } else {
                Timestamp::from(cut + TimeDelta::microseconds(1))
            }
        }))
    }

    fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        self.text(name)
            .map(|text| {
                parse_instant(text).ok_or_else(|| {
                    Problem::parameter(
                        name,
                        "must be a date (2031-05-01, meaning 00:00 UTC) or an RFC 3339 instant \
                         (2031-05-01T09:30:00Z)",
                    )
                })
            })
            .transpose()
    }

    pub(crate) fn date(&self, name: &str) -> Result<Option<NaiveDate>, Problem> {
        self.text(name)
            .map(|text| {
                parse_date(text)
                    .ok_or_else(|| Problem::parameter(name, "must be a date (2031-05-01)"))
            })
            .transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::parameter(name, "must be true or false")),
        }
    }

    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = self.text("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        text.parse()
            .ok()
            .filter(|limit| (1..=LARGEST_LIMIT).contains(limit))
            .ok_or_else(|| {
                Problem::parameter(
                    "limit",
                    format!("must be a number from 1 to {LARGEST_LIMIT}"),
                )
            })
    }

    /// Reads names separated by commas, each of them allowed, in the order given.
    pub(crate) fn list(&self, name: &str, allowed: &[String]) -> Result<Vec<String>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(Vec::new());
        };
        let names: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
        if names.iter().all(|one| allowed.contains(one)) {
            Ok(names)
        } else {
            Err(Problem::parameter(
                name,
                format!("must be one or more of {}", allowed.join(", ")),
            ))
        }
    }
}

fn unknown(allowed: &[Parameter]) -> String {
    if allowed.is_empty() {
        return "is not a parameter of this request: it takes none".to_owned();
    }
    let names: Vec<&str> = allowed.iter().map(|parameter| parameter.name).collect();
    format!(
        "is not a parameter of this request; there are {}",
        names.join(", ")
    )
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    // Four digits of year, so that nothing is read in two ways.
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    if let Some(date) = parse_date(text) {
        return Some(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    // A plus sign in a query means a blank; whoever forgot to escape it means the sign.
    let text = text.replace(' ', "+");
    DateTime::parse_from_rfc3339(&text)
        .ok()
        .map(|instant| instant.to_utc())
        .filter(|instant| (0..=9999).contains(&chrono::Datelike::year(instant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Vec<Parameter> {
        vec![
            Parameter::new("after", Kind::Instant, ""),
            Parameter::new("limit", Kind::Limit, ""),
        ]
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let instant = parse_instant(text).map(|instant| Timestamp::from(instant).to_string());
        assert_eq!(instant.as_deref(), expected);
    }

    #[test]
    fn instants_are_read_as_dates_or_rfc_3339() {
        check("2031-05-01", Some("2031-05-01T00:00:00.000000Z"));
        check("2031-05-01T09:30:00Z", Some("2031-05-01T09:30:00.000000Z"));
        check(
            "2031-05-01T09:30:00 02:00",
            Some("2031-05-01T07:30:00.000000Z"),
        );
        check(
            "2031-05-01T09:30:00.5+02:00",
            Some("2031-05-01T07:30:00.500000Z"),
        );
        for wrong in [
            "31-05-01",
            "2031-13-01",
            "2031-05-01T09:30:00",
            "now",
            "1900000000",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_end_of_a_stretch_is_rounded_up_and_its_beginning_cut() {
        let query = Query::parse("after=2031-05-01T00:00:00.0000005Z", &allowed()).unwrap();
        let from = query.instant_from("after").unwrap().unwrap();
        let before = query.instant_before("after").unwrap().unwrap();
        assert_eq!(from.to_string(), "2031-05-01T00:00:00.000000Z");
        assert_eq!(before.to_string(), "2031-05-01T00:00:00.000001Z");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (text, named) in [
            ("colour=red", "after, limit"),
            ("after=", "empty"),
            ("limit=1&limit=2", "once"),
        ] {
            let problem = Query::parse(text, &allowed()).unwrap_err();
            assert!(problem.errors[0].message.contains(named), "{problem:?}");
        }
        for limit in ["0", "501", "-1", "x"] {
            let query = Query::parse(&format!("limit={limit}"), &allowed()).unwrap();
            assert!(query.limit().unwrap_err().errors[0].message.contains("500"));
        }
    }
}
