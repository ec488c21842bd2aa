//! One page of an entity's snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wrenchtime_connector::{
    Bound, Cursor, Document, EntityName, Items, Next, Page, PageRequest, RowIssue,
};

use crate::body::{Body, Unknown};
use crate::fault::Fault;
use crate::profile::EntityKind;
use crate::rows::Place;
use crate::snapshot::{Snapshot, Survey, raw};
use crate::table::Reading;

/// How many rows a page has at most.
pub(crate) const PAGE_LIMIT: u32 = 1000;

/// A page ends behind the row with which its documents have this many bytes.
const PAGE_BYTES: usize = 8 << 20;

/// Where a page ended. Lives as long as its pass: a stream without an order stores no place, and after a restart the
/// pass begins anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    token: String,
    offset: u64,
    line: u64,
}

/// A page, and the snapshot for the next one.
pub(crate) struct Read {
    pub(crate) page: Page,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

/// Reads a page. The kept snapshot is of an earlier page of perhaps the same pass.
pub(crate) fn read(
    kind: EntityKind,
    survey: &Survey<'_>,
    request: &PageRequest,
    kept: Option<Arc<Snapshot>>,
) -> Result<Read, Fault> {
    survey.gate.pass()?;
    let Some(cursor) = &request.cursor else {
        let found = survey.find()?;
        if matches!(&request.from, Some(Bound::Token(token)) if *token == found.token) {
            let page = Page::new(Items::Documents(Vec::new()), Next::Unchanged);
            return Ok(Read {
                page,
                snapshot: None,
            });
        }
        let snapshot = Arc::new(survey.begin(found)?);
        let mut read = rows(kind, survey, request, (Arc::clone(&snapshot), None))?;
        read.page.issues.extend(snapshot.issues.iter().cloned());
        return Ok(read);
    };
    let stop: Stop = serde_json::from_str(cursor.as_str()).map_err(|_| Fault::Cursor)?;
    let snapshot = match kept.filter(|snapshot| snapshot.token == stop.token) {
        Some(snapshot) => snapshot,
        None => {
            let found = survey.find()?;
            if found.token != stop.token {
                return Err(Fault::Changed);
            }
            Arc::new(survey.read(found)?)
        }
    };
    rows(kind, survey, request, (snapshot, Some(stop)))
}

fn rows(
    kind: EntityKind,
    survey: &Survey<'_>,
    request: &PageRequest,
    (snapshot, stop): (Arc<Snapshot>, Option<Stop>),
) -> Result<Read, Fault> {
    let entity = survey.entity;
    let dialect = survey.profile.dialect;
    let mut reading = Reading::new(survey.file(&snapshot)?, &entity.table, dialect)?;
    if let Some(stop) = stop {
        reading = reading.go_to(
            Place {
                offset: stop.offset,
                line: stop.line,
            },
            dialect,
        )?;
    }
    let limit = request.limit.unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    let (mut documents, mut issues, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut ended = false;
    for _ in 0..limit {
        if bytes >= PAGE_BYTES {
            break;
        }
        if !reading.advance()? {
            ended = true;
            break;
        }
        match document(kind, survey, &reading, &snapshot) {
            Ok(document) => {
                bytes += document.body.get().len();
                documents.push(document);
            }
            Err(issue) => issues.push(*issue),
        }
    }
    ended = ended || reading.at_end()?;
    let next = if ended {
        survey.unchanged(&snapshot)?;
        Next::End {
            token: Some(snapshot.token.clone()),
        }
    } else {
        survey.unmoved(&snapshot)?;
        Next::Page(stopped(&snapshot.token, reading.place())?)
    };
    let page = Page::new(Items::Documents(documents), next)
        .with_issues(issues)
        .with_total(Some(snapshot.total));
    Ok(Read {
        page,
        snapshot: (!ended).then_some(snapshot),
    })
}

fn document(
    kind: EntityKind,
    survey: &Survey<'_>,
    reading: &Reading<'_>,
    snapshot: &Snapshot,
) -> Result<Document, Box<RowIssue>> {
    let entity = survey.entity;
    let issue = |key, flaw| Box::new(reading.issue(key, &flaw));
    let cells = match reading.cells() {
        Ok(cells) => cells,
        // A row counts as seen only by a key that is certainly its own.
        Err(flaw) => return Err(issue(reading.sure_key(&entity.key, &flaw), flaw)),
    };
    let key = reading.key(&entity.key).map_err(|flaw| issue(None, flaw))?;
    if let Some(first) = snapshot
        .duplicates
        .get(&key)
        .filter(|first| **first != reading.line())
    {
        return Err(Box::new(reading.duplicate(key, &entity.key, *first)));
    }
    let body = match Body::of(entity, &cells, snapshot, &survey.profile.formats) {
        Ok(body) => body,
        // A document without the reference would say that there is none.
        Err(Unknown { lookup, reason }) => {
            return Err(Box::new(reading.unusable(key, &lookup.own, reason)));
        }
    };
    Ok(Document::new(
        EntityName::from_static(kind.name()),
        key,
        raw(&body),
    ))
}

fn stopped(token: &str, place: Place) -> Result<Cursor, Fault> {
    let Place { offset, line } = place;
    let stop = Stop {
        token: token.to_owned(),
        offset,
        line,
    };
    serde_json::to_string(&stop)
        .ok()
        .and_then(Cursor::from_text)
        .ok_or(Fault::Cursor)
}
