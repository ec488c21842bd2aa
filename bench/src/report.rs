//! The figures, a line each, so that they can be searched for.

use wrenchtime_connector::SystemName;
use wrenchtime_transport::HttpProfile;

use crate::bare::Bare;
use crate::place::Store;
use crate::serve::Ours;
use crate::source::Asked;
use crate::stored::Stored;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) store: Store,
    pub(crate) work_orders: usize,
    pub(crate) requests: &'a [Asked],
    /// Requests of measured runs that found no reply in memory.
    pub(crate) unrendered: usize,
    pub(crate) stored: &'a Stored,
    pub(crate) pairs: &'a [(Ours, Bare)],
}

impl Report<'_> {
    /// Returns the most memory that any run held, in megabytes of a million bytes.
    pub(crate) fn peak_memory(&self) -> f64 {
        let peaks = self.pairs.iter().map(|(ours, _)| ours.usage.peak_memory);
        megabytes(peaks.max().unwrap_or_default())
    }

    pub(crate) fn print(&self) {
        self.print_speed();
        println!("peak memory: {:.1} MB (VmHWM of serve)", self.peak_memory());
        self.print_where_time_goes();
    }

    /// Prints what there is to read and to store, which is the same for each store.
    pub(crate) fn print_extent(&self) {
        let bytes: usize = self.requests.iter().map(|asked| asked.bytes).sum();
        let [documents, records, events] = self.stored.rows;
        println!(
            "source: {} work orders, {} requests, {:.1} MB of replies, {} not pre-rendered",
            self.work_orders,
            self.requests.len(),
            megabytes(u64::try_from(bytes).unwrap_or(u64::MAX)),
            self.unrendered,
        );
        println!(
            "stored: {documents} documents, {records} records, {events} events, {:.1} MB of documents and records",
            megabytes(self.stored.bytes),
        );
    }

    fn print_speed(&self) {
        let line = |name: &str, seconds: f64, cpu: f64, written: f64| {
            println!(
                "{name}: {seconds:.2} s, {:.0} records/s, {:.1} requests/s, {cpu:.2} s of CPU, {written:.1} MB written",
                float(self.stored.rows[1]) / seconds,
                float(self.requests.len()) / seconds,
            );
        };
        line(
            "wrenchtime",
            self.median(|ours, _| ours.seconds),
            self.median(|ours, _| ours.usage.cpu),
            self.median(|ours, _| megabytes(ours.usage.written)),
        );
        line(
            "bare loop",
            self.median(|_, bare| bare.seconds),
            self.median(|_, bare| bare.cpu),
            self.median(|_, bare| megabytes(bare.written)),
        );
        let store = self.store.name();
        println!(
            "first-sync-{store} ratio: {:.2}",
            self.median(|ours, bare| bare.seconds / ours.seconds),
        );
        println!(
            "first-sync-{store} CPU ratio: {:.2}",
            self.median(|ours, bare| bare.cpu / ours.usage.cpu),
        );
    }

    fn print_where_time_goes(&self) {
        // What an account may be asked where its connector says nothing else.
        let budget = HttpProfile::new(SystemName::from_static("bench")).quota;
        let requests = float(self.requests.len());
        println!(
            "where time goes: {requests} requests at the usual rate budget of {}/s take at least {:.2} s",
            budget.per_second,
            (requests - f64::from(budget.burst)).max(0.0) / f64::from(budget.per_second),
        );
        match self.store {
            Store::Sqlite => self.print_threads(),
            Store::Postgres => println!(
                "where time goes: the server's own processor time is in no figure of CPU; wrenchtime itself runs {:.0} % of the time",
                self.median(|ours, _| 100.0 * ours.usage.cpu / ours.seconds),
            ),
        }
        println!(
            "where time goes: in the bare loop requests take {:.2} s, parsing {:.2} s and writing {:.2} s, \
             with the next request under way meanwhile",
            self.median(|_, bare| bare.fetching),
            self.median(|_, bare| bare.parsing),
            self.median(|_, bare| bare.writing),
        );
    }

    fn print_threads(&self) {
        println!(
            "where time goes: in wrenchtime SQLite's threads run {:.0} % of the time and all others {:.0} %, \
             where 100 % is one processor",
            self.median(|ours, _| 100.0 * ours.usage.sqlite_cpu / ours.seconds),
            self.median(|ours, _| 100.0 * (ours.usage.cpu - ours.usage.sqlite_cpu) / ours.seconds),
        );
    }

    fn median(&self, of: fn(&Ours, &Bare) -> f64) -> f64 {
        median(self.pairs.iter().map(|(ours, bare)| of(ours, bare)))
    }
}

/// Prints one pair.
pub(crate) fn print_pair(number: usize, (ours, bare): &(Ours, Bare)) {
    println!(
        "pair {number}: wrenchtime {:.2} s ({}, {} records in {} pages, {:.2} s of CPU, {:.1} MB), bare loop {:.2} s",
        ours.seconds,
        ours.outcome,
        ours.records,
        ours.pages,
        ours.usage.cpu,
        megabytes(ours.usage.peak_memory),
        bare.seconds,
    );
}

/// Returns the middle one of the values, or what lies between the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 if values.is_empty() => f64::NAN,
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

pub(crate) fn float(number: usize) -> f64 {
    number as f64
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0].into_iter()) - 2.5).abs() < f64::EPSILON);
    }
}
