//! Which rows stand on a page.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};
use wrenchtime_connector::KeyOrder;

use super::place_of;
use crate::config::{Paging, Stream};
use crate::dice::Dice;
use crate::truth::{Row, TableNumber, Truth, cut};

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) stream: &'a Stream,
    pub(super) query: &'a BTreeMap<String, String>,
    pub(super) of_changes: bool,
    /// Rows of the page before come again.
    pub(super) again: bool,
    /// The first time that the source remembers changes of, if it forgets them.
    pub(super) remembers: Option<NaiveDateTime>,
    /// Decides how short a page is cut.
    pub(super) salt: u64,
}

/// A page of rows.
pub(super) struct Page {
    pub(super) rows: Vec<(u32, Row)>,
    /// The index of the first.
    pub(super) start: usize,
    /// For the next page, where there is one.
    pub(super) cursor: Option<String>,
    pub(super) more: bool,
    pub(super) total: usize,
    /// Another one whenever any row of the table is.
    pub(super) revision: Option<String>,
}

/// A row's place among the others, as text that sorts.
type Place = (String, String);

impl Page {
    pub(super) fn of(truth: &Truth, table: TableNumber, asked: &Asked<'_>) -> Self {
        let mut all: Vec<(Place, u32, &Row)> = truth
            .rows(table)
            .filter(|(_, row)| !row.absent && asked.wants(truth, row))
            .map(|(key, row)| (asked.place(truth, table, (key, row)), key, row))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let total = all.len();
        let mut start = asked.start(truth.config().tables[table].keys, &all);
        if asked.again {
            start = start.saturating_sub(2);
        }
        let limit = asked.limit();
        let rows: Vec<_> = all.iter().skip(start).take(limit).collect();
        let end = start + rows.len();
        let position = rows.last().map(|(place, ..)| place).cloned();
        // A page without a row leads on from where it began.
        let position = position.or_else(|| asked.position());
        let more = end < total;
        let cursor = position
            .filter(|_| more)
            .map(|place| write(&place, asked.salt));
        let versions = truth.rows(table).map(|(_, row)| {
            let alive = u64::from(row.absent) + 2 * u64::from(row.children);
            row.version.wrapping_mul(31).wrapping_add(alive)
        });
        let revision = versions.fold(7_u64, |sum, version| sum.wrapping_mul(1_000_003) ^ version);
        Self {
            rows: rows
                .into_iter()
                .map(|(_, key, row)| (*key, (*row).clone()))
                .collect(),
            start,
            cursor,
            more,
            total,
            revision: Some(revision.to_string()),
        }
    }
}

impl Asked<'_> {
    /// Tells whether the source remembers all that is asked for.
    pub(super) fn is_remembered(&self) -> bool {
        let since = self.query.get("since").and_then(|text| parse(text));
        since.is_none() || since >= self.remembers
    }

    fn wants(&self, truth: &Truth, row: &Row) -> bool {
        if !self.of_changes {
            return true;
        }
        let Some(stamp) = row.stamp else { return false };
        let bound = |name: &str| self.query.get(name).and_then(|text| parse(text));
        let shown = cut(stamp, truth.config().precision);
        bound("since").is_none_or(|since| stamp >= since)
            && self.remembers.is_none_or(|since| stamp >= since)
            && bound("until").is_none_or(|until| shown <= until)
            && self.is_past_bound(shown)
    }

    /// Only for connectors that ask for what is later than a time.
    fn is_past_bound(&self, shown: NaiveDateTime) -> bool {
        let past = self.query.get("past").and_then(|text| parse(text));
        past.is_none_or(|past| shown > past)
    }

    fn place(&self, truth: &Truth, table: TableNumber, (key, row): (u32, &Row)) -> Place {
        if self.by_making() {
            return (String::new(), format!("{:020}", row.made));
        }
        let by_key = place_of(truth.config().tables[table].keys, key);
        let time = row.stamp.filter(|_| self.by_time()).map(sortable);
        (time.unwrap_or_default(), by_key)
    }

    fn by_making(&self) -> bool {
        let may = match self.stream.paging {
            Paging::KeysetKey | Paging::KeysetTime => false,
            Paging::Opaque | Paging::LinkInBody | Paging::LinkInHeader | Paging::Snapshot => true,
            Paging::StartTotal | Paging::Start | Paging::Number | Paging::SkipLink => {
                !self.of_changes
            }
        };
        may && !self.stream.sorted
    }

    fn by_time(&self) -> bool {
        self.of_changes && self.stream.sorted
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }

    /// Returns the place that the page begins behind, where one is given.
    fn position(&self) -> Option<Place> {
        self.query.get("cursor").and_then(|cursor| read(cursor))
    }

    fn start(&self, keys: KeyOrder, all: &[(Place, u32, &Row)]) -> usize {
        match self.stream.paging {
            Paging::StartTotal | Paging::Start => self.number("start").unwrap_or_default(),
            Paging::SkipLink => self.number("skip").unwrap_or_default(),
            Paging::Number => {
                let page = self.number("page").unwrap_or(1).max(1);
                (page - 1) * self.number("size").unwrap_or(1)
            }
            Paging::Snapshot => 0,
            Paging::Opaque | Paging::LinkInBody | Paging::LinkInHeader => {
                let after = self.position();
                all.partition_point(|(place, ..)| Some(place) <= after.as_ref())
            }
            Paging::KeysetKey | Paging::KeysetTime => {
                let Some(key) = self.query.get("after_key") else {
                    return 0;
                };
                let key = place_of(keys, key.parse().unwrap_or_default());
                let time = self.query.get("after_time").and_then(|time| parse(time));
                let after = (time.map(sortable).unwrap_or_default(), key);
                all.partition_point(|(place, ..)| *place <= after)
            }
        }
    }

    fn limit(&self) -> usize {
        let asked = self.number("limit").or_else(|| self.number("size"));
        let limit = asked.unwrap_or(1_000);
        if !self.stream.short {
            return limit;
        }
        // Not even a page without rows says that there are no more, where the source says it otherwise.
        let least = match self.stream.paging {
            Paging::Opaque | Paging::LinkInBody | Paging::LinkInHeader
                if self.position().is_some() =>
            {
                0
            }
            Paging::StartTotal | Paging::Start | Paging::Number | Paging::SkipLink => 2,
            _ => 1,
        };
        let at_most = u32::try_from(limit).unwrap_or(u32::MAX);
        let cut = Dice::new(self.salt).between(least, at_most.max(least));
        usize::try_from(cut).unwrap_or(limit)
    }
}

fn sortable(stamp: NaiveDateTime) -> String {
    stamp.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// Writes a cursor: another one each time, also behind a page without a row.
fn write((time, rest): &Place, salt: u64) -> String {
    let text = serde_json::json!([time, rest, salt]).to_string();
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read(cursor: &str) -> Option<Place> {
    let digits = cursor.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let (time, rest, _): (String, String, u64) = serde_json::from_slice(&bytes?).ok()?;
    Some((time, rest))
}

fn parse(text: &str) -> Option<NaiveDateTime> {
    let times = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let time = |format: &&str| NaiveDateTime::parse_from_str(text, format).ok();
    times.iter().find_map(time).or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    })
}
