//! The source's JSON, as it is.

use serde::Deserialize;
use serde_json::value::RawValue;
use wrenchtime_connector::{Error, ErrorKind, RemoteKey, Result, Stub};

use super::times::Times;

/// A list, or an error in its place.
#[derive(Deserialize)]
pub(super) struct Listing {
    pub(super) items: Option<Vec<Box<RawValue>>>,
    pub(super) next: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) revision: Option<String>,
    pub(super) error: Option<String>,
}

/// A row, or what a listing of versions shows of it.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) changed: Option<String>,
    pub(super) removed: bool,
    pub(super) raw: Box<RawValue>,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    version: String,
    changed: Option<String>,
    #[serde(default)]
    removed: bool,
}

impl Listing {
    pub(super) fn rows(&self) -> Result<Vec<Row>> {
        let strange = |message| Error::new(ErrorKind::Protocol, message);
        let items = self.items.as_ref();
        let items = items.ok_or_else(|| strange("read a list: the reply has none"))?;
        items
            .iter()
            .map(|item| {
                let head: Head = serde_json::from_str(item.get())
                    .map_err(|_| strange("read a list: a row is of another shape"))?;
                Ok(Row {
                    id: head.id,
                    version: head.version,
                    changed: head.changed,
                    removed: head.removed,
                    raw: item.clone(),
                })
            })
            .collect()
    }
}

pub(super) fn stub(row: Row, times: &Times) -> Stub {
    Stub::new(RemoteKey::new(row.id))
        .with_version(Some(row.version))
        .with_changed_at(row.changed.and_then(|text| times.read(text)))
        .with_deleted(row.removed)
}
