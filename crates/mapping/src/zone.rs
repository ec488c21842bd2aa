//! In which zone a local time was meant.

use std::sync::Arc;

use chrono::{DateTime, LocalResult, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::convert::Moment;
use crate::path::{Path, Scope};
use crate::value_map::ValueMap;

/// Where a rule for instants takes the zone from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ZoneRule {
    /// The zone of sources that tell none.
    pub(crate) fixed: Option<Tz>,
    /// Where the source tells the zone.
    pub(crate) path: Option<Path>,
    /// IANA names by the source's own names of zones.
    pub(crate) names: Option<Arc<ValueMap>>,
}

/// Why a local time is no instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoInstant<'v> {
    /// Nothing tells the zone.
    NoZone,
    /// The source's zone is not known.
    UnknownZone(&'v str),
    /// The clocks there were put forward over this time.
    Skipped(Tz),
}

impl ZoneRule {
    /// Returns the instant. A day alone begins at midnight. Of a time that the clocks there showed twice the
    /// earlier instant counts: what became due or changed then did so at the earliest.
    pub(crate) fn instant<'v>(
        &self,
        moment: Moment,
        scope: Scope<'v, '_>,
    ) -> Result<DateTime<Utc>, NoInstant<'v>> {
        let local = match moment {
            Moment::Instant { at, .. } => return Ok(at),
            Moment::Local(local) => local,
            Moment::Day(day) => day.and_time(NaiveTime::MIN),
        };
        in_zone(local, self.zone(scope)?)
    }

    fn zone<'v>(&self, scope: Scope<'v, '_>) -> Result<Tz, NoInstant<'v>> {
        let told = self.path.as_ref().and_then(|path| path.first(scope));
        let Some(told) = told else {
            return self.fixed.ok_or(NoInstant::NoZone);
        };
        let name = told.as_text().ok_or(NoInstant::UnknownZone(""))?;
        let names = self.names.as_ref();
        let mapped = names.and_then(|names| names.exact(name));
        let known = mapped.unwrap_or(name).parse().ok();
        let by_default = || names.and_then(|names| names.default())?.parse().ok();
        known
            .or_else(by_default)
            .ok_or(NoInstant::UnknownZone(name))
    }
}

fn in_zone(local: NaiveDateTime, zone: Tz) -> Result<DateTime<Utc>, NoInstant<'static>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Ok(at.to_utc()),
        LocalResult::None => Err(NoInstant::Skipped(zone)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wrenchtime_connector::Value;

    use crate::convert::parse_iso;

    const BERLIN: Tz = Tz::Europe__Berlin;

    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write the value in place"
    )]
    fn check(rule: &ZoneRule, text: &str, expected: Result<&str, NoInstant<'_>>) {
        let document =
            Value::parse(r#"{"known": "Asia/Tokyo", "own": "(UTC+1) Berlin", "bad": "Mars"}"#)
                .unwrap();
        let found = rule.instant(parse_iso(text).unwrap(), Scope::of_document(&document));
        let found = found.map(|at| at.to_rfc3339());
        assert_eq!(
            found.as_deref(),
            expected.as_ref().map(|text| *text),
            "{text}"
        );
    }

    fn at(path: &str) -> ZoneRule {
        let names = ValueMap::new("zones", [("(UTC+1) Berlin", "Europe/Berlin")]);
        ZoneRule {
            fixed: None,
            path: Path::parse(path).ok(),
            names: Some(Arc::new(names)),
        }
    }

    #[test]
    fn clocks_put_forward_and_back() {
        let rule = ZoneRule {
            fixed: Some(BERLIN),
            ..ZoneRule::default()
        };
        check(&rule, "2031-01-15T12:00", Ok("2031-01-15T11:00:00+00:00"));
        check(&rule, "2031-03-30T02:30", Err(NoInstant::Skipped(BERLIN)));
        check(&rule, "2031-10-26T02:30", Ok("2031-10-26T00:30:00+00:00"));
        check(&rule, "2031-05-01", Ok("2031-04-30T22:00:00+00:00"));
        check(
            &rule,
            "2031-05-01T09:30+09:00",
            Ok("2031-05-01T00:30:00+00:00"),
        );
    }

    #[test]
    fn zones_that_the_source_tells() {
        check(
            &at("known"),
            "2031-05-01T09:00",
            Ok("2031-05-01T00:00:00+00:00"),
        );
        check(
            &at("own"),
            "2031-05-01T09:00",
            Ok("2031-05-01T07:00:00+00:00"),
        );
        check(
            &at("bad"),
            "2031-05-01T09:00",
            Err(NoInstant::UnknownZone("Mars")),
        );
        check(
            &at("bad"),
            "2031-05-01T09:00Z",
            Ok("2031-05-01T09:00:00+00:00"),
        );
        check(&at("none"), "2031-05-01T09:00", Err(NoInstant::NoZone));
        let fallback = ZoneRule {
            fixed: Some(BERLIN),
            ..at("none")
        };
        check(
            &fallback,
            "2031-05-01T09:00",
            Ok("2031-05-01T07:00:00+00:00"),
        );
    }
}
