//! Pages and rows.

mod joined;
mod version;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wrenchtime_connector::{
    Bound, Context, Cursor, Document, Error, ErrorKind, Items, Next, Page, PageRequest, RemoteKey,
    Result, RowIssue, StreamInfo, StreamName, Stub, Yields,
};
use wrenchtime_transport::paging::{KeysetPosition, keyset_next};

use self::joined::with_joined;
use self::version::{is_deleted, version};
use crate::info::Table;
use crate::query::{Criteria, Operator, Query};
use crate::session::{Session, Tally, Wanted};
use crate::tree::Remembered;
use crate::wire::{Action, Head, change_time, utc_text};

const LAST_ACTION: &str = "LastActionDateUtc";
const ACTION_TIME: &str = "SystemDateUtc";

/// A request for a page, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) stream: StreamName,
    pub(crate) stubs: bool,
    limit: u32,
    /// The source's text of the bound.
    from: Option<String>,
    cursor: Option<Cursor>,
    after: Option<Place>,
}

/// Where a page ended: the last row's time, in a stream of changes, and key.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    time: Option<String>,
    id: i64,
}

impl Place {
    fn parse(cursor: &Cursor) -> Result<Self> {
        let KeysetPosition { time, key } = KeysetPosition::decode(cursor)?;
        let id = key.parse().map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "read a page: the cursor is none of this system",
            )
        })?;
        Ok(Self { time, id })
    }
}

impl Asked {
    pub(crate) fn new(stream: &StreamInfo, request: PageRequest) -> Result<Self> {
        let limit = request
            .limit
            .unwrap_or(stream.page_limit)
            .clamp(1, stream.page_limit);
        let from = match request.from {
            Some(Bound::Time {
                text: Some(text), ..
            }) => Some(text),
            Some(Bound::Time { at, text: None }) => Some(utc_text(at)),
            Some(Bound::Token(_)) => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "read a page: no stream begins at a token",
                ));
            }
            None => None,
        };
        let after = request.cursor.as_ref().map(Place::parse).transpose()?;
        Ok(Self {
            stream: request.stream,
            stubs: stream.yields == Yields::Stubs,
            limit,
            from,
            cursor: request.cursor,
            after,
        })
    }

    /// Says where to read on behind so many rows. A source may cut pages shorter than it was asked, so only an empty
    /// page proves the end: absence from a listing is taken for deletion, and behind a short page of changes there may
    /// be more rows of its last instant, which the next pass would not begin with.
    fn next(&self, rows: usize, last: Option<Place>) -> Result<Next> {
        if rows > 0 && last.is_none() {
            return Err(Error::new(
                ErrorKind::Protocol,
                "read a page: no row on it can be read",
            ));
        }
        let last = last.map(|place| KeysetPosition::new(place.time, place.id.to_string()));
        keyset_next(self.cursor.as_ref(), last.as_ref(), rows, 1)
    }

    /// Asks for the rows of a stream of changes behind this place.
    fn changes(&self, time: &'static str, key: &'static str, properties: &[&'static str]) -> Query {
        let criteria = match &self.from {
            Some(from) => Criteria::all().compare(time, Operator::GreaterOrEqual, from.as_str()),
            None => Criteria::all().compare(time, Operator::NotNull, Value::Null),
        };
        let criteria = match &self.after {
            Some(Place {
                time: Some(text),
                id,
            }) => criteria.behind([time, key], [text.as_str().into(), (*id).into()]),
            _ => criteria,
        };
        Query::new(properties, criteria, &[time, key], self.limit)
    }

    /// Asks for the rows of a listing behind this place.
    fn listing(&self, properties: &[&'static str]) -> Query {
        let criteria = match &self.after {
            Some(place) => Criteria::all().compare("Id", Operator::GreaterThan, place.id),
            None => Criteria::all(),
        };
        Query::new(properties, criteria, &["Id"], self.limit)
    }
}

/// Reads one table.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) session: &'a Session,
    pub(crate) remembered: &'a Remembered,
    pub(crate) cx: &'a Context,
    pub(crate) table: Table,
    pub(crate) tally: Tally,
}

/// What a row's place in the order of its stream is made of.
#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "Id")]
    id: i64,
    #[serde(rename = "LastActionDateUtc")]
    /// Of any shape: where the order is that of keys, it is not looked at.
    #[serde(default)]
    time: Value,
}

/// A row of which the head could be read.
struct Read {
    head: Head,
    body: Box<RawValue>,
}

impl Reader<'_> {
    /// Whole rows by key.
    pub(crate) async fn listing(mut self, asked: &Asked) -> Result<Page> {
        let query = asked.listing(self.table.properties());
        let rows = self.rows(&query).await?;
        let next = asked.next(rows.len(), last_place(&rows, false))?;
        let (rows, issues) = split(self.table, rows);
        let documents = self.documents(rows).await?;
        Ok(self.page(Items::Documents(documents), issues, next))
    }

    /// Keys and versions by key.
    pub(crate) async fn sweep(mut self, asked: &Asked) -> Result<Page> {
        let query = asked.listing(self.table.version_properties());
        let rows = self.rows(&query).await?;
        let next = asked.next(rows.len(), last_place(&rows, false))?;
        let (rows, issues) = split(self.table, rows);
        let stub = |row: &Read| {
            Stub::new(key(row.head.id))
                .with_version(version(self.table, &row.head))
                .with_deleted(is_deleted(self.table, &row.head))
        };
        let stubs = rows.iter().map(stub).collect();
        Ok(self.page(Items::Stubs(stubs), issues, next))
    }

    /// Work orders by the time of their last change of status.
    pub(crate) async fn last_actions(mut self, asked: &Asked) -> Result<Page> {
        let query = asked.changes(LAST_ACTION, "Id", self.table.properties());
        let rows = self.rows(&query).await?;
        let next = asked.next(rows.len(), last_place(&rows, true))?;
        let (rows, issues) = split(self.table, rows);
        let documents = self.documents(rows).await?;
        Ok(self.page(Items::Documents(documents), issues, next))
    }

    /// Work orders that an action was logged on, by its time. Ordered by work order within one time, so that
    /// the order is that of the stubs.
    pub(crate) async fn action_log(mut self, asked: &Asked) -> Result<Page> {
        let key_column = "WorkOrderId";
        let query = asked.changes(ACTION_TIME, key_column, &[key_column, ACTION_TIME]);
        let rows: Vec<Action> = self
            .session
            .query(self.cx, "WoActionLog", &query, &mut self.tally)
            .await?;
        let last = rows.last().map(|row| Place {
            time: Some(without_z(&row.system_date_utc)),
            id: row.work_order_id,
        });
        let next = asked.next(rows.len(), last)?;
        let mut seen = BTreeSet::new();
        let mut stubs: Vec<Stub> = rows
            .iter()
            .rev()
            .filter(|row| row.work_order_id != 0 && seen.insert(row.work_order_id))
            .map(|row| {
                Stub::new(key(row.work_order_id)).with_changed_at(change_time(&row.system_date_utc))
            })
            .collect();
        stubs.reverse();
        Ok(self.page(Items::Stubs(stubs), Vec::new(), next))
    }

    /// Whole rows of these keys.
    pub(crate) async fn fetch(mut self, keys: &[RemoteKey]) -> Result<Vec<Document>> {
        // What is no number in the source's range cannot be there, and would be refused.
        let ids: BTreeSet<i64> = keys
            .iter()
            .filter_map(|key| key.as_str().parse::<i32>().ok())
            .map(i64::from)
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        let name = self.table.name();
        let wanted = Wanted {
            entity: name.as_str(),
            properties: self.table.properties(),
        };
        let rows = self
            .session
            .by_ids(self.cx, wanted, &ids, &mut self.tally)
            .await?;
        let (rows, issues) = split(self.table, rows);
        if let Some(issue) = issues.first() {
            let error = Error::new(
                ErrorKind::Protocol,
                "fetch rows: one of them cannot be read",
            );
            return Err(error
                .with_context("row", issue.place.clone())
                .with_context("reason", issue.reason.clone()));
        }
        self.documents(rows).await
    }

    async fn rows(&mut self, query: &Query) -> Result<Vec<Box<RawValue>>> {
        self.session
            .query(self.cx, self.table.name().as_str(), query, &mut self.tally)
            .await
    }

    fn page(&self, items: Items, issues: Vec<RowIssue>, next: Next) -> Page {
        Page::new(items, next)
            .with_issues(issues)
            .with_source_time(self.tally.source_time)
            .with_requests(self.tally.requests)
    }

    async fn documents(&mut self, rows: Vec<Read>) -> Result<Vec<Document>> {
        let joined = self.joined(&rows).await?;
        let document = |row: Read| {
            let body = with_joined(row.body, joined.get(&row.head.id))?;
            let changed = row
                .head
                .last_action_date_utc
                .as_deref()
                .and_then(change_time);
            Ok(Document::new(self.table.name(), key(row.head.id), body)
                .with_version(version(self.table, &row.head))
                .with_changed_at(changed)
                .with_deleted(is_deleted(self.table, &row.head)))
        };
        rows.into_iter().map(document).collect()
    }
}

fn split(table: Table, rows: Vec<Box<RawValue>>) -> (Vec<Read>, Vec<RowIssue>) {
    let (mut read, mut issues) = (Vec::new(), Vec::new());
    let name = table.name();
    let first = rows.iter().find_map(|row| id(row));
    // A page begins with the same row whenever it is read, unless rows before it changed.
    let nameless = |at: usize| match first {
        Some(first) => format!(
            "{name}, row {} of the page that begins with Id {first}",
            at + 1
        ),
        None => format!("{name}, row {} of a page without an Id", at + 1),
    };
    for (at, body) in rows.into_iter().enumerate() {
        match serde_json::from_str::<Head>(body.get()) {
            Ok(head) if head.id > 0 => read.push(Read { head, body }),
            Ok(_) => issues.push(RowIssue::new(None, nameless(at), "the row has no Id")),
            Err(error) => {
                let id = id(&body);
                let place = id.map_or_else(|| nameless(at), |id| format!("{name} {id}"));
                let reason = format!(
                    "the row has an unexpected shape at column {}",
                    error.column()
                );
                issues.push(RowIssue::new(id.map(key), place, reason));
            }
        }
    }
    (read, issues)
}

/// Returns the Id of a row of which nothing else may be readable.
fn id(row: &RawValue) -> Option<i64> {
    let row: crate::wire::Ref = serde_json::from_str(row.get()).ok()?;
    (row.id > 0).then_some(row.id)
}

fn key(id: i64) -> RemoteKey {
    RemoteKey::new(id.to_string())
}

fn without_z(text: &str) -> String {
    text.trim_end_matches('Z').to_owned()
}

/// Returns the place of the last row that tells one. Less is asked of it than of a row that is read: one that cannot
/// be read and stands at the end would come again with each page otherwise.
fn last_place(rows: &[Box<RawValue>], timed: bool) -> Option<Place> {
    let place = |row: &RawValue| {
        let Mark { id, time } = serde_json::from_str(row.get()).ok()?;
        let time = time.as_str().map(without_z);
        match timed {
            _ if id <= 0 => None,
            true => time.map(|time| Place {
                time: Some(time),
                id,
            }),
            false => Some(Place { time: None, id }),
        }
    };
    rows.iter().rev().find_map(|row| place(row))
}
