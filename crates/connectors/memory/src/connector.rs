//! The trait's four methods over a [`MemorySource`].

use async_trait::async_trait;
use chrono::SecondsFormat;
use secrecy::SecretString;
use serde_json::value::{RawValue, to_raw_value};
use wrenchtime_connector::{
    Account, Bound, ChangeTime, Connector, ConnectorInfo, Context, CursorKind, Document,
    EntityInfo, EntityName, Error, ErrorKind, Items, Next, Page, PageRequest, RemoteKey, Result,
    RowIssue, StreamInfo, Stub, Yields,
};

use crate::source::{Asked, MemorySource, Row};
use crate::window::{Window, shown};

/// An open account at a [`MemorySource`].
#[derive(Debug)]
pub struct MemoryConnector {
    info: ConnectorInfo,
    source: MemorySource,
    name: String,
    secret: SecretString,
}

impl MemoryConnector {
    pub(crate) fn new(
        info: ConnectorInfo,
        source: MemorySource,
        name: String,
        secret: SecretString,
    ) -> Self {
        Self {
            info,
            source,
            name,
            secret,
        }
    }
}

#[async_trait]
impl Connector for MemoryConnector {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, _cx: &Context) -> Result<Account> {
        self.source
            .receive(Asked::Check, &self.secret)
            .map_err(|error| error.at("memory", "check"))?;
        let identity = self.source.read(|state| state.identity.clone());
        Ok(Account::new(identity, self.name.clone()))
    }

    async fn read_page(&self, _cx: &Context, request: PageRequest) -> Result<Page> {
        let Some((entity, stream)) = self.info.stream(&request.stream) else {
            return Err(unsupported(
                "read a page: there is no such stream",
                "read_page",
            ));
        };
        let asked = Asked::Page {
            stream: request.stream.clone(),
            from: request.from.clone(),
            cursor: request.cursor.clone(),
        };
        self.source
            .receive(asked, &self.secret)
            .map_err(|error| error.at("memory", "read_page"))?;
        let now = self.source.now();
        let revision = self.source.read(|state| state.revision).to_string();
        if stream.cursor == CursorKind::Token
            && request.cursor.is_none()
            && matches!(&request.from, Some(Bound::Token(token)) if *token == revision)
        {
            let nothing = match stream.yields {
                Yields::Documents => Items::Documents(Vec::new()),
                Yields::Stubs => Items::Stubs(Vec::new()),
            };
            return Ok(Page::new(nothing, Next::Unchanged).with_source_time(now));
        }
        let window = self
            .source
            .read(|state| Window::of(state, entity, stream, &request))?;
        Ok(page(entity, stream, window).with_source_time(now))
    }

    async fn fetch(
        &self,
        _cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        let info = self.info.entity(entity);
        let Some((info, limit)) = info.and_then(|info| Some((info, info.fetch_limit?))) else {
            return Err(unsupported(
                "fetch rows: the entity offers none by key",
                "fetch",
            ));
        };
        if u32::try_from(keys.len()).map_or(true, |count| count > limit) {
            return Err(
                Error::new(ErrorKind::Invalid, "fetch rows: more keys than declared")
                    .at("memory", "fetch"),
            );
        }
        let asked = Asked::Fetch {
            entity: entity.clone(),
            keys: keys.to_vec(),
        };
        self.source
            .receive(asked, &self.secret)
            .map_err(|error| error.at("memory", "fetch"))?;
        let found = self.source.read(|state| {
            let row = |key: &RemoteKey| {
                let row = state.rows.get(&(entity.as_str().to_owned(), key.clone()))?;
                Some((key.clone(), row.clone()))
            };
            keys.iter().filter_map(row).collect::<Vec<_>>()
        });
        if let Some((key, row)) = found.iter().find(|(_, row)| row.fault.is_some()) {
            let reason = row.fault.clone().unwrap_or_default();
            return Err(Error::new(
                ErrorKind::Protocol,
                "fetch rows: one of them cannot be read",
            )
            .with_context("key", key.as_str())
            .with_context("reason", reason)
            .at("memory", "fetch"));
        }
        Ok(found
            .into_iter()
            .map(|(key, row)| document(info, key, &row))
            .collect())
    }
}

fn page(entity: &EntityInfo, stream: &StreamInfo, window: Window) -> Page {
    let (bad, good): (Vec<_>, Vec<_>) = window
        .rows
        .into_iter()
        .partition(|(_, row)| row.fault.is_some());
    let good = good.into_iter().map(|(key, mut row)| {
        // A stream without change times shows none.
        row.at = row.at.filter(|_| stream.dated);
        (key, row)
    });
    let items = match stream.yields {
        Yields::Documents => {
            Items::Documents(good.map(|(key, row)| document(entity, key, &row)).collect())
        }
        Yields::Stubs => Items::Stubs(good.map(|(key, row)| stub(entity, key, &row)).collect()),
    };
    let next = match window.cursor {
        Some(cursor) => Next::Page(cursor),
        None if stream.cursor == CursorKind::Token => Next::End {
            token: Some(window.revision.to_string()),
        },
        None => Next::End { token: None },
    };
    let issues = bad
        .into_iter()
        .map(|(key, row)| issue(entity, key, row))
        .collect();
    Page::new(items, next)
        .with_issues(issues)
        .with_total(u64::try_from(window.total).ok())
}

fn unsupported(message: &'static str, operation: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message).at("memory", operation)
}

fn changed_at(entity: &EntityInfo, row: &Row) -> Option<ChangeTime> {
    let at = shown(entity, row.at?);
    Some(ChangeTime {
        at,
        text: at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    })
}

fn document(entity: &EntityInfo, key: RemoteKey, row: &Row) -> Document {
    Document::new(entity.name.clone(), key, raw(row))
        .with_version(Some(row.version.to_string()))
        .with_changed_at(changed_at(entity, row))
        .with_deleted(row.deleted)
}

fn raw(row: &Row) -> Box<RawValue> {
    to_raw_value(&row.body).expect("a JSON value can always be written")
}

fn stub(entity: &EntityInfo, key: RemoteKey, row: &Row) -> Stub {
    Stub::new(key)
        .with_version(Some(row.version.to_string()))
        .with_changed_at(changed_at(entity, row))
        .with_deleted(row.deleted)
}

fn issue(entity: &EntityInfo, key: RemoteKey, row: Row) -> RowIssue {
    let place = format!("{} {}", entity.name, key);
    RowIssue::new(Some(key), place, row.fault.unwrap_or_default())
}
