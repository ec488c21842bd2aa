//! What a source is like: drawn from a seed, declared by the connector, and simplified when a case is shrunk.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use wrenchtime_connector::{Deletes, KeyOrder, Precision, Yields};

use crate::dice::Dice;

/// A source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// When the history begins, by our clock.
    pub start: DateTime<Utc>,
    /// The source keeps and shows its times in this zone, without saying so: the hour that clocks are set back over
    /// comes twice.
    pub zone: Option<Tz>,
    /// How finely it shows times.
    pub precision: Precision,
    /// It also keeps and compares them no finer.
    pub coarse: bool,
    /// How many seconds a row may become visible after the time that it carries.
    pub lag: u32,
    /// How many seconds its clock is ahead of ours.
    pub skew: i64,
    /// Its replies carry a `Date`.
    pub tells_time: bool,
    /// How many thousandths of a second each request takes.
    pub latency: u32,
    /// How many tables are read side by side.
    pub at_once: usize,
    /// The look-back: so many minutes before the history begins. It is given up when the history is over.
    pub look_back: Option<u32>,
    /// Its tables, one or two.
    pub tables: Vec<Table>,
}

/// A table of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// How the source orders its keys.
    pub keys: KeyOrder,
    /// How rows go.
    pub deletes: Deletes,
    /// How many rows can be fetched by key at once, if any.
    pub fetch: Option<u32>,
    /// A change of child rows leaves the row's version as it is.
    pub quiet_children: bool,
    /// How many rows there are at first.
    pub rows: u32,
    /// How all rows are listed.
    pub listing: Stream,
    /// How changed rows are listed, if that can be asked.
    pub changes: Option<Stream>,
}

/// A way of reading a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// How it pages.
    pub paging: Paging,
    /// Whole rows, or keys and versions.
    pub yields: Yields,
    /// Rows stand in order of key, or of time and key where changes are asked for; otherwise in order of their making.
    pub sorted: bool,
    /// How many rows stand on a page.
    pub page: u32,
    /// Pages are cut short at random.
    pub short: bool,
    /// Changes are asked for up to a time that is fixed when the pass begins.
    pub until: bool,
    /// How far back changes can be asked for, if not for ever.
    pub history: Option<History>,
}

/// What a source does when it is asked for changes of long ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct History {
    /// How many seconds it remembers.
    pub seconds: u32,
    /// It refuses; otherwise it shows what it remembers.
    pub refuses: bool,
}

/// How a stream pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paging {
    /// By a cursor that says nothing to us.
    Opaque,
    /// By the next page's address in the body.
    LinkInBody,
    /// By the next page's address in a `Link` header.
    LinkInHeader,
    /// By the index of the first row; the total is told.
    StartTotal,
    /// By the index of the first row; nothing is told.
    Start,
    /// By the page's number.
    Number,
    /// By rows to skip; there is a link while there is more.
    SkipLink,
    /// By the last row's key.
    KeysetKey,
    /// By the last row's time and key. Of changes only.
    KeysetTime,
    /// All rows at once, with a revision. Of listings only.
    Snapshot,
}

impl Paging {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Opaque,
        Self::LinkInBody,
        Self::LinkInHeader,
        Self::StartTotal,
        Self::Start,
        Self::Number,
        Self::SkipLink,
        Self::KeysetKey,
        Self::KeysetTime,
        Self::Snapshot,
    ];

    /// Tells whether rows are counted.
    pub fn counts(self) -> bool {
        matches!(
            self,
            Self::StartTotal | Self::Start | Self::Number | Self::SkipLink
        )
    }

    /// Tells whether an empty list in place of a page cannot be told from the end of the list.
    pub fn believes_emptiness(self) -> bool {
        !self.counts()
    }
}

impl Config {
    /// Draws a source.
    pub fn draw(dice: &mut Dice) -> Self {
        let zones = [chrono_tz::America::New_York, chrono_tz::Europe::Berlin];
        let zone = dice.one_in(2).then(|| dice.pick(&zones));
        let precision = dice.pick(&[
            Precision::Millisecond,
            Precision::Second,
            Precision::Second,
            Precision::Minute,
            Precision::Minute,
            Precision::Day,
        ]);
        let tells_time = !dice.one_in(4);
        let tables = dice.pick(&[1, 1, 2]);
        let coarse = dice.one_in(2);
        let at_once = if dice.one_in(3) { 1 } else { 2 };
        Self {
            at_once,
            look_back: None,
            start: start(dice, zone),
            zone,
            precision,
            coarse,
            lag: dice.pick(&[0, 0, 5, 30, 120]),
            skew: if tells_time {
                dice.pick(&[0, 0, -90, -2, 3, 75])
            } else {
                0
            },
            tells_time,
            latency: dice.pick(&[0, 120, 900]),
            tables: (0..tables).map(|_| Table::draw(dice, coarse)).collect(),
        }
    }

    /// Returns how late a row may become visible after the time that its text stands for when it is read as the
    /// earlier of two.
    pub fn declared_lag(&self) -> Duration {
        let repeated_hour = if self.zone.is_some() { 3_600 } else { 0 };
        self.visible_lag() + Duration::from_secs(repeated_hour)
    }

    /// Tells whether a source forgets changes.
    pub(crate) fn forgets(&self) -> bool {
        let mut changes = self
            .tables
            .iter()
            .filter_map(|table| table.changes.as_ref());
        changes.any(|stream| stream.history.is_some())
    }

    /// Returns how late a row may become visible after it changed.
    pub(crate) fn visible_lag(&self) -> Duration {
        Duration::from_secs(u64::from(self.lag))
    }

    /// Returns the look-back's instant, by the source's clock.
    pub(crate) fn since(&self) -> Option<DateTime<Utc>> {
        let minutes = TimeDelta::minutes(i64::from(self.look_back?));
        Some(self.start + TimeDelta::seconds(self.skew) - minutes)
    }

    /// Returns sources that are simpler in one way each.
    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            change(&mut other);
            if other != *self {
                all.push(other);
            }
        };
        with(&|config| config.tables.truncate(1));
        with(&|config| config.at_once = 1);
        with(&|config| config.look_back = None);
        with(&|config| config.zone = None);
        with(&|config| (config.skew, config.tells_time) = (0, true));
        with(&|config| config.latency = 0);
        with(&|config| config.lag = 0);
        with(&|config| config.precision = Precision::Second);
        with(&|config| config.coarse = true);
        for at in 0..self.tables.len() {
            with(&|config| config.tables[at].rows = 0);
            with(&|config| config.tables[at].rows /= 2);
            with(&|config| config.tables[at].keys = KeyOrder::Numeric);
            with(&|config| config.tables[at].changes = None);
            with(&|config| config.tables[at].listing.simplify(Paging::KeysetKey));
            with(&|config| config.tables[at].listing.short = false);
            with(&|config| {
                if let Some(changes) = &mut config.tables[at].changes {
                    changes.simplify(Paging::Opaque);
                }
            });
        }
        all
    }
}

/// Two of five histories of a zone begin shortly before its clocks are set back, and one before they are set forward.
fn start(dice: &mut Dice, zone: Option<Tz>) -> DateTime<Utc> {
    let day = match (zone, dice.below(5)) {
        (Some(chrono_tz::Europe::Berlin), 0 | 1) => "2031-10-26T00:40:00Z",
        (Some(chrono_tz::Europe::Berlin), 2) => "2031-03-30T00:40:00Z",
        (Some(_), 0 | 1) => "2031-11-02T05:40:00Z",
        (Some(_), 2) => "2031-03-09T06:40:00Z",
        _ => "2031-05-01T11:40:00Z",
    };
    let start: DateTime<Utc> = day.parse().expect("the texts above are instants");
    start + TimeDelta::microseconds(i64::from(dice.below(900_000_000)))
}

impl Table {
    fn draw(dice: &mut Dice, coarse: bool) -> Self {
        let fetch = dice.pick(&[None, Some(3), Some(50)]);
        let listing = Stream::draw_listing(dice, fetch.is_some());
        let changes =
            (!dice.one_in(6)).then(|| Stream::draw_changes(dice, fetch.is_some(), coarse));
        let deletes = dice.pick(&[
            Deletes::Never,
            Deletes::Flagged,
            Deletes::Absent,
            Deletes::Absent,
            Deletes::FlaggedOrAbsent,
        ]);
        Self {
            keys: dice.pick(&[KeyOrder::Numeric, KeyOrder::Text]),
            deletes,
            fetch,
            // Nobody would ever see them in a listing of keys and versions.
            quiet_children: listing.yields == Yields::Documents && dice.one_in(2),
            rows: dice.pick(&[0, 5, 14, 30]),
            listing,
            changes,
        }
    }
}

impl Stream {
    fn draw_listing(dice: &mut Dice, can_fetch: bool) -> Self {
        let kinds: Vec<_> = Paging::ALL
            .into_iter()
            .filter(|kind| *kind != Paging::KeysetTime)
            .collect();
        let paging = dice.pick(&kinds);
        let sorted = paging == Paging::KeysetKey || dice.one_in(2);
        Self::draw(dice, can_fetch, (paging, sorted))
    }

    fn draw_changes(dice: &mut Dice, can_fetch: bool, coarse: bool) -> Self {
        // What is shown of a time must be what is compared, where a position is made of it.
        let kinds: Vec<_> = Paging::ALL
            .into_iter()
            .filter(|kind| *kind != Paging::Snapshot && (coarse || *kind != Paging::KeysetTime))
            .collect();
        let paging = dice.pick(&kinds);
        let sorted = match paging {
            Paging::KeysetTime => true,
            Paging::Opaque | Paging::LinkInBody | Paging::LinkInHeader => dice.one_in(2),
            // A row that changes would move in the order and take others along, so it is by key or by making.
            _ => false,
        };
        let stream = Self::draw(dice, can_fetch, (paging, sorted));
        Self {
            until: dice.one_in(2),
            history: dice.one_in(3).then(|| History {
                seconds: dice.pick(&[200_000, 700_000]),
                refuses: dice.one_in(2),
            }),
            ..stream
        }
    }

    fn draw(dice: &mut Dice, can_fetch: bool, (paging, sorted): (Paging, bool)) -> Self {
        Self {
            paging,
            yields: if can_fetch && dice.one_in(3) {
                Yields::Stubs
            } else {
                Yields::Documents
            },
            sorted,
            page: match paging {
                Paging::Snapshot => 1_000,
                // With smaller ones there are places at which no page begins.
                Paging::Number => dice.between(10, 14),
                _ => dice.between(2, 9),
            },
            short: !matches!(paging, Paging::Snapshot | Paging::Number) && dice.one_in(3),
            until: false,
            history: None,
        }
    }

    fn simplify(&mut self, paging: Paging) {
        *self = Self {
            paging,
            yields: self.yields,
            sorted: true,
            page: 5,
            short: false,
            until: false,
            history: self.history,
        };
    }
}
