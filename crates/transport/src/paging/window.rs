//! Sources that count rows: from a start index, or by numbers of pages.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wrenchtime_connector::{Cursor, Error, ErrorKind, KeyOrder, Next, RemoteKey, Result};

/// How often a list is begun anew, or asked again without getting on, before its pass fails.
const PATIENCE: u32 = 5;

/// Where a pass over counted rows stands.
///
/// Rows that come or go meanwhile move all rows behind them, and who only counts on reads some of them never. So every
/// slice begins with the last row of the one before. Where that row is not found in its place, the window steps back
/// until it has the place again. From then on, and where a row is shown twice, no index is believed any more: the list
/// ends where a slice shows nothing behind its last row. A list whose order says nothing to us is begun anew.
///
/// What it needs of the source: an order that does not change while a row exists (by key, by making), and that a slice
/// of two rows or more is never cut to one.
///
/// ```
/// use wrenchtime_connector::{KeyOrder, Next};
/// use wrenchtime_transport::paging::{More, Order, Taken, Window};
///
/// let order = Order::ByKey(KeyOrder::Numeric);
/// let window = Window::begin(None);
/// let slice = window.slice(3);
/// assert_eq!((slice.start, slice.limit), (0, 3));
/// let Taken { skip, next: Next::Page(cursor) } = window.take(slice, &["1", "2", "3"], order, More::Total(4))? else {
///     panic!("there is a fourth row");
/// };
/// assert_eq!(skip, 0);
///
/// // Row 1 was removed meanwhile. Row 3 is not where it was, so nothing is taken and the window steps back.
/// let window = Window::decode(&cursor)?;
/// let slice = window.slice(3);
/// assert_eq!(slice.start, 2);
/// let taken = window.take(slice, &["4"], order, More::Total(3))?;
/// assert_eq!(taken.skip, 1);
/// assert!(matches!(taken.next, Next::Page(_)));
/// # Ok::<(), wrenchtime_connector::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The upper bound of the pass in the source's own words, fixed when it began.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The index of the row that the next slice begins with.
    #[serde(rename = "n")]
    next: u64,
    /// A slice was not in its place or held a row twice, so that indexes say nothing of the end any more.
    #[serde(rename = "m", default)]
    moved: bool,
    /// The last row that was taken.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// The number of rows that the source told last.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// How often it stepped back in a row.
    #[serde(rename = "b", default)]
    back: u32,
    /// How often it lost its place or did not get on since the last new row.
    #[serde(rename = "i", default)]
    idle: u32,
    /// How often it was begun anew.
    #[serde(rename = "a", default)]
    anew: u32,
}

/// Which rows to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slice {
    /// The index of the first, counted from 0.
    pub start: u64,
    /// How many.
    pub limit: u64,
    /// It is asked for by its number.
    numbered: bool,
}

impl Slice {
    /// Returns the number, counted from 1, of the page of [`Slice::limit`] rows that this is. Only of use with slices
    /// from [`Window::page`].
    pub fn number(self) -> u64 {
        self.start / self.limit.max(1) + 1
    }
}

/// What a source counts by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Rows stand in order of their keys.
    ByKey(KeyOrder),
    /// Rows stand in an order that does not change and that only the source knows.
    Fixed,
}

/// What a source says of rows behind a slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum More {
    /// The list has this many rows.
    Total(u64),
    /// There is a link to a next page, or there is none.
    Link(bool),
    /// Nothing. The end is a slice without a row behind its first; by numbers, a page without a new row that is not
    /// full, for rows that were cut from such a page could not be asked for at all.
    Untold,
}

/// What is to be done with a slice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// How many rows at its beginning were taken before, or are not to be taken now.
    pub skip: usize,
    /// What comes after it.
    pub next: Next,
}

impl Window {
    /// Begins a pass. Where the source can be asked for rows that changed until some time, that time is kept here.
    pub fn begin(until: Option<String>) -> Self {
        Self {
            until,
            next: 0,
            moved: false,
            last: None,
            total: None,
            back: 0,
            idle: 0,
            anew: 0,
        }
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a cursor that is not of this kind.
    pub fn decode(cursor: &Cursor) -> Result<Self> {
        serde_json::from_str(cursor.as_str()).map_err(|_| super::foreign())
    }

    /// Returns which rows to ask for, from a start index. Less than two rows at a time get nowhere.
    pub fn slice(&self, limit: u64) -> Slice {
        Slice {
            start: self.next,
            limit: limit.max(2),
            numbered: false,
        }
    }

    /// Returns which rows to ask for where only whole pages can be had, of any size up to a limit: the size is such
    /// that one of its pages begins with the last row of the one before, or shortly before that.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where no size does. With 20 rows or more on a page there always is one, in lists of
    /// less than two hundred million rows.
    pub fn page(&self, limit: u64) -> Result<Slice> {
        let limit = limit.max(2);
        let place = self.next;
        if self.last.is_none() {
            return Ok(Slice {
                start: 0,
                limit,
                numbered: true,
            });
        }
        (2..=limit)
            .rev()
            .map(|size| {
                let before = place % size;
                let slice = Slice {
                    start: place - before,
                    limit: size,
                    numbered: true,
                };
                (size - before - 1, slice)
            })
            .filter(|(new, _)| *new > 0)
            .max_by_key(|(new, slice)| (*new, slice.limit))
            .map(|(_, slice)| slice)
            .ok_or_else(|| {
                let message = "no page of the list begins where the last one ended";
                Error::new(ErrorKind::Unsupported, message)
            })
    }

    /// Takes over the keys of a slice, in its order, and returns which rows are new and what to ask for next.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when the source tells of more rows than it gives; [`ErrorKind::Conflict`] when the list
    /// moves under every reading.
    pub fn take(&self, slice: Slice, keys: &[&str], order: Order, more: More) -> Result<Taken> {
        let Some(skip) = self.place(slice, keys, order) else {
            return self.step_back(slice, keys.len());
        };
        // A row that stands there twice hides another one, wherever that is.
        let rows = keys.iter().collect::<HashSet<_>>().len();
        let end = slice.start + count(rows);
        let is_new = skip < keys.len();
        // Rows before the last one taken may have come or gone, or the slice is not the one that was asked for: what its
        // index says of the end is then of another place.
        let in_place = self.last.is_none() || slice.start + count(skip) == self.next + 1;
        let moved = self.moved || !in_place || rows < keys.len();
        if self.ends((slice, rows), (is_new, moved), more) {
            let next = Next::End { token: None };
            return Ok(Taken { skip, next });
        }
        if keys.is_empty() && !matches!(more, More::Total(total) if self.disagrees(total)) {
            let message = "the source tells of more rows than it gives";
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let next = Self {
            until: self.until.clone(),
            next: end.saturating_sub(1),
            moved,
            last: keys
                .last()
                .map(|key| (*key).to_owned())
                .filter(|_| is_new)
                .or_else(|| self.last.clone()),
            total: match more {
                More::Total(total) => Some(total),
                More::Link(_) | More::Untold => None,
            },
            back: if is_new { 0 } else { self.back },
            idle: if is_new {
                0
            } else {
                self.idle + u32::from(rows < 2 || (self.back == 0 && !in_place))
            },
            anew: self.anew,
        };
        next.ask(skip)
    }

    /// Returns how many rows of a slice stand before the first new one, if the slice shows that no row is left out
    /// between those that were taken and its own.
    fn place(&self, slice: Slice, keys: &[&str], order: Order) -> Option<usize> {
        let Some(last) = &self.last else {
            return Some(0);
        };
        match order {
            Order::Fixed => {
                let found = keys.iter().rposition(|key| key == last)?;
                Some(found + 1)
            }
            Order::ByKey(order) => {
                let sorted = |key: &str| order.sort_key(&RemoteKey::new(key));
                let last = sorted(last);
                let old = keys.iter().take_while(|key| sorted(key) <= last).count();
                (old > 0 || slice.start == 0).then_some(old)
            }
        }
    }

    fn step_back(&self, slice: Slice, rows: usize) -> Result<Taken> {
        let next = if slice.start == 0 {
            // The row is gone, and its place cannot be told from another.
            Self {
                anew: self.anew + 1,
                ..Self::begin(self.until.clone())
            }
        } else {
            let step = slice.limit.saturating_mul(2_u64.saturating_pow(self.back));
            Self {
                next: slice.start.saturating_sub(step),
                moved: true,
                back: self.back.saturating_add(1),
                idle: self.idle + u32::from(self.back == 0),
                ..self.clone()
            }
        };
        next.ask(rows)
    }

    fn ends(
        &self,
        (slice, rows): (Slice, usize),
        (is_new, moved): (bool, bool),
        more: More,
    ) -> bool {
        let rows = count(rows);
        match more {
            // A number that has just changed may be a slip: it is believed when it is told twice.
            More::Total(total) => {
                let is_last = !moved || (!is_new && rows < 2);
                slice.start + rows >= total && is_last && !self.disagrees(total)
            }
            More::Link(leads_on) => !leads_on,
            More::Untold => {
                let only_part = slice.numbered && rows < slice.limit;
                !is_new && (rows < 2 || only_part)
            }
        }
    }

    fn disagrees(&self, total: u64) -> bool {
        self.total.is_some_and(|before| before != total)
    }

    fn ask(self, skip: usize) -> Result<Taken> {
        if self.anew.max(self.idle) > PATIENCE {
            let message = "the list moves under every reading, or the source does not get on";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let text = serde_json::to_string(&self).expect("texts and numbers can be written as JSON");
        let cursor = Cursor::from_text(text).expect("JSON is never empty");
        let next = Next::Page(cursor);
        Ok(Taken { skip, next })
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BY_KEY: Order = Order::ByKey(KeyOrder::Numeric);

    /// What a test's source counts by.
    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Total,
        Link,
        Untold,
        Pages,
    }

    /// Reads a list that changes before each request, and returns the keys that were taken, in order.
    fn read(
        list: &mut Vec<u32>,
        order: Order,
        kind: Kind,
        script: &[Vec<(bool, u32)>],
    ) -> Vec<u32> {
        let mut window = Window::begin(None);
        let mut taken = Vec::new();
        let mut script = script.iter();
        loop {
            for (is_there, key) in script.next().into_iter().flatten() {
                change(list, order, *is_there, *key);
            }
            let slice = match kind {
                Kind::Pages => window.page(20).unwrap(),
                Kind::Total | Kind::Link | Kind::Untold => window.slice(5),
            };
            let start = usize::try_from(slice.start).unwrap();
            // The source cuts slices short as it likes, but not to less than two rows.
            let limit = usize::try_from(slice.limit)
                .unwrap()
                .min(2 + taken.len() % 5);
            let limit = if matches!(kind, Kind::Pages) {
                20
            } else {
                limit
            };
            let limit = limit.min(usize::try_from(slice.limit).unwrap());
            let rows: Vec<String> = list
                .iter()
                .skip(start)
                .take(limit)
                .map(u32::to_string)
                .collect();
            let keys: Vec<&str> = rows.iter().map(String::as_str).collect();
            let more = match kind {
                Kind::Total => More::Total(count(list.len())),
                Kind::Link => More::Link(start + rows.len() < list.len()),
                Kind::Untold | Kind::Pages => More::Untold,
            };
            let answer = window.take(slice, &keys, order, more).unwrap();
            let new = keys.iter().skip(answer.skip);
            taken.extend(new.map(|key| key.parse::<u32>().unwrap()));
            match answer.next {
                Next::Page(cursor) => window = Window::decode(&cursor).unwrap(),
                Next::End { .. } | Next::Unchanged => return taken,
            }
        }
    }

    fn change(list: &mut Vec<u32>, order: Order, is_there: bool, key: u32) {
        list.retain(|other| is_there || *other != key);
        if is_there && !list.contains(&key) {
            list.push(key);
        }
        if order == BY_KEY {
            list.sort_unstable();
        }
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Total),
            Just(Kind::Link),
            Just(Kind::Untold),
            Just(Kind::Pages)
        ]
    }

    proptest! {
        #[test]
        fn a_row_that_stays_is_read_however_others_move(
            order in prop_oneof![Just(BY_KEY), Just(Order::Fixed)],
            kind in kind(),
            keys in proptest::collection::btree_set(0..60_u32, 0..50),
            script in proptest::collection::vec(
                proptest::collection::vec((any::<bool>(), 0..60_u32), 0..3), 0..4),
        ) {
            let mut list: Vec<u32> = keys.into_iter().collect();
            let touched: Vec<u32> = script.iter().flatten().map(|(_, key)| *key).collect();
            let stays: Vec<u32> = list.iter().copied().filter(|key| !touched.contains(key)).collect();
            let taken = read(&mut list, order, kind, &script);
            for key in stays {
                prop_assert!(taken.contains(&key), "{key} was left out of {taken:?}");
            }
            if order == BY_KEY {
                prop_assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
            }
        }

        #[test]
        fn there_is_a_page_size_for_every_place(place in 1..200_000_000_u64, limit in 20..500_u64) {
            let window = Window { next: place, last: Some("7".to_owned()), ..Window::begin(None) };
            let slice = window.page(limit).unwrap();
            prop_assert!(slice.start <= place && place + 1 < slice.start + slice.limit);
            prop_assert_eq!((slice.number() - 1) * slice.limit, slice.start);
        }
    }

    fn next_of(taken: Taken) -> Window {
        match taken.next {
            Next::Page(cursor) => Window::decode(&cursor).unwrap(),
            other => panic!("no next page: {other:?}"),
        }
    }

    #[test]
    fn a_quiet_list_is_read_with_one_row_of_overlap() {
        let mut list: Vec<u32> = (0..9).collect();
        let taken = read(&mut list, BY_KEY, Kind::Untold, &[]);
        assert_eq!(taken, (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_slice_where_more_was_told_is_an_error() {
        let window = Window::begin(None);
        let slice = window.slice(2);
        let window = next_of(
            window
                .take(slice, &["1", "2"], BY_KEY, More::Total(9))
                .unwrap(),
        );
        let slice = window.slice(2);
        // The row before is not in its place, so the window looks for it.
        let window = next_of(window.take(slice, &[], BY_KEY, More::Total(9)).unwrap());
        assert_eq!(window.slice(2).start, 0);
        let error = window
            .take(window.slice(2), &[], BY_KEY, More::Total(9))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }

    #[test]
    fn a_total_that_moved_ends_nothing_before_it_is_told_again() {
        let window = Window::begin(None);
        let window = next_of(
            window
                .take(window.slice(2), &["1", "2"], BY_KEY, More::Total(9))
                .unwrap(),
        );
        let window = next_of(
            window
                .take(window.slice(2), &["2", "3"], BY_KEY, More::Total(3))
                .unwrap(),
        );
        let taken = window
            .take(window.slice(2), &["3"], BY_KEY, More::Total(3))
            .unwrap();
        assert_eq!(
            taken,
            Taken {
                skip: 1,
                next: Next::End { token: None }
            }
        );
    }

    #[test]
    fn standing_still_is_an_error() {
        let window = Window::begin(None);
        let mut window = next_of(
            window
                .take(window.slice(2), &["1", "2"], BY_KEY, More::Link(true))
                .unwrap(),
        );
        for _ in 0..PATIENCE {
            window = next_of(
                window
                    .take(window.slice(2), &["2"], BY_KEY, More::Link(true))
                    .unwrap(),
            );
        }
        let error = window
            .take(window.slice(2), &["2"], BY_KEY, More::Link(true))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for text in ["c2", "{}", r#"{"n":0,"x":1}"#] {
            let cursor = Cursor::from_text(text).unwrap();
            assert_eq!(
                Window::decode(&cursor).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{text}"
            );
        }
    }

    #[test]
    fn a_slice_before_the_place_that_is_looked_for_ends_nothing() {
        let window = Window::begin(None);
        let window = next_of(
            window
                .take(window.slice(3), &["1", "2", "3"], BY_KEY, More::Untold)
                .unwrap(),
        );
        // An empty list in place of the rows that there are.
        let window = next_of(
            window
                .take(window.slice(3), &[], BY_KEY, More::Untold)
                .unwrap(),
        );
        let window = next_of(
            window
                .take(window.slice(3), &["1", "2"], BY_KEY, More::Untold)
                .unwrap(),
        );
        let taken = window.take(window.slice(3), &["2", "3", "4"], BY_KEY, More::Untold);
        assert_eq!(taken.unwrap().skip, 2);
    }

    /// Reads a list of which each slice begins so many rows too early, by its number. Returns the rows that were taken.
    fn read_shifted<'a>(
        rows: &[&'a str],
        limit: u64,
        order: Order,
        early: &[usize],
    ) -> Vec<&'a str> {
        let total = More::Total(count(rows.len()));
        let mut window = Window::begin(None);
        let mut taken: Vec<&str> = Vec::new();
        for number in 0.. {
            let slice = window.slice(limit);
            let asked = usize::try_from(slice.start).unwrap();
            let start = asked.saturating_sub(early.get(number).copied().unwrap_or_default());
            let shown = rows
                .iter()
                .skip(start)
                .take(usize::try_from(limit).unwrap());
            let shown: Vec<&str> = shown.copied().collect();
            let answer = window.take(slice, &shown, order, total).unwrap();
            taken.extend(&shown[answer.skip..]);
            let Next::Page(cursor) = answer.next else {
                break;
            };
            window = Window::decode(&cursor).unwrap();
        }
        taken
    }

    #[test]
    fn rows_that_come_again_do_not_count_towards_the_total() {
        let rows = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        for order in [BY_KEY, Order::Fixed] {
            // Asked from row 3, the source begins with row 2: two rows are left where the index says that none is.
            assert_eq!(
                read_shifted(&rows[..5], 3, order, &[0, 1]),
                rows[..5],
                "{order:?}"
            );
            // Later ones that begin too early as well agree on a wrong place.
            for early in [&[0, 2, 2][..], &[0, 2, 2, 2, 2, 2, 2, 2]] {
                let taken = read_shifted(&rows, 4, order, early);
                assert_eq!(taken, rows, "{order:?}, {early:?}");
            }
        }
    }

    #[test]
    fn a_row_that_stands_in_a_slice_twice_counts_once() {
        for order in [BY_KEY, Order::Fixed] {
            let all = More::Total(5);
            let window = Window::begin(None);
            let slice = window.slice(4);
            // Five rows are shown of a list of five, and one of them is missing.
            let shown = ["1", "2", "3", "4", "4"];
            let window = next_of(window.take(slice, &shown, order, all).unwrap());
            let slice = window.slice(4);
            let taken = window.take(slice, &["4", "4", "5"], order, all).unwrap();
            assert_eq!(taken.skip, 2, "{order:?}");
            let window = next_of(taken);
            let taken = window.take(window.slice(4), &["5", "5"], order, all);
            let next = Next::End { token: None };
            assert_eq!(taken.unwrap(), Taken { skip: 2, next }, "{order:?}");
        }
    }
}
