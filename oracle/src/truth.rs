//! What is true: rows in a plain map, and what happens to them.

mod op;

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use wrenchtime_connector::{Deletes, Precision};

use crate::config::Config;
use crate::meaning::Meaning;
pub use op::Op;

/// A table, by its place in [`Config::tables`].
pub type TableNumber = usize;

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// What it says.
    pub(crate) value: u32,
    /// How many children it has.
    pub(crate) children: u32,
    /// Another one after each change, but for those of children that are quiet.
    pub(crate) version: u64,
    /// When it changed, as the source keeps it: in its own zone.
    pub(crate) stamp: Option<NaiveDateTime>,
    /// It is marked as deleted.
    pub(crate) marked: bool,
    /// It is not there.
    pub(crate) absent: bool,
    /// When it was made, among all rows.
    pub(crate) made: u64,
    /// When it was last gone, in changes of the truth; nothing where it always was there.
    pub(crate) gone_until: Option<u64>,
    /// How often its record became another, came or went.
    pub(crate) turns: u32,
    /// Its last change is one that no stream of changes shows.
    pub(crate) unseen: bool,
    /// It was not there, and came back with the time that it had. What was written into it since may not have been seen yet.
    pub(crate) returned: bool,
}

impl Row {
    /// Tells whether it is there.
    pub(crate) fn is_alive(&self) -> bool {
        !self.marked && !self.absent
    }
}

/// All rows of a source.
#[derive(Debug)]
pub(crate) struct Truth {
    config: Config,
    meaning: Meaning,
    rows: BTreeMap<(TableNumber, u32), Row>,
    /// Written, and not visible yet.
    late: Vec<Late>,
    /// How many changes there were.
    tick: u64,
}

#[derive(Clone, Debug)]
struct Late {
    visible_at: DateTime<Utc>,
    table: TableNumber,
    key: u32,
    value: u32,
    stamp: NaiveDateTime,
    made: u64,
}

impl Truth {
    /// Makes the rows that are there when a history begins. They were written in the hours before.
    pub(crate) fn new(config: Config) -> Self {
        let mut truth = Self {
            rows: BTreeMap::new(),
            late: Vec::new(),
            tick: 0,
            meaning: Meaning::default(),
            config,
        };
        for table in 0..truth.config.tables.len() {
            for key in 0..truth.config.tables[table].rows {
                let before = TimeDelta::minutes(i64::from(key * 7 % 240)) + TimeDelta::hours(3);
                let stamp = truth.stamp(truth.config.start - before);
                truth.put((table, key), key, Some(stamp), 0);
            }
        }
        truth
    }

    /// Returns what the source is like.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Returns how many changes there were.
    pub(crate) fn tick(&self) -> u64 {
        self.tick
    }

    /// Returns a row, if there ever was one.
    pub(crate) fn row(&self, table: TableNumber, key: u32) -> Option<&Row> {
        self.rows.get(&(table, key))
    }

    /// Returns the rows of a table by key, those that are gone included.
    pub(crate) fn rows(&self, table: TableNumber) -> impl Iterator<Item = (u32, &Row)> {
        let rows = self.rows.range((table, 0)..=(table, u32::MAX));
        rows.map(|((_, key), row)| (*key, row))
    }

    /// Tells whether a row may be too old for a copy with a look-back: it did not change since the history began.
    pub(crate) fn may_be_left_out(&self, row: &Row) -> bool {
        let start = self.stamp(self.config.start);
        self.config.look_back.is_some() && row.stamp.is_none_or(|stamp| stamp <= start)
    }

    /// Lets become visible what is due by our clock.
    pub(crate) fn pass(&mut self, now: DateTime<Utc>) {
        self.late.sort_by_key(|late| late.visible_at);
        let due = self.late.partition_point(|late| late.visible_at <= now);
        for late in self.late.drain(..due).collect::<Vec<_>>() {
            self.put(
                (late.table, late.key),
                late.value,
                Some(late.stamp),
                late.made,
            );
        }
    }

    /// Lets something happen at an instant of our clock.
    pub(crate) fn apply(&mut self, op: &Op, now: DateTime<Utc>) {
        self.pass(now);
        let stamp = self.stamp(now);
        match *op {
            Op::Put {
                table,
                key,
                value,
                late,
            } => self.put_late((table, key), value, (stamp, now), late),
            Op::Bulk {
                table,
                key,
                count,
                value,
            } => {
                for key in key..key + count {
                    self.put((table, key), value, Some(stamp), 0);
                }
            }
            Op::Ahead {
                table,
                key,
                value,
                by,
            } => {
                let stamp = self.stamp(now + TimeDelta::seconds(i64::from(by)));
                self.put((table, key), value, Some(stamp), 0);
                // Where changes are asked for up to a time, it is not among them before its own.
                self.change((table, key), |row, _| row.unseen = true);
            }
            Op::Undated { table, key, value } => self.put((table, key), value, None, 0),
            Op::Child {
                table,
                key,
                children,
            } => self.put_children((table, key), children),
            Op::Delete {
                table,
                key,
                count,
                marked,
            } => {
                for key in key..key + count {
                    self.delete((table, key), marked, stamp);
                }
            }
            Op::Restore { table, key } => self.restore((table, key), stamp),
        }
    }

    /// Lets rows mean something else. What does not change is not read again before the next listing.
    pub(crate) fn remap(&mut self, meaning: Meaning) {
        self.tick += 1;
        for row in self.rows.values_mut() {
            row.turns += u32::from(meaning.by_name != self.meaning.by_name);
            row.unseen = true;
        }
        self.meaning = meaning;
    }

    /// Returns what rows mean.
    pub(crate) fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// Returns the records that a copy should have, by table and key: mapped here as well, and not by the mapping.
    pub(crate) fn records(&self) -> BTreeMap<(TableNumber, u32), Value> {
        self.rows
            .iter()
            .filter(|(_, row)| row.is_alive())
            .map(|((table, key), row)| ((*table, *key), record(self.meaning, (*table, *key), row)))
            .collect()
    }

    /// Writes a row that carries this moment's time and is visible some seconds later.
    fn put_late(
        &mut self,
        place: (TableNumber, u32),
        value: u32,
        (stamp, now): (NaiveDateTime, DateTime<Utc>),
        late: u32,
    ) {
        let late = late.min(self.config.lag);
        if late == 0 {
            return self.put(place, value, Some(stamp), 0);
        }
        self.tick += 1;
        self.late.push(Late {
            visible_at: now + TimeDelta::seconds(i64::from(late)),
            table: place.0,
            key: place.1,
            value,
            stamp,
            made: self.tick,
        });
    }

    fn put_children(&mut self, place: (TableNumber, u32), children: u32) {
        let quiet = self.config.tables[place.0].quiet_children;
        self.change(place, |row, tick| {
            row.turns += u32::from(row.is_alive() && row.children != children);
            row.children = children;
            row.unseen = true;
            if !quiet {
                row.version = tick;
            }
        });
    }

    fn delete(&mut self, place: (TableNumber, u32), marked: bool, stamp: NaiveDateTime) {
        let marked = match self.config.tables[place.0].deletes {
            Deletes::Flagged => true,
            Deletes::Absent => false,
            Deletes::FlaggedOrAbsent => marked,
            _ => return,
        };
        self.change(place, |row, tick| {
            if !row.is_alive() {
                return;
            }
            row.turns += 1;
            if marked {
                row.marked = true;
                row.version = tick;
                row.stamp = Some(stamp);
                row.unseen = false;
            } else {
                row.absent = true;
                row.unseen = true;
            }
        });
    }

    fn restore(&mut self, place: (TableNumber, u32), stamp: NaiveDateTime) {
        self.change(place, |row, tick| {
            if row.is_alive() {
                return;
            }
            row.turns += 1;
            row.gone_until = Some(tick);
            if row.absent {
                // Somebody may see it again, and nothing else of it changed.
                row.absent = false;
                row.unseen = true;
                row.returned = true;
            } else {
                row.marked = false;
                row.version = tick;
                row.stamp = Some(stamp);
                row.unseen = false;
            }
        });
    }

    fn change(&mut self, place: (TableNumber, u32), change: impl FnOnce(&mut Row, u64)) {
        self.tick += 1;
        if let Some(row) = self.rows.get_mut(&place) {
            change(row, self.tick);
        }
    }

    fn put(
        &mut self,
        place: (TableNumber, u32),
        value: u32,
        stamp: Option<NaiveDateTime>,
        made: u64,
    ) {
        self.tick += 1;
        let tick = self.tick;
        let before = self.rows.get(&place);
        let is_other = before.is_none_or(|row| !row.is_alive() || row.value != value);
        let gone_until = match before {
            Some(row) if row.is_alive() => row.gone_until,
            _ => Some(tick),
        };
        let row = Row {
            value,
            children: before.map_or(0, |row| row.children),
            version: tick,
            stamp,
            marked: false,
            absent: false,
            made: before.map_or(if made == 0 { tick } else { made }, |row| row.made),
            gone_until,
            turns: before.map_or(0, |row| row.turns) + u32::from(is_other),
            // Whoever refuses rows may refuse this one.
            unseen: stamp.is_none() || self.meaning.picky,
            returned: before.is_some_and(|row| row.returned),
        };
        self.rows.insert(place, row);
    }

    /// Returns an instant of our clock as the source keeps it.
    pub(crate) fn stamp(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let theirs = at + TimeDelta::seconds(self.config.skew);
        let local = shown_in(self.config.zone, theirs);
        if self.config.coarse {
            cut(local, self.config.precision)
        } else {
            local
        }
    }
}

/// Returns what clocks on the wall show at an instant.
pub(crate) fn shown_in(zone: Option<Tz>, at: DateTime<Utc>) -> NaiveDateTime {
    zone.map_or_else(
        || at.naive_utc(),
        |zone| at.with_timezone(&zone).naive_local(),
    )
}

/// Cuts a time down to what is shown of it.
pub(crate) fn cut(time: NaiveDateTime, precision: Precision) -> NaiveDateTime {
    TimeDelta::from_std(precision.step())
        .ok()
        .and_then(|step| time.duration_trunc(step).ok())
        .unwrap_or(time)
}

/// The first table holds orders, the second machines.
fn record(meaning: Meaning, (table, key): (TableNumber, u32), row: &Row) -> Value {
    if table == 0 {
        let mut record = json!({"number": key.to_string(), "title": meaning.title(row.value)});
        if row.children > 0 {
            let task = |child: u32| json!({"remote_id": format!("{key}-{child}"), "title": format!("Step {child}")});
            record["tasks"] = (0..row.children).map(task).collect();
        }
        return record;
    }
    json!({
        "number": key.to_string(),
        "name": format!("Pump {}", row.value),
        "serial_number": format!("S{}", row.children),
    })
}
