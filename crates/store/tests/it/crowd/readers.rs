//! Readers that look for gaps and repeats in what they are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use wrenchtime_model::{ConnectionId, Event, RecordId, Resource, Timestamp};
use wrenchtime_service::storage::{
    ChangesQuery, ListOrder, ListQuery, Range, RecordFilter, StorageError,
};

use crate::fixture::{Parts, Rows, Store, noon};

/// More than any log here has.
const ALL: u32 = 100_000;

/// Returns the whole log.
pub(super) async fn log<S: Store>(store: &S, connection: ConnectionId) -> Vec<Event> {
    let query = ChangesQuery {
        connection,
        after: 0,
        limit: ALL,
        include_records: false,
    };
    let page = store.changes(&query).await.unwrap();
    page.entries.into_iter().map(|(event, _)| event).collect()
}

/// Follows the change feed by its cursor.
#[derive(Debug, Default)]
pub(crate) struct FeedReader {
    after: u64,
    told: Vec<Event>,
    /// Records as they came with the events.
    copy: BTreeMap<RecordId, u64>,
}

impl FeedReader {
    pub(super) async fn follow<S: Store>(
        store: &S,
        id: ConnectionId,
        is_writing: &AtomicBool,
    ) -> Result<(), String> {
        let mut reader = Self::default();
        loop {
            let still = is_writing.load(Ordering::SeqCst);
            let is_at_end = reader.turn(store, id).await?;
            if is_at_end && !still {
                break;
            }
        }
        reader.compare(store, id).await
    }

    /// Reads one stretch. Tells whether it was the last one, or what is wrong with it.
    pub(crate) async fn turn<S: Store>(
        &mut self,
        store: &S,
        id: ConnectionId,
    ) -> Result<bool, String> {
        let query = ChangesQuery {
            connection: id,
            after: self.after,
            limit: 7,
            include_records: true,
        };
        let page = store
            .changes(&query)
            .await
            .map_err(|error| refused(&error))?;
        for (event, record) in page.entries {
            let (sequence, after) = (event.sequence, self.after);
            if sequence <= after {
                return Err(format!("the feed repeats {sequence} behind {after}"));
            }
            if sequence != after + 1 {
                return Err(format!("the feed has a gap: {sequence} behind {after}"));
            }
            self.after = sequence;
            self.told.push(event);
            if let Some(record) = record {
                let envelope = record.envelope();
                self.copy.insert(envelope.id, envelope.sequence);
            }
        }
        if !page.more && page.head != self.after {
            let (head, after) = (page.head, self.after);
            return Err(format!("the feed ends at {after}, its head is {head}"));
        }
        Ok(!page.more)
    }

    /// Compares what was told with all that there is.
    async fn compare<S: Store>(self, store: &S, id: ConnectionId) -> Result<(), String> {
        let all = log(store, id).await;
        if self.told != all {
            let (told, all) = (self.told.len(), all.len());
            return Err(format!("the feed told {told} of {all} events"));
        }
        let mut copy = BTreeMap::new();
        for resource in Resource::ALL {
            let page = store
                .list(&list(id, resource))
                .await
                .map_err(|error| refused(&error))?;
            let rows = page.rows();
            let rows = rows.into_iter().map(|row| row.envelope());
            copy.extend(rows.map(|envelope| (envelope.id, envelope.sequence)));
        }
        if self.copy != copy {
            return Err("the feed's records are not those of the store".to_owned());
        }
        Ok(())
    }
}

/// Of two events with one sequence no place is found in the log: a reader that is told so has noticed.
fn refused(error: &StorageError) -> String {
    format!("what is asked for is refused: {error:?}")
}

fn list(connection: ConnectionId, resource: Resource) -> ListQuery {
    ListQuery {
        connection,
        resource,
        filter: RecordFilter::default(),
        include_deleted: true,
        include_raw: false,
        order: ListOrder::Creation(None),
        limit: ALL,
        complete_when: Vec::new(),
    }
}

/// Follows `modified_after`: lists from its value, page by page, then goes on from the value of the first page.
#[derive(Debug)]
pub(super) struct ListReader {
    from: Timestamp,
    /// Of the list under way: the value to go on from, and the sequence behind which its next page begins.
    chain: Option<(Timestamp, Option<u64>)>,
    copy: BTreeMap<RecordId, (u64, bool)>,
}

impl ListReader {
    pub(super) async fn follow<S: Store>(
        store: &S,
        id: ConnectionId,
        is_writing: &AtomicBool,
    ) -> Result<(), String> {
        let mut reader = Self {
            from: Timestamp::from(noon()),
            chain: None,
            copy: BTreeMap::new(),
        };
        while is_writing.load(Ordering::SeqCst) {
            reader.turn(store, id).await?;
        }
        // What is under way may have begun before the last change.
        while !reader.turn(store, id).await? {}
        while !reader.turn(store, id).await? {}
        reader.compare(store, id).await
    }

    /// Reads one page. Tells whether the list came to its end, or what is wrong with it.
    async fn turn<S: Store>(&mut self, store: &S, id: ConnectionId) -> Result<bool, String> {
        let mut query = list(id, Resource::Asset);
        query.filter.modified = Range {
            from: Some(self.from),
            before: None,
        };
        let mut after = self.chain.and_then(|(_, after)| after);
        query.order = ListOrder::Sequence(after);
        query.limit = 5;
        let page = store.list(&query).await.map_err(|error| refused(&error))?;
        let next = self.chain.map_or(page.head, |(next, _)| next);
        for row in page.rows() {
            let envelope = row.envelope();
            let (record, sequence) = (envelope.id, envelope.sequence);
            if after.is_some_and(|after| sequence <= after) {
                return Err(format!("a list tells {sequence} behind {after:?}"));
            }
            after = Some(sequence);
            let seen = (sequence, envelope.deleted);
            let before = self.copy.insert(record, seen);
            if before.is_some_and(|(before, _)| before > sequence) {
                return Err(format!("a record went back to {sequence} from {before:?}"));
            }
        }
        self.chain = page.next.is_some().then_some((next, after));
        if page.next.is_none() {
            self.from = next;
        }
        Ok(page.next.is_none())
    }

    async fn compare<S: Store>(self, store: &S, id: ConnectionId) -> Result<(), String> {
        let page = store
            .list(&list(id, Resource::Asset))
            .await
            .map_err(|error| refused(&error))?;
        let rows = page.rows();
        let rows = rows.into_iter().map(|row| row.envelope());
        let truth = rows
            .map(|envelope| (envelope.id, (envelope.sequence, envelope.deleted)))
            .collect::<BTreeMap<_, _>>();
        if self.copy == truth {
            return Ok(());
        }
        let missed = truth
            .iter()
            .filter(|(id, seen)| self.copy.get(id) != Some(seen))
            .count();
        Err(format!("lists missed {missed} of {} records", truth.len()))
    }
}
