//! The source's times: in a zone of its own, cut to its precision.

use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use wrenchtime_connector::{Bound, ChangeTime, Clock, Precision};

use crate::config::Config;

/// Reads and writes times.
#[derive(Debug)]
pub(super) struct Times {
    zone: Tz,
    precision: Precision,
    clock: Arc<dyn Clock>,
}

impl Times {
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            zone: config.zone.unwrap_or(Tz::UTC),
            precision: config.precision,
            clock,
        }
    }

    /// Returns the text to ask from. A row's own is sent as it came.
    pub(super) fn bound(&self, bound: Option<&Bound>) -> String {
        match bound {
            Some(Bound::Time {
                text: Some(text), ..
            }) => text.clone(),
            Some(Bound::Time { at, text: None }) => self.write(*at),
            Some(Bound::Token(_)) | None => self.write(DateTime::UNIX_EPOCH),
        }
    }

    /// Returns this moment as the source would write it.
    pub(super) fn now(&self) -> String {
        self.write(self.clock.now())
    }

    /// Writes an instant. Cutting it only asks for more.
    fn write(&self, at: DateTime<Utc>) -> String {
        let format = match self.precision {
            Precision::Millisecond => "%Y-%m-%d %H:%M:%S%.3f",
            Precision::Second => "%Y-%m-%d %H:%M:%S",
            Precision::Minute => "%Y-%m-%d %H:%M",
            Precision::Day => "%Y-%m-%d",
        };
        let local = at.with_timezone(&self.zone).naive_local();
        local.format(format).to_string()
    }

    /// Reads a row's time. In the hour that comes twice it may be meant for the second: the lag that is declared is an
    /// hour longer for that.
    pub(super) fn read(&self, text: String) -> Option<ChangeTime> {
        let times = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        let time = |format: &&str| NaiveDateTime::parse_from_str(&text, format).ok();
        let local = times.iter().find_map(time).or_else(|| {
            let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
            day.and_hms_opt(0, 0, 0)
        })?;
        let found = self.zone.from_local_datetime(&local);
        let at = found.earliest();
        // A time that clocks jumped over begins where they jumped from.
        let at = at.or_else(|| {
            let before = self.zone.from_local_datetime(&(local - Duration::hours(1)));
            before.earliest().map(|at| at + Duration::hours(1))
        })?;
        Some(ChangeTime {
            at: at.to_utc(),
            text,
        })
    }
}
