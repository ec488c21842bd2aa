//! Days and times of day as sources write them.

use std::fmt::Write;

use chrono::format::{Item, Parsed, StrftimeItems};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

/// What a text tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// A time with its offset from UTC.
    Instant {
        at: DateTime<Utc>,
        /// The day where it was written.
        day: NaiveDate,
    },
    /// A day and a time in a zone that the text does not tell.
    Local(NaiveDateTime),
    /// A day alone.
    Day(NaiveDate),
}

impl Moment {
    /// Returns the day as it was written.
    pub(crate) fn day(self) -> NaiveDate {
        match self {
            Self::Instant { day, .. } | Self::Day(day) => day,
            Self::Local(local) => local.date(),
        }
    }

    fn instant(at: DateTime<FixedOffset>) -> Self {
        Self::Instant {
            at: at.to_utc(),
            day: at.date_naive(),
        }
    }

    /// RFC 3339 has four digits for the year, and year 0 is nobody's.
    fn checked(self) -> Option<Self> {
        let has_year = |date: NaiveDate| (1..=9999).contains(&date.year());
        let in_range = match self {
            Self::Instant { at, day } => has_year(at.date_naive()) && has_year(day),
            Self::Local(_) | Self::Day(_) => has_year(self.day()),
        };
        in_range.then_some(self)
    }
}

/// Reads ISO 8601 in its extended form: a day, or a day and a time with or without offset. Seconds and fractions may
/// be left out, `T` may be a blank.
pub(crate) fn parse_iso(text: &str) -> Option<Moment> {
    let mut rest = Reader(text.as_bytes());
    let year = i32::try_from(rest.digits(4)?).ok()?;
    rest.byte(b"-")?;
    let month = rest.digits(2)?;
    rest.byte(b"-")?;
    let day = NaiveDate::from_ymd_opt(year, month, rest.digits(2)?)?;
    if rest.0.is_empty() {
        return Moment::Day(day).checked();
    }
    rest.byte(b"Tt ")?;
    let local = rest.time_of(day)?;
    if rest.0.is_empty() {
        return Moment::Local(local).checked();
    }
    let offset = rest.offset()?;
    let at = offset.from_local_datetime(&local).single()?;
    rest.0.is_empty().then_some(Moment::instant(at))?.checked()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.iter().try_fold(0_u32, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            Some(number * 10 + u32::from(digit))
        })?;
        self.0 = rest;
        Some(number)
    }

    /// Takes the next byte if it is one of these.
    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        allowed.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn time_of(&mut self, day: NaiveDate) -> Option<NaiveDateTime> {
        let hour = self.digits(2)?;
        self.byte(b":")?;
        let minute = self.digits(2)?;
        if self.byte(b":").is_none() {
            return day.and_hms_opt(hour, minute, 0);
        }
        let second = self.digits(2)?;
        let nanos = if self.byte(b".,").is_some() {
            self.fraction()?
        } else {
            0
        };
        // A leap second is the first of the next minute: the model's instants know none.
        let (second, carry) = if second == 60 { (59, 1) } else { (second, 0) };
        let time = day.and_hms_nano_opt(hour, minute, second, nanos)?;
        time.checked_add_signed(TimeDelta::seconds(carry))
    }

    /// Reads digits behind the point as nanoseconds; finer ones are cut off.
    fn fraction(&mut self) -> Option<u32> {
        let mut nanos = self.digits(1)? * 100_000_000;
        let mut unit = 10_000_000;
        while let Some(digit) = self.digits(1) {
            nanos += digit * unit;
            unit /= 10;
        }
        Some(nanos)
    }

    fn offset(&mut self) -> Option<FixedOffset> {
        if self.byte(b"Zz").is_some() {
            return FixedOffset::east_opt(0);
        }
        let _blank = self.byte(b" ");
        let sign = if self.byte(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.digits(2)?;
        let minutes = if self.0.is_empty() {
            0
        } else {
            let _colon = self.byte(b":");
            self.digits(2)?
        };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        (minutes < 60).then_some(())?;
        FixedOffset::east_opt(sign * seconds)
    }
}

/// A format beside ISO 8601, as `strftime` writes formats.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Format(Vec<Item<'static>>);

impl Format {
    /// Reads a format; the error is the reason why it cannot be used.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let items = StrftimeItems::new(text)
            .parse_to_owned()
            .map_err(|_| format!("`{text}` is no date format as of strftime"))?;
        let format = Self(items);
        let unusable = || format!("`{text}` does not tell a whole day, or only half of a time");
        format
            .sample()
            .and_then(|sample| format.parse(&sample))
            .ok_or_else(unusable)?;
        Ok(format)
    }

    fn sample(&self) -> Option<String> {
        let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(22_400) + TimeDelta::seconds(40_000);
        let mut sample = String::new();
        write!(sample, "{}", at.format_with_items(self.0.iter())).ok()?;
        Some(sample)
    }

    /// Reads a text in this format.
    pub(crate) fn parse(&self, text: &str) -> Option<Moment> {
        let mut parsed = Parsed::new();
        chrono::format::parse(&mut parsed, text, self.0.iter()).ok()?;
        if parsed.timestamp().is_some() {
            let at = parsed.to_datetime_with_timezone(&Utc).ok()?;
            return Moment::instant(at.fixed_offset()).checked();
        }
        if parsed.offset().is_some() {
            return Moment::instant(parsed.to_datetime().ok()?).checked();
        }
        let day = parsed.to_naive_date().ok()?;
        let has_time = parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some();
        let moment = if has_time {
            Moment::Local(day.and_time(parsed.to_naive_time().ok()?))
        } else {
            Moment::Day(day)
        };
        moment.checked()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(moment: Option<Moment>) -> String {
        match moment {
            None => "none".to_owned(),
            Some(Moment::Instant { at, .. }) => format!("{at:?}"),
            Some(Moment::Local(local)) => format!("{local:?}"),
            Some(Moment::Day(day)) => format!("{day:?}"),
        }
    }

    #[test]
    fn iso_texts_are_read() {
        for (text, expected) in [
            ("2031-05-01", "2031-05-01"),
            ("2031-05-01T09:30", "2031-05-01T09:30:00"),
            ("2031-05-01 09:30:15", "2031-05-01T09:30:15"),
            ("2031-05-01T09:30:15.5", "2031-05-01T09:30:15.500"),
            (
                "2031-05-01T09:30:15,123456789123",
                "2031-05-01T09:30:15.123456789",
            ),
            ("2031-05-01T09:30:15Z", "2031-05-01T09:30:15Z"),
            ("2031-05-01T09:30:15.25+02:00", "2031-05-01T07:30:15.250Z"),
            ("2031-05-01T09:30:15-0530", "2031-05-01T15:00:15Z"),
            ("2031-05-01T09:30+02", "2031-05-01T07:30:00Z"),
            ("2031-05-01 09:30:15 +02:00", "2031-05-01T07:30:15Z"),
            ("2031-06-30T23:59:60Z", "2031-07-01T00:00:00Z"),
            ("0001-01-01T00:00:00", "0001-01-01T00:00:00"),
        ] {
            assert_eq!(show(parse_iso(text)), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2031",
            "2031-5-1",
            "2031-02-30",
            "2031-05-01T",
            "2031-05-01T9:30",
            "2031-05-01T24:00",
            "2031-05-01T09:30:15.",
            "2031-05-01T09:30:15X",
            "2031-05-01T09:30:15+2",
            "2031-05-01T09:30:15+25:00",
            "2031-05-01T09:30:15+02:75",
            "2031-05-01T09:30:15Z ",
            "05/01/2031",
            "0000-01-01",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn formats_are_read() {
        for (format, text, expected) in [
            ("%m/%d/%Y %H:%M", "05/01/2031 09:30", "2031-05-01T09:30:00"),
            (
                "%m/%d/%Y %I:%M %p",
                "5/1/2031 9:30 PM",
                "2031-05-01T21:30:00",
            ),
            ("%d.%m.%y", "01.05.31", "2031-05-01"),
            (
                "%Y%m%dT%H%M%S%z",
                "20310501T093000+0200",
                "2031-05-01T07:30:00Z",
            ),
            ("%s", "1935394200", "2031-05-01T09:30:00Z"),
            ("%m/%d/%Y", "2031-05-01", "none"),
            ("%Y-%m-%d", "12031-05-01", "none"),
        ] {
            let format = Format::new(format).unwrap();
            assert_eq!(show(format.parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn half_formats_are_refused() {
        for text in ["%m/%d", "%H:%M", "%Y-%m-%d %I:%M", "%Q", "%", "soon"] {
            assert!(Format::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_is_the_written_one() {
        let moment = parse_iso("2031-05-01T23:30:00-05:00").unwrap();
        assert_eq!(moment.day().to_string(), "2031-05-01");
    }

    proptest! {
        #[test]
        fn it_agrees_with_chrono_on_rfc_3339(seconds in -62_135_000_000_i64..253_402_000_000, nanos in 0_u32..1_000_000_000, hours in -12_i32..=14) {
            let offset = FixedOffset::east_opt(hours * 3600).unwrap();
            let at = DateTime::from_timestamp(seconds, nanos).unwrap();
            let text = at.with_timezone(&offset).to_rfc3339();
            prop_assert_eq!(show(parse_iso(&text)), format!("{at:?}"));
        }

        #[test]
        fn no_text_makes_it_panic(text in r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+\-Z ]{0,25}|.{0,20}") {
            let _moment = parse_iso(&text);
            let _moment = Format::new("%m/%d/%Y %H:%M").unwrap().parse(&text);
        }
    }
}
