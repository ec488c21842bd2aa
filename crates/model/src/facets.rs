//! The few values of a record's content by which lists are filtered.

use chrono::NaiveDate;

use crate::{RecordId, Timestamp};

/// What a store keeps in columns of its own, beside the content, so that lists can be filtered by it.
///
/// Absent where the resource has no such field or the record no value.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Facets {
    /// The unified status.
    pub status: Option<String>,
    /// The asset that the record is about.
    pub asset_id: Option<RecordId>,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
    /// The day on which it was ordered, without zone.
    pub order_date: Option<NaiveDate>,
    /// The day on which it is to arrive, without zone.
    pub delivery_date: Option<NaiveDate>,
}
