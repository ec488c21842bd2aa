//! What a client hands back to read on. Opaque to it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wrenchtime_model::{ConnectionId, Resource, Timestamp};
use wrenchtime_service::storage::{ListOrder, QuarantinePosition, RecordFilter};

use crate::problem::Problem;

/// Where a list goes on. Carries the whole query, so that a page can only continue the list that it came from, and
/// the instant of the first page's snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListCursor {
    #[serde(rename = "c")]
    pub(crate) connection: ConnectionId,
    #[serde(rename = "r")]
    pub(crate) resource: Resource,
    #[serde(rename = "f")]
    pub(crate) filter: RecordFilter,
    #[serde(rename = "d")]
    pub(crate) include_deleted: bool,
    #[serde(rename = "o")]
    pub(crate) order: ListOrder,
    #[serde(rename = "m")]
    pub(crate) next_modified_after: Timestamp,
}

/// Where the list of connections, runs or deliveries goes on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdCursor<T> {
    #[serde(rename = "a")]
    pub(crate) after: T,
}

/// Where the list of what is in quarantine goes on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantineCursor {
    #[serde(rename = "c")]
    pub(crate) connection: ConnectionId,
    #[serde(rename = "a")]
    pub(crate) after: QuarantinePosition,
}

/// Writes a cursor.
pub(crate) fn write<T: Serialize>(cursor: &T) -> Result<String, Problem> {
    let text = serde_json::to_vec(cursor).map_err(|error| Problem::internal(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

/// Reads a cursor that this service wrote.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| Problem::parameter("cursor", "must be the `next` of an earlier reply"))
}

/// A position in a connection's feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FeedCursor {
    pub(crate) epoch: Uuid,
    pub(crate) sequence: u64,
}

impl FeedCursor {
    pub(crate) fn text(self) -> String {
        format!("{}-{}", self.epoch.simple(), self.sequence)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        text.split_once('-')
            .and_then(|(epoch, sequence)| {
                Some(Self {
                    epoch: Uuid::try_parse(epoch).ok()?,
                    sequence: sequence.parse().ok()?,
                })
            })
            .filter(|cursor| i64::try_from(cursor.sequence).is_ok())
            .ok_or_else(|| Problem::parameter("after", "must be the `next` of an earlier reply"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_cursor_survives_the_trip() {
        let cursor = ListCursor {
            connection: ConnectionId::new(),
            resource: Resource::Part,
            filter: RecordFilter::default(),
            include_deleted: true,
            order: ListOrder::Sequence(Some(7)),
            next_modified_after: Timestamp::from_micros(1).unwrap(),
        };
        let text = write(&cursor).unwrap();
        assert_eq!(read::<ListCursor>(&text).unwrap(), cursor);
        assert!(
            text.len() < 250,
            "what is not asked for takes no room: {text}"
        );
        let mut filter = RecordFilter::default();
        filter.due.before = Timestamp::from_micros(2);
        filter.status = vec!["open".to_owned()];
        let filtered = ListCursor { filter, ..cursor };
        let text = write(&filtered).unwrap();
        assert_eq!(read::<ListCursor>(&text).unwrap(), filtered);
        for wrong in ["", "x", "e30", "AAAA"] {
            read::<ListCursor>(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_feed_cursor_survives_the_trip() {
        let cursor = FeedCursor {
            epoch: Uuid::from_u128(7),
            sequence: 42,
        };
        assert_eq!(FeedCursor::parse(&cursor.text()).unwrap(), cursor);
        for wrong in [
            "",
            "42",
            "x-42",
            "00000000000000000000000000000007-18446744073709551615",
        ] {
            FeedCursor::parse(wrong).unwrap_err();
        }
    }
}
