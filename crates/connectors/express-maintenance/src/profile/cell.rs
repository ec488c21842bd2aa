//! From the text of a cell to the value in a document.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CellKind {
    /// Taken over as it is.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// One of the words for yes and no.
    YesNo,
    /// A day.
    Date,
    /// Day and time by the clock of the server that wrote the file.
    LocalDatetime,
}

/// How numbers, days and answers are written in the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Formats {
    pub(crate) decimal_sign: char,
    pub(crate) group_sign: Option<char>,
    pub(crate) dates: Vec<String>,
    pub(crate) datetimes: Vec<String>,
    pub(crate) yes: Vec<String>,
    pub(crate) no: Vec<String>,
    pub(crate) zone: Option<Tz>,
}

/// The value of a cell in a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Text(String),
    Flag(bool),
    /// Text that cannot be read as what the column holds, but that others would read as something else.
    Unreadable([String; 1]),
}

impl Formats {
    /// Returns the value of a cell that is not blank. What cannot be read stays text, for mappings to report.
    pub(crate) fn read(&self, kind: CellKind, text: &str) -> Cell {
        let raw = || Cell::Text(text.to_owned());
        match kind {
            CellKind::Text => raw(),
            CellKind::Integer => self.number(text, false),
            CellKind::Decimal => self.number(text, true),
            CellKind::YesNo if among(&self.yes, text) => Cell::Flag(true),
            CellKind::YesNo if among(&self.no, text) => Cell::Flag(false),
            CellKind::YesNo => raw(),
            CellKind::Date => self
                .date(text)
                .map_or_else(raw, |date| Cell::Text(date.to_string())),
            CellKind::LocalDatetime => self.instant(text).map_or_else(raw, Cell::Text),
        }
    }

    /// Keeps every digit. Only the decimal sign becomes a full stop, and signs between groups go.
    fn number(&self, text: &str, fraction: bool) -> Cell {
        match self.plain_number(text) {
            Some(plain) if fraction || !plain.contains('.') => Cell::Text(plain),
            _ if is_plain(text) && (fraction || self.decimal_sign != '.') => {
                Cell::Unreadable([text.to_owned()])
            }
            _ => Cell::Text(text.to_owned()),
        }
    }

    fn plain_number(&self, text: &str) -> Option<String> {
        let (whole, fraction) = match text.split_once(self.decimal_sign) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let whole = match self.group_sign {
            Some(sign) if whole.contains(sign) => ungrouped(whole, sign)?,
            _ => whole.to_owned(),
        };
        let plain = fraction.map_or_else(|| whole.clone(), |digits| format!("{whole}.{digits}"));
        // A full stop of the file's own is a digit's neighbour only where it is the decimal sign.
        let stops = usize::from(fraction.is_some());
        (is_plain(&plain) && plain.matches('.').count() == stops).then_some(plain)
    }

    fn date(&self, text: &str) -> Option<NaiveDate> {
        let day = |format: &String| NaiveDate::parse_from_str(text, format).ok();
        self.dates.iter().find_map(day).or_else(|| {
            let midnight = self
                .datetime(text)
                .filter(|at| at.time() == NaiveTime::MIN)?;
            Some(midnight.date())
        })
    }

    fn datetime(&self, text: &str) -> Option<NaiveDateTime> {
        self.datetimes
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    }

    /// Returns RFC 3339 with the zone's offset; nothing without a zone and for a time that the zone skips. Of the two
    /// times with one name when clocks go back, the first is meant.
    fn instant(&self, text: &str) -> Option<String> {
        let zone = self.zone?;
        let day = |format: &String| NaiveDate::parse_from_str(text, format).ok();
        let local = self.datetime(text).or_else(|| {
            let day = self.dates.iter().find_map(day)?;
            Some(day.and_time(NaiveTime::MIN))
        })?;
        let instant = zone.from_local_datetime(&local).earliest()?;
        Some(instant.to_rfc3339_opts(SecondsFormat::AutoSi, false))
    }
}

fn among(words: &[String], text: &str) -> bool {
    words
        .iter()
        .any(|word| word.to_lowercase() == text.to_lowercase())
}

/// Tells whether a text is digits with at most a sign before and a full stop within.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let begun = !whole.is_empty() || digits.starts_with('.');
    begun && all(whole) && all(fraction) && !fraction.is_empty()
}

/// Takes out the signs between groups of three digits. Nothing where they stand elsewhere.
fn ungrouped(whole: &str, sign: char) -> Option<String> {
    let mut groups = whole.split(sign);
    let first = groups.next()?;
    let digits = first.strip_prefix(['-', '+']).unwrap_or(first);
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let mut plain = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        plain.push_str(group);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats() -> Formats {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Formats {
            decimal_sign: '.',
            group_sign: None,
            dates: list(&["%m/%d/%Y"]),
            datetimes: list(&["%m/%d/%Y %H:%M"]),
            yes: list(&["Y"]),
            no: list(&["N"]),
            zone: Some(chrono_tz::America::Chicago),
        }
    }

    #[track_caller]
    fn check(formats: &Formats, kind: CellKind, text: &str, expected: &str) {
        let cell = serde_json::to_string(&formats.read(kind, text)).unwrap();
        assert_eq!(cell, expected);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let american = formats();
        for text in ["0", "007", "-12.50", "+3", ".5", "12345678901234567890.10"] {
            check(&american, CellKind::Decimal, text, &format!("\"{text}\""));
        }
        check(&american, CellKind::Integer, "0042", "\"0042\"");
        check(&american, CellKind::Decimal, "1,234.50", "\"1,234.50\"");
        check(&american, CellKind::Decimal, "$5", "\"$5\"");
        check(&american, CellKind::Integer, "2.5", "\"2.5\"");
        check(&american, CellKind::Decimal, "5.", "\"5.\"");
    }

    #[test]
    fn other_signs_become_the_common_ones() {
        let german = Formats {
            decimal_sign: ',',
            group_sign: Some('.'),
            ..formats()
        };
        check(&german, CellKind::Decimal, "1.234,50", "\"1234.50\"");
        check(&german, CellKind::Decimal, "1.234", "\"1234\"");
        check(&german, CellKind::Decimal, "-0,5", "\"-0.5\"");
        check(&german, CellKind::Integer, "1.234.567", "\"1234567\"");
        let grouped = Formats {
            group_sign: Some(','),
            ..formats()
        };
        check(&grouped, CellKind::Decimal, "1,234.50", "\"1234.50\"");
        check(&grouped, CellKind::Decimal, "12,34.50", "\"12,34.50\"");
    }

    #[test]
    fn a_number_by_other_rules_is_not_taken_for_one() {
        let german = Formats {
            decimal_sign: ',',
            group_sign: Some('.'),
            ..formats()
        };
        check(&german, CellKind::Decimal, "1.5", "[\"1.5\"]");
        let ungrouped = Formats {
            decimal_sign: ',',
            ..formats()
        };
        check(&ungrouped, CellKind::Decimal, "1.234", "[\"1.234\"]");
    }

    #[test]
    fn times_get_the_offset_of_their_day() {
        let zoned = formats();
        check(
            &zoned,
            CellKind::LocalDatetime,
            "07/04/2031 09:30",
            "\"2031-07-04T09:30:00-05:00\"",
        );
        check(
            &zoned,
            CellKind::LocalDatetime,
            "1/4/2031 09:30",
            "\"2031-01-04T09:30:00-06:00\"",
        );
        check(
            &zoned,
            CellKind::LocalDatetime,
            "07/04/2031",
            "\"2031-07-04T00:00:00-05:00\"",
        );
        // Clocks go back on 2031-11-02 at 2, forward on 2031-03-09 at 2.
        check(
            &zoned,
            CellKind::LocalDatetime,
            "11/02/2031 01:30",
            "\"2031-11-02T01:30:00-05:00\"",
        );
        check(
            &zoned,
            CellKind::LocalDatetime,
            "03/09/2031 02:30",
            "\"03/09/2031 02:30\"",
        );
        check(&zoned, CellKind::LocalDatetime, "tomorrow", "\"tomorrow\"");
        let unknown = Formats {
            zone: None,
            ..formats()
        };
        check(
            &unknown,
            CellKind::LocalDatetime,
            "07/04/2031 09:30",
            "\"07/04/2031 09:30\"",
        );
    }

    #[test]
    fn days_and_answers() {
        let formats = formats();
        check(&formats, CellKind::Date, "07/04/2031", "\"2031-07-04\"");
        check(
            &formats,
            CellKind::Date,
            "07/04/2031 00:00",
            "\"2031-07-04\"",
        );
        check(
            &formats,
            CellKind::Date,
            "07/04/2031 10:00",
            "\"07/04/2031 10:00\"",
        );
        check(&formats, CellKind::Date, "13/04/2031", "\"13/04/2031\"");
        check(&formats, CellKind::YesNo, "y", "true");
        check(&formats, CellKind::YesNo, "N", "false");
        check(&formats, CellKind::YesNo, "maybe", "\"maybe\"");
    }
}
