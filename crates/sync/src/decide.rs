//! What every store decides alike. Pure, so that two stores cannot come to differ.

use wrenchtime_model::{RecordChange, Resource};

/// What is stored of a record, as far as it decides what becomes of an incoming one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredRecord {
    /// Hash of its content alone.
    pub content_hash: [u8; 32],
    /// Its resource.
    pub resource: Resource,
    /// It is gone.
    pub deleted: bool,
}

/// What becomes of a record that a document makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was never there, or was gone.
    Create,
    /// Its content is another.
    Change,
    /// It is another resource now: gone in the stored one, new in the incoming one.
    Move,
    /// It is as stored. Only the source's times are written.
    Keep,
}

/// Returns what becomes of a record.
pub fn verdict(
    stored: Option<&StoredRecord>,
    content_hash: &[u8; 32],
    resource: Resource,
) -> Verdict {
    match stored {
        None => Verdict::Create,
        Some(stored) if stored.deleted => Verdict::Create,
        Some(stored) if stored.resource != resource => Verdict::Move,
        Some(stored) if stored.content_hash != *content_hash => Verdict::Change,
        Some(_) => Verdict::Keep,
    }
}

impl Verdict {
    /// Returns the events that tell of it, in order. Each takes a tick of the connection's clock; the last one's is
    /// the record's.
    pub fn events(
        self,
        stored: Option<Resource>,
        incoming: Resource,
    ) -> Vec<(RecordChange, Resource)> {
        match self {
            Self::Keep => Vec::new(),
            Self::Create => vec![(RecordChange::Created, incoming)],
            Self::Change => vec![(RecordChange::Updated, incoming)],
            Self::Move => stored
                .map(|resource| (RecordChange::Deleted, resource))
                .into_iter()
                .chain([(RecordChange::Created, incoming)])
                .collect(),
        }
    }
}

/// Tells whether something read must be left out because a later observation of the row is stored.
///
/// Equal numbers are the same request, whose page is being written again.
pub fn is_stale(stored_observation: i64, observation: i64) -> bool {
    observation < stored_observation
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Resource = Resource::Asset;

    fn stored(deleted: bool) -> StoredRecord {
        StoredRecord {
            content_hash: [1; 32],
            resource: ASSET,
            deleted,
        }
    }

    #[track_caller]
    fn check(stored: Option<StoredRecord>, hash: u8, resource: Resource, expected: Verdict) {
        assert_eq!(verdict(stored.as_ref(), &[hash; 32], resource), expected);
    }

    #[test]
    fn a_record_is_created_changed_moved_or_kept() {
        check(None, 1, ASSET, Verdict::Create);
        check(Some(stored(false)), 1, ASSET, Verdict::Keep);
        check(Some(stored(false)), 2, ASSET, Verdict::Change);
        check(Some(stored(false)), 1, Resource::Location, Verdict::Move);
        check(Some(stored(true)), 1, ASSET, Verdict::Create);
        check(Some(stored(true)), 2, Resource::Location, Verdict::Create);
    }

    #[test]
    fn a_move_is_told_as_a_removal_and_a_creation() {
        let events = Verdict::Move.events(Some(ASSET), Resource::Location);
        assert_eq!(
            events,
            [
                (RecordChange::Deleted, ASSET),
                (RecordChange::Created, Resource::Location)
            ]
        );
    }
}
