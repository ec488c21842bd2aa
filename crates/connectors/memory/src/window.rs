//! Which rows stand on a page.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use wrenchtime_connector::{
    Bound, Cursor, CursorKind, Deletes, EntityInfo, Error, ErrorKind, PageRequest, Precision,
    RemoteKey, Result, Role, StreamInfo,
};

use crate::source::{Row, State};

/// A row's place in a stream: time or nothing, then key or arrival.
type Place = (String, String);

/// The rows of one page, in the stream's order.
pub(crate) struct Window {
    pub(crate) rows: Vec<(RemoteKey, Row)>,
    /// Nothing where the pass ends.
    pub(crate) cursor: Option<Cursor>,
    /// The source's revision when the pass began.
    pub(crate) revision: u64,
    /// How many rows the pass has.
    pub(crate) total: usize,
}

impl Window {
    pub(crate) fn of(
        state: &State,
        entity: &EntityInfo,
        stream: &StreamInfo,
        request: &PageRequest,
    ) -> Result<Self> {
        let (revision, after) = match &request.cursor {
            Some(cursor) => parse_cursor(cursor)?,
            None => (state.revision, (String::new(), String::new())),
        };
        let mut all: Vec<(Place, &RemoteKey, &Row)> = state
            .rows
            .iter()
            .filter(|((of, _), row)| of == entity.name.as_str() && shows(stream, request, row))
            .map(|((_, key), row)| (place(entity, stream, key, row), key, row))
            .collect();
        let total = all.len();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.retain(|(place, ..)| *place > after);
        let limit = request
            .limit
            .map_or(stream.page_limit, |limit| limit.min(stream.page_limit))
            .max(1);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let cursor = match all.get(limit - 1) {
            Some((last, ..)) if all.len() > limit => cursor(revision, last),
            _ => None,
        };
        all.truncate(limit);
        let rows = all
            .into_iter()
            .map(|(_, key, row)| (key.clone(), row.clone()))
            .collect();
        Ok(Self {
            rows,
            cursor,
            revision,
            total,
        })
    }
}

/// Returns the change time as this entity's source shows it.
pub(crate) fn shown(entity: &EntityInfo, at: DateTime<Utc>) -> DateTime<Utc> {
    let precision = entity
        .streams
        .iter()
        .find_map(precision_of)
        .unwrap_or(Precision::Millisecond);
    cut(at, precision)
}

fn precision_of(stream: &StreamInfo) -> Option<Precision> {
    match stream.cursor {
        CursorKind::Time { precision, .. } => Some(precision),
        _ => None,
    }
}

fn cut(at: DateTime<Utc>, precision: Precision) -> DateTime<Utc> {
    TimeDelta::from_std(precision.step())
        .ok()
        .and_then(|step| at.duration_trunc(step).ok())
        .unwrap_or(at)
}

fn shows(stream: &StreamInfo, request: &PageRequest, row: &Row) -> bool {
    if row.deleted && matches!(stream.deletes, Deletes::Never | Deletes::Absent) {
        return false;
    }
    if stream.role == Role::Listing {
        return true;
    }
    let Some(at) = row.at else { return false };
    let precision = precision_of(stream).unwrap_or(Precision::Millisecond);
    match &request.from {
        // The bound is cut too: a row that shows 10:00:00 may have changed at 10:00:00.7.
        Some(Bound::Time { at: from, .. }) => cut(at, precision) >= cut(*from, precision),
        Some(Bound::Token(_)) | None => true,
    }
}

fn place(entity: &EntityInfo, stream: &StreamInfo, key: &RemoteKey, row: &Row) -> Place {
    if !stream.sorted {
        return (String::new(), format!("{:020}", row.arrival));
    }
    let key = format!("k{}", entity.key_order.sort_key(key).as_str());
    match (stream.role, row.at, precision_of(stream)) {
        (Role::Changes, Some(at), Some(precision)) => {
            // Moved up, so that the years before 1970 sort before those after.
            let micros = i128::from(cut(at, precision).timestamp_micros()) - i128::from(i64::MIN);
            (format!("{micros:020}"), key)
        }
        _ => (String::new(), key),
    }
}

fn cursor(revision: u64, (time, rest): &Place) -> Option<Cursor> {
    Cursor::from_text(serde_json::json!([revision, time, rest]).to_string())
}

fn parse_cursor(cursor: &Cursor) -> Result<(u64, Place)> {
    let (revision, time, rest) = serde_json::from_str::<(u64, String, String)>(cursor.as_str())
        .map_err(|error| {
            Error::new(
                ErrorKind::Invalid,
                "read a page: the cursor is not one of this source",
            )
            .with_source(error)
        })?;
    Ok((revision, (time, rest)))
}
