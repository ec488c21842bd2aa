//! A connector to the source that declares what is true, and, to try the oracle, connectors that do not keep to it.

mod declared;
mod times;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;
use wrenchtime_connector::{
    Account, Bound, Connector, ConnectorInfo, Context, Cursor, Document, EntityName, Error,
    ErrorKind, Items, Next, Page, PageRequest, RemoteKey, Result, SystemName, Yields,
};
use wrenchtime_transport::paging::{
    KeysetPosition, More, Order, Slice, Taken, Window, cursor_next, keyset_next, link_address,
    link_next, next_link,
};
use wrenchtime_transport::{Call, Http, HttpProfile, Json, Quota, Runtime};

use crate::Sabotage;
use crate::config::{Config, Paging, Stream};
use crate::truth::TableNumber;
use declared::{NAMES, info};
pub(crate) use declared::{entity_of, listing_of, table_of};
use times::Times;
use wire::{Listing, Row};

/// Reads the source over HTTP.
#[derive(Debug)]
pub(crate) struct SourceConnector {
    info: ConnectorInfo,
    http: Http,
    base: Url,
    config: Config,
    times: Times,
    sabotage: Option<Sabotage>,
}

/// One request for a page.
struct Asking<'a> {
    table: TableNumber,
    stream: &'a Stream,
    of_changes: bool,
    request: &'a PageRequest,
    /// Where a counted pass stands, and what it asks for.
    window: Option<(Window, Slice)>,
}

impl SourceConnector {
    /// Makes a connector to the source at an address.
    pub(crate) fn new(
        runtime: &Runtime,
        base: Url,
        config: Config,
        sabotage: Option<Sabotage>,
    ) -> Self {
        let mut profile = HttpProfile::new(SystemName::from_static("oracle"));
        profile.base_url = Some(base.clone());
        // By the history's clock no time passes between requests, so any lower rate would be waited for.
        profile.quota = Quota {
            per_second: 1_000_000,
            burst: 1_000_000,
        };
        profile.parallel = 1;
        Self {
            info: info(&config, sabotage),
            http: runtime.http(profile),
            base,
            times: Times::new(&config, Arc::clone(runtime.clock())),
            config,
            sabotage,
        }
    }

    fn asking<'a>(&'a self, request: &'a PageRequest) -> Result<Asking<'a>> {
        let place = NAMES.iter().enumerate().find_map(|(table, names)| {
            let at = names
                .iter()
                .position(|name| *name == request.stream.as_str())?;
            Some((table, at == 2))
        });
        let known = place.and_then(|(table, of_changes)| {
            let columns = self.config.tables.get(table)?;
            let changes = columns.changes.as_ref();
            let stream = if of_changes {
                changes?
            } else {
                &columns.listing
            };
            Some((table, of_changes, stream))
        });
        let Some((table, of_changes, stream)) = known else {
            let message = "read a page: there is no such stream";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let mut window = None;
        if stream.paging.counts() {
            let stands = match &request.cursor {
                Some(cursor) => Window::decode(cursor)?,
                None => Window::begin(stream.until.then(|| self.times.now())),
            };
            let limit = u64::from(stream.page);
            let slice = if stream.paging == Paging::Number {
                stands.page(limit)?
            } else {
                stands.slice(limit)
            };
            window = Some((stands, slice));
        }
        Ok(Asking {
            table,
            stream,
            of_changes,
            request,
            window,
        })
    }

    fn call(&self, asking: &Asking<'_>) -> Result<Call> {
        let cursor = asking.request.cursor.as_ref();
        let is_link = matches!(
            asking.stream.paging,
            Paging::LinkInBody | Paging::LinkInHeader
        );
        if let Some(cursor) = cursor.filter(|_| is_link) {
            return Ok(Call::get(link_address(cursor, &self.base)?).operation("follow a list"));
        }
        let mut call = Call::get(format!("{}/list", asking.table)).operation("read a list");
        if asking.of_changes {
            let since = self.times.bound(asking.request.from.as_ref());
            if self.sabotage == Some(Sabotage::AsksForLater) {
                call = call.query("past", &since);
            }
            call = call.query("since", since);
        }
        let page = asking.stream.page;
        if let Some((window, slice)) = &asking.window {
            if let Some(until) = &window.until {
                call = call.query("until", until);
            }
            return Ok(match asking.stream.paging {
                Paging::Number => call
                    .query("page", slice.number())
                    .query("size", slice.limit),
                Paging::SkipLink => call.query("skip", slice.start).query("limit", slice.limit),
                _ => call.query("start", slice.start).query("limit", slice.limit),
            });
        }
        match (asking.stream.paging, cursor) {
            (Paging::KeysetKey | Paging::KeysetTime, Some(cursor)) => {
                let position = KeysetPosition::decode(cursor)?;
                call = call.query("after_key", position.key);
                if let Some(time) = position.time {
                    call = call.query("after_time", time);
                }
            }
            (_, Some(cursor)) => call = call.query("cursor", cursor.as_str()),
            (_, None) => {}
        }
        Ok(call.query("limit", page))
    }

    /// Returns how many rows at a page's beginning are not to be taken, and what comes after it.
    fn follow(&self, asking: &Asking<'_>, read: &Json<Listing>, rows: &[Row]) -> Result<Taken> {
        let listing = &read.value;
        let cursor = asking.request.cursor.as_ref();
        let next = match asking.stream.paging {
            Paging::Opaque => cursor_next(cursor, listing.next.as_deref())?,
            Paging::LinkInBody => link_next(cursor, listing.next.as_deref(), &self.base)?,
            Paging::LinkInHeader => {
                let link = next_link(&read.reply.headers);
                link_next(cursor, link.as_deref(), &self.base)?
            }
            Paging::KeysetKey | Paging::KeysetTime => self.next_key(asking, rows)?,
            Paging::Snapshot => {
                let token = listing.revision.clone();
                match &asking.request.from {
                    Some(Bound::Token(before)) if Some(before) == token.as_ref() => Next::Unchanged,
                    _ => Next::End { token },
                }
            }
            _ => return self.count(asking, listing, rows),
        };
        Ok(Taken { skip: 0, next })
    }

    fn next_key(&self, asking: &Asking<'_>, rows: &[Row]) -> Result<Next> {
        let by_time = asking.stream.paging == Paging::KeysetTime;
        let last = rows.last().map(|row| {
            let time = row.changed.clone().filter(|_| by_time);
            KeysetPosition::new(time, row.id.as_str())
        });
        // The source cuts pages short, so only an empty one is the end.
        let asked = if self.sabotage == Some(Sabotage::StopsAtShortPages) {
            usize::try_from(asking.stream.page).unwrap_or(usize::MAX)
        } else {
            1
        };
        let cursor = asking.request.cursor.as_ref();
        keyset_next(cursor, last.as_ref(), rows.len(), asked)
    }

    fn count(&self, asking: &Asking<'_>, listing: &Listing, rows: &[Row]) -> Result<Taken> {
        let Some((window, slice)) = &asking.window else {
            let message = "read a list: it is not one that counts";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let keys: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let short = keys.len() < usize::try_from(slice.limit).unwrap_or_default();
        if short && self.sabotage == Some(Sabotage::StopsAtShortPages) {
            let next = Next::End { token: None };
            return Ok(Taken { skip: 0, next });
        }
        let more = match asking.stream.paging {
            Paging::StartTotal => More::Total(listing.total.unwrap_or_default()),
            Paging::SkipLink => More::Link(listing.next.is_some()),
            _ => More::Untold,
        };
        if self.sabotage == Some(Sabotage::OnlyCounts) {
            return count_on(slice, keys.len(), more);
        }
        let order = if asking.of_changes || asking.stream.sorted {
            Order::ByKey(self.config.tables[asking.table].keys)
        } else {
            Order::Fixed
        };
        window.take(*slice, &keys, order, more)
    }

    fn document(&self, table: TableNumber, row: Row) -> Document {
        let name = EntityName::from_static(NAMES[table][0]);
        let changed_at = row.changed.and_then(|text| self.times.read(text));
        Document::new(name, RemoteKey::new(row.id), row.raw)
            .with_version(Some(row.version))
            .with_changed_at(changed_at)
            .with_deleted(row.removed)
    }

    async fn list(&self, cx: &Context, call: Call) -> Result<Json<Listing>> {
        let mut read = self.http.send_json::<Listing>(cx, call).await?;
        if read.value.error.is_some() {
            if self.sabotage == Some(Sabotage::SwallowsErrors) {
                read.value.items = Some(Vec::new());
                return Ok(read);
            }
            let message = "read a list: the source answers with an error";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(read)
    }
}

#[async_trait]
impl Connector for SourceConnector {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, _cx: &Context) -> Result<Account> {
        Ok(Account::new("oracle", "Oracle"))
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        let asking = self.asking(&request)?;
        let read = self.list(cx, self.call(&asking)?).await?;
        let rows = read.value.rows()?;
        let Taken { skip, next } = self.follow(&asking, &read, &rows)?;
        let new = rows.into_iter().skip(skip);
        let items = match asking.stream.yields {
            Yields::Documents => {
                Items::Documents(new.map(|row| self.document(asking.table, row)).collect())
            }
            Yields::Stubs => Items::Stubs(new.map(|row| wire::stub(row, &self.times)).collect()),
        };
        Ok(Page::new(items, next)
            .with_source_time(read.reply.source_time)
            .with_requests(read.reply.attempts)
            .with_total(read.value.total))
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        let Some(table) =
            table_of(entity).filter(|table| self.config.tables[*table].fetch.is_some())
        else {
            let message = "fetch rows: the entity offers none by key";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let keys: Vec<&str> = keys.iter().map(RemoteKey::as_str).collect();
        let call = Call::get(format!("{table}/rows"))
            .query("keys", keys.join(","))
            .operation("fetch rows");
        let read = self.list(cx, call).await?;
        let rows = read.value.rows()?.into_iter();
        Ok(rows.map(|row| self.document(table, row)).collect())
    }
}

/// What those do who count on.
fn count_on(slice: &Slice, rows: usize, more: More) -> Result<Taken> {
    let end = slice.start + u64::try_from(rows).unwrap_or_default();
    let is_last = match more {
        More::Total(total) => end >= total,
        More::Link(leads_on) => !leads_on,
        More::Untold => rows == 0,
    };
    // A window that took no row asks from its index on, and compares nothing.
    let text = serde_json::json!({ "n": end }).to_string();
    let next = match Cursor::from_text(text).filter(|_| !is_last) {
        Some(cursor) => Next::Page(cursor),
        None => Next::End { token: None },
    };
    Ok(Taken { skip: 0, next })
}
