//! Reading records, the change feed, and what is in quarantine.

use wrenchtime_connector::{EntityInfo, EntityName, StreamName};
use wrenchtime_model::ConnectionId;

use crate::storage::{
    ChangesPage, ChangesQuery, GetQuery, ListPage, ListQuery, QuarantinePage, QuarantinePosition,
    QuarantineQuery, RowFault, StoredConnection, StoredRecord, SyncSnapshot,
};
use crate::{Result, Service};

/// No place or reason is shown longer than this, in characters.
const LONGEST_REASON: usize = 300;

impl Service {
    /// Returns a page of a list, from one snapshot.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage> {
        Ok(self.core.records.list(query).await?)
    }

    /// Returns a record, also one that is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record(&self, query: &GetQuery) -> Result<Option<StoredRecord>> {
        Ok(self.core.records.get(query).await?)
    }

    /// Returns a stretch of a connection's event log, from one snapshot.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn changes(&self, query: &ChangesQuery) -> Result<ChangesPage> {
        Ok(self.core.records.changes(query).await?)
    }

    /// Returns how far a connection's copy is.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn snapshot(&self, connection: ConnectionId) -> Result<SyncSnapshot> {
        Ok(self.core.records.sync_snapshot(connection).await?)
    }

    /// Returns a page of the rows that cannot be read or mapped now, each with a reason of at most 300 characters.
    /// Answers in every state.
    ///
    /// # Errors
    /// [`Error::NoConnection`](crate::Error::NoConnection), or when the store fails.
    pub async fn quarantine(
        &self,
        connection: &StoredConnection,
        after: Option<QuarantinePosition>,
        limit: u32,
    ) -> Result<QuarantinePage> {
        // Of a system that is not here any more nobody knows what settles a row: all stay listed.
        let factory = self.core.systems.get(&connection.system);
        let entities = factory.map_or(&[][..], |factory| &factory.info().entities);
        let query = QuarantineQuery {
            connection: connection.id,
            listings: entities.iter().filter_map(listing).collect(),
            after,
            limit,
        };
        let mut page = self.core.records.quarantine(&query).await?;
        for row in &mut page.rows {
            shorten(&mut row.reason);
            if let RowFault::Unreadable { place, .. } = &mut row.fault {
                shorten(place);
            }
        }
        Ok(page)
    }
}

fn listing(entity: &EntityInfo) -> Option<(EntityName, StreamName)> {
    let stream = entity.listing()?;
    Some((entity.name.clone(), stream.name.clone()))
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_REASON) {
        text.truncate(end);
        text.pop();
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut text = text.to_owned();
        shorten(&mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        check("no name", "no name");
        check(&"é".repeat(300), &"é".repeat(300));
        check(&"é".repeat(301), &format!("{}…", "é".repeat(299)));
    }
}
