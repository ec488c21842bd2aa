//! What a source says, verbatim.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::EntityName;

/// The source's own key of a row, as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteKey(String);

impl RemoteKey {
    /// Takes over a key exactly as the source writes it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Returns the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a source orders its keys, so that a store can keep them in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrder {
    /// As whole numbers from 0.
    Numeric,
    /// By Unicode scalar values.
    Text,
}

/// A key in a form whose byte order is the source's order. One key has one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SortKey(String);

impl SortKey {
    /// Takes back what a store kept.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text to store and compare.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyOrder {
    /// Returns the sortable form of a key.
    ///
    /// Numbers get their length in front, two digits, so that `9` sorts before `10` and differing spellings stay
    /// apart. What is no number sorts behind all numbers, as text.
    pub fn sort_key(self, key: &RemoteKey) -> SortKey {
        let text = key.as_str();
        let is_number =
            !text.is_empty() && text.len() < 90 && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Text => SortKey(text.to_owned()),
            Self::Numeric if is_number => SortKey(format!("{:02}{text}", text.len())),
            Self::Numeric => SortKey(format!("~{text}")),
        }
    }
}

/// When the source says that a row changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeTime {
    /// The instant, for comparing.
    pub at: DateTime<Utc>,
    /// The source's text of it, kept for asking again.
    pub text: String,
}

/// One row of a source with the child rows that the connector joined.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Document {
    /// Which of the connector's entities it is.
    pub entity: EntityName,
    /// The row's key.
    pub key: RemoteKey,
    /// The source's version of it. Compared for inequality only.
    pub version: Option<String>,
    /// When the source says that it changed.
    pub changed_at: Option<ChangeTime>,
    /// The source marks it as deleted.
    pub deleted: bool,
    /// The row, as the source wrote it.
    pub body: Box<RawValue>,
}

impl Document {
    /// Makes a document that is not deleted and tells neither version nor change time.
    pub fn new(entity: EntityName, key: RemoteKey, body: Box<RawValue>) -> Self {
        Self {
            entity,
            key,
            version: None,
            changed_at: None,
            deleted: false,
            body,
        }
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }

    /// Sets the change time.
    #[must_use]
    pub fn with_changed_at(mut self, changed_at: Option<ChangeTime>) -> Self {
        self.changed_at = changed_at;
        self
    }

    /// Sets the mark of deletion.
    #[must_use]
    pub fn with_deleted(mut self, deleted: bool) -> Self {
        self.deleted = deleted;
        self
    }

    /// Returns the hash that decides whether the row is another than the stored one: body and mark of deletion,
    /// not version and change time, which some sources move without reason.
    pub fn hash(&self) -> [u8; 32] {
        let mark = if self.deleted { "deleted" } else { "live" };
        content_hash(&[mark, self.body.get()])
    }
}

/// Returns the SHA-256 of some texts, in which the borders between them count.
pub fn content_hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// A row's key and version, from a listing that does not carry the row itself.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stub {
    /// The row's key.
    pub key: RemoteKey,
    /// The source's version. Without one the row is always fetched.
    pub version: Option<String>,
    /// When the source says that it changed; in an action log, when the action was.
    pub changed_at: Option<ChangeTime>,
    /// The source marks it as deleted.
    pub deleted: bool,
}

impl Stub {
    /// Makes a stub that is not deleted and tells neither version nor change time.
    pub fn new(key: RemoteKey) -> Self {
        Self {
            key,
            version: None,
            changed_at: None,
            deleted: false,
        }
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }

    /// Sets the change time.
    #[must_use]
    pub fn with_changed_at(mut self, changed_at: Option<ChangeTime>) -> Self {
        self.changed_at = changed_at;
        self
    }

    /// Sets the mark of deletion.
    #[must_use]
    pub fn with_deleted(mut self, deleted: bool) -> Self {
        self.deleted = deleted;
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_sort_as_numbers(a in any::<u64>(), b in any::<u64>()) {
            let key = |number: u64| KeyOrder::Numeric.sort_key(&RemoteKey::new(number.to_string()));
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn different_keys_have_different_sort_keys(a in ".{0,100}", b in ".{0,100}") {
            let same = KeyOrder::Numeric.sort_key(&RemoteKey::new(a.as_str()))
                == KeyOrder::Numeric.sort_key(&RemoteKey::new(b.as_str()));
            prop_assert_eq!(a == b, same);
        }
    }

    #[test]
    fn borders_between_parts_count() {
        assert_ne!(content_hash(&["ab", "c"]), content_hash(&["a", "bc"]));
    }
}
