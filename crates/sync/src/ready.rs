//! A page that was read, and what can be done with it before its turn comes.

use std::collections::HashSet;

use wrenchtime_connector::{ChangeTime, EntityInfo, Items, Page, RemoteKey, SortKey};

use crate::apply::{Batch, Terms};
use crate::fetch::{Held, Observed};
use crate::task::{Stop, Task};

/// A page that was read.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) read: Observed<Held>,
    pub(crate) seen: Seen,
    /// What of it differs from the copy, where that is known already. The page has no items then.
    pub(crate) batch: Option<Batch>,
}

/// What a page shows, whatever becomes of it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) rows: u64,
    /// A row without a key is among them.
    pub(crate) blind: bool,
    /// How many bear a mark of deletion.
    pub(crate) deleted: u64,
    /// The latest change among them.
    pub(crate) latest: Option<ChangeTime>,
    pub(crate) keys: Vec<SortKey>,
}

impl Ready {
    pub(crate) fn new(read: Observed<Held>, entity: &EntityInfo) -> Self {
        let seen = Seen::of(&read.what.page, entity);
        Self {
            read,
            seen,
            batch: None,
        }
    }

    /// Compares the page's documents with the copy and maps those that differ, while the page before it is written.
    ///
    /// Nothing is done where the two have a row in common: it would be compared with what was stored before.
    pub(crate) async fn map(
        &mut self,
        task: &Task<'_>,
        entity: &EntityInfo,
        (terms, before): (Terms, &HashSet<SortKey>),
    ) -> Result<(), Stop> {
        let Items::Documents(documents) = &mut self.read.what.page.items else {
            return Ok(());
        };
        if self.seen.keys.iter().any(|key| before.contains(key)) {
            return Ok(());
        }
        let observation = self.read.observation;
        let rows = std::mem::take(documents).into_iter();
        let rows = rows.map(|row| (row, observation)).collect();
        self.batch = Some(task.differing(entity, rows, terms).await?);
        Ok(())
    }
}

impl Seen {
    fn of(page: &Page, entity: &EntityInfo) -> Self {
        match &page.items {
            Items::Documents(rows) => {
                let rows = rows.iter();
                let rows = rows.map(|row| (&row.key, row.changed_at.as_ref(), row.deleted));
                Self::of_rows(page, entity, rows)
            }
            Items::Stubs(rows) => {
                let rows = rows.iter();
                let rows = rows.map(|row| (&row.key, row.changed_at.as_ref(), row.deleted));
                Self::of_rows(page, entity, rows)
            }
        }
    }

    /// Looks at rows: their keys, when they changed, and whether they bear a mark of deletion.
    fn of_rows<'r>(
        page: &Page,
        entity: &EntityInfo,
        rows: impl Iterator<Item = (&'r RemoteKey, Option<&'r ChangeTime>, bool)>,
    ) -> Self {
        let mut keys = Vec::new();
        let mut deleted = 0;
        let mut latest: Option<&ChangeTime> = None;
        for (key, changed_at, is_deleted) in rows {
            keys.push(entity.key_order.sort_key(key));
            deleted += u64::from(is_deleted);
            // Of several at the same instant, the first one's text counts.
            if changed_at.is_some_and(|time| latest.is_none_or(|latest| time.at > latest.at)) {
                latest = changed_at;
            }
        }
        let rows = keys.len() + page.issues.len();
        Self {
            rows: u64::try_from(rows).unwrap_or(u64::MAX),
            blind: page.issues.iter().any(|issue| issue.key.is_none()),
            deleted,
            latest: latest.cloned(),
            keys,
        }
    }
}
