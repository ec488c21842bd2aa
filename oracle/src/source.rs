//! The source: rows of a [`Truth`] behind HTTP, with a clock of its own, and with faults.

mod fault;
mod page;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{Clock, KeyOrder, Precision, RemoteKey, Yields};

use crate::clock::LabClock;
use crate::config::{Config, Paging, Stream};
use crate::truth::{Op, Row, TableNumber, Truth, cut};
pub use fault::Fault;
use page::{Asked, Page};
pub(crate) use server::Server;

/// A source that is asked over HTTP.
#[derive(Debug)]
pub(crate) struct Source {
    /// The rows.
    pub(crate) truth: Truth,
    clock: LabClock,
    requests: u64,
    planned: Vec<(u64, Planned)>,
    /// Where it lied in a way that nothing in its replies reveals, with the truth's tick: by table and stream.
    lies: BTreeMap<(TableNumber, bool), u64>,
    /// Rows that were asked for alone and told to be wrong. They stay in quarantine until a listing reads them.
    unread: BTreeSet<(TableNumber, u32)>,
    /// What was asked and answered, for people.
    log: Vec<String>,
}

/// Something that happens just before a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Planned {
    /// Rows change.
    Op(Op),
    /// The answer is not what it should be.
    Fault(Fault),
    /// The run is told to end.
    Cancel(CancellationToken),
    /// The process that asks is killed, and never hears the answer.
    Kill,
}

/// What is sent.
#[derive(Debug)]
enum Answer {
    Nothing,
    Never,
    Reply(Reply),
}

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Only the first half is sent.
    cut_off: bool,
}

impl Source {
    /// Makes a source by this clock.
    pub(crate) fn new(config: Config, clock: LabClock) -> Self {
        Self {
            truth: Truth::new(config),
            clock,
            requests: 0,
            planned: Vec::new(),
            lies: BTreeMap::new(),
            unread: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// Returns how many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// Lets something happen so many requests from now: 0 is the next one.
    pub(crate) fn plan(&mut self, after: u32, planned: Planned) {
        let at = self.requests + u64::from(after) + 1;
        self.planned.push((at, planned));
    }

    /// Forgets all that was planned.
    pub(crate) fn calm(&mut self) {
        self.planned.clear();
    }

    /// Forgets what was planned to end a run.
    pub(crate) fn spare(&mut self) {
        self.planned
            .retain(|(_, planned)| !matches!(planned, Planned::Cancel(_) | Planned::Kill));
    }

    /// Lets something happen now.
    pub(crate) fn apply(&mut self, op: &Op) {
        self.truth.apply(op, self.clock.now());
    }

    /// Returns when it last lied about a table's listing (or changes), in changes of the truth.
    pub(crate) fn lied(&self, table: TableNumber, listing: bool) -> Option<u64> {
        self.lies.get(&(table, listing)).copied()
    }

    /// Tells whether a row was asked for alone and told to be wrong, and nothing shows that it was read since.
    pub(crate) fn was_unread(&self, place: (TableNumber, u32)) -> bool {
        self.unread.contains(&place)
    }

    /// Takes it that all rows were read that once were told to be wrong.
    pub(crate) fn settle_unread(&mut self) {
        self.unread.clear();
    }

    /// Keeps in mind that a row was asked for alone and told to be wrong.
    fn leave_unread(&mut self, path: &str, query: &BTreeMap<String, String>, fault: Option<Fault>) {
        let blames_the_row = matches!(
            fault,
            Some(Fault::Refused | Fault::CutJson | Fault::ErrorInside | Fault::PageInside)
        );
        let mut words = path.rsplit('/');
        if !blames_the_row || words.next() != Some("rows") {
            return;
        }
        let table = words.next().and_then(|word| word.parse().ok());
        let key = query.get("keys").and_then(|keys| keys.parse().ok());
        self.unread.extend(table.zip(key));
    }

    /// Answers a request.
    fn answer(&mut self, path: &str, query: &BTreeMap<String, String>, origin: &str) -> Answer {
        self.requests += 1;
        let mut fault = None;
        let requests = self.requests;
        let due = |(at, _): &(u64, Planned)| *at <= requests;
        let planned = std::mem::take(&mut self.planned);
        let (due, later): (Vec<_>, Vec<_>) = planned.into_iter().partition(due);
        self.planned = later;
        for (_, planned) in due {
            match planned {
                Planned::Op(op) => self.apply(&op),
                Planned::Fault(next) => fault = Some(next),
                Planned::Cancel(token) => token.cancel(),
                Planned::Kill => return Answer::Never,
            }
        }
        let now = self.clock.now();
        self.truth.pass(now);
        let answer = self.faulty(path, query, (origin, fault));
        self.leave_unread(path, query, fault);
        self.note(path, query, (origin, &answer, fault));
        let latency = u64::from(self.truth.config().latency);
        self.clock
            .advance(std::time::Duration::from_millis(latency));
        match answer {
            Answer::Reply(mut reply) if self.truth.config().tells_time => {
                let theirs = now + TimeDelta::seconds(self.truth.config().skew);
                let date = theirs.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                reply.headers.push(("date", date));
                Answer::Reply(reply)
            }
            other => other,
        }
    }

    fn note(
        &mut self,
        path: &str,
        query: &BTreeMap<String, String>,
        (origin, answer, fault): (&str, &Answer, Option<Fault>),
    ) {
        let answer = match answer {
            Answer::Reply(reply) => {
                // The port is another one each time.
                let body = reply.body.replace(origin, "");
                format!("{} {:?} {body}", reply.status, reply.headers)
            }
            Answer::Nothing | Answer::Never => "nothing".to_owned(),
        };
        let fault = fault.map(|fault| format!(" ({fault:?})"));
        let line = format!(
            "{} {} {path} {query:?}{}: {answer}",
            self.requests,
            self.clock.now(),
            fault.unwrap_or_default()
        );
        self.log.push(line);
    }

    /// Notes what whoever asks does meanwhile.
    pub(crate) fn remark(&mut self, what: String) {
        self.log.push(what);
    }

    /// Returns what was asked and answered.
    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    fn reply(
        &mut self,
        path: &str,
        query: &BTreeMap<String, String>,
        (origin, fault): (&str, Option<Fault>),
    ) -> Reply {
        let mut parts = path.trim_matches('/').split('/').skip(1);
        let table: Option<TableNumber> = parts.next().and_then(|part| part.parse().ok());
        let table = table.filter(|table| *table < self.truth.config().tables.len());
        let body = match (table, parts.next()) {
            (Some(table), Some("rows")) => self.rows_by_key(table, query),
            (Some(table), Some("list")) => {
                return self.list(table, (path, query), (origin, fault));
            }
            _ => return refusal(404, "no such path"),
        };
        Reply {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
            cut_off: false,
        }
    }

    fn rows_by_key(&self, table: TableNumber, query: &BTreeMap<String, String>) -> Value {
        let keys = query.get("keys").map(String::as_str).unwrap_or_default();
        let rows = keys.split(',').filter_map(|key| {
            let key: u32 = key.parse().ok()?;
            let row = self.truth.row(table, key)?;
            (!row.absent).then(|| self.shown(key, row, Yields::Documents))
        });
        json!({"items": rows.collect::<Vec<_>>()})
    }

    fn list(
        &mut self,
        table: TableNumber,
        (path, query): (&str, &BTreeMap<String, String>),
        (origin, fault): (&str, Option<Fault>),
    ) -> Reply {
        let config = self.truth.config();
        let of_changes = query.contains_key("since");
        let stream = match &config.tables[table].changes {
            Some(changes) if of_changes => changes.clone(),
            _ => config.tables[table].listing.clone(),
        };
        let remembers = stream.history.map(|history| {
            let since = self.clock.now() - TimeDelta::seconds(i64::from(history.seconds));
            self.truth.stamp(since)
        });
        let asked = Asked {
            stream: &stream,
            remembers,
            query,
            of_changes,
            again: fault == Some(Fault::Repeated),
            salt: self.requests,
        };
        if stream.history.is_some_and(|history| history.refuses) && !asked.is_remembered() {
            return refusal(400, "too long ago");
        }
        let mut page = Page::of(&self.truth, table, &asked);
        let first = page.start == 0 || !stream.paging.counts();
        if fault == Some(Fault::EmptyInside) {
            page.rows.clear();
            page.cursor = None;
            page.more = false;
            // With the right one nobody would ever look again.
            page.revision = None;
        }
        if fault == Some(Fault::Twice) && !page.rows.is_empty() {
            let at = if self.requests.is_multiple_of(2) {
                0
            } else {
                page.rows.len() - 1
            };
            page.rows.insert(at, page.rows[at].clone());
        }
        if fault == Some(Fault::WrongTotal) {
            page.total = if self.requests.is_multiple_of(2) {
                page.total / 2
            } else {
                page.total + 7
            };
        }
        if first && matches!(fault, Some(Fault::EmptyInside | Fault::WrongTotal)) {
            self.lies.insert((table, !of_changes), self.truth.tick());
        }
        self.write(&page, &stream, (path, query, origin))
    }

    fn write(
        &self,
        page: &Page,
        stream: &Stream,
        (path, query, origin): (&str, &BTreeMap<String, String>, &str),
    ) -> Reply {
        let items: Vec<Value> = page
            .rows
            .iter()
            .map(|(key, row)| self.shown(*key, row, stream.yields))
            .collect();
        let mut body = json!({"items": items});
        let mut headers = Vec::new();
        let link = |cursor: &str| {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query.iter().filter(|(name, _)| *name != "cursor"));
            let query = pairs.append_pair("cursor", cursor).finish();
            format!("{path}?{query}")
        };
        match (stream.paging, &page.cursor) {
            (Paging::Opaque, cursor) => body["next"] = json!(cursor),
            (Paging::LinkInBody, Some(cursor)) => {
                body["next"] = json!(format!("{origin}{}", link(cursor)));
            }
            (Paging::LinkInHeader, Some(cursor)) => {
                headers.push(("link", format!("<{}>; rel=\"next\"", link(cursor))));
            }
            (Paging::StartTotal, _) => body["total"] = json!(page.total),
            (Paging::SkipLink, _) if page.more => body["next"] = json!(link("more")),
            (Paging::Snapshot, _) => body["revision"] = json!(page.revision),
            _ => {}
        }
        Reply {
            status: 200,
            headers,
            body: body.to_string(),
            cut_off: false,
        }
    }

    /// Writes a row as the source shows it.
    fn shown(&self, key: u32, row: &Row, yields: Yields) -> Value {
        let mut shown = json!({
            "id": key.to_string(),
            "version": row.version.to_string(),
            "changed": row.stamp.map(|stamp| text(stamp, self.truth.config().precision)),
        });
        if row.marked {
            shown["removed"] = json!(true);
        }
        if yields == Yields::Documents {
            shown["title"] = json!(format!("Job {}", row.value));
            shown["name"] = json!(format!("Pump {}", row.value));
            shown["serial"] = json!(format!("S{}", row.children));
            let line = |child: u32| json!({"id": format!("{key}-{child}"), "text": format!("Step {child}")});
            shown["lines"] = (0..row.children).map(line).collect();
        }
        shown
    }
}

fn refusal(status: u16, why: &str) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: json!({ "error": why }).to_string(),
        cut_off: false,
    }
}

/// Writes a time as the source shows it: in its own zone, without saying so.
fn text(stamp: chrono::NaiveDateTime, precision: Precision) -> String {
    let format = match precision {
        Precision::Millisecond => "%Y-%m-%d %H:%M:%S%.3f",
        Precision::Second => "%Y-%m-%d %H:%M:%S",
        Precision::Minute => "%Y-%m-%d %H:%M",
        Precision::Day => "%Y-%m-%d",
    };
    cut(stamp, precision).format(format).to_string()
}

/// Returns the place of a key in the source's order.
fn place_of(order: KeyOrder, key: u32) -> String {
    let key = RemoteKey::new(key.to_string());
    order.sort_key(&key).as_str().to_owned()
}
