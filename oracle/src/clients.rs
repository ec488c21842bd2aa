//! Applications that keep a copy of their own by what the service offers: `modified_after`, and `changes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wrenchtime_model::{
    ConnectionId, EventBody, Record, RecordChange, RecordId, Resource, Timestamp,
};
use wrenchtime_service::storage::{
    ChangesQuery, ListOrder, ListQuery, Range, RecordFilter, RecordReader,
};

/// How many rows a client reads at a time: few, so that others write in between.
const PAGE: u32 = 3;

/// All clients of a connection.
#[derive(Debug)]
pub(crate) struct Clients {
    reader: Arc<dyn RecordReader>,
    connection: ConnectionId,
    followers: Vec<Follower>,
    pub(crate) feed: Feed,
}

/// What a client knows: of each live record its resource and content.
pub(crate) type Known = BTreeMap<RecordId, (Resource, Value)>;

/// Lists what was modified since the value that the last list came with.
#[derive(Debug)]
struct Follower {
    resource: Resource,
    since: Option<Timestamp>,
    walk: Option<Walk>,
    known: Known,
    walks: u32,
}

/// A list under way.
#[derive(Debug)]
struct Walk {
    /// What the first page said to pass next time.
    next: Timestamp,
    last: (u64, Timestamp),
}

/// Follows the log.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    after: u64,
    last: Option<Timestamp>,
    pub(crate) known: Known,
    /// Who is there by the entries alone.
    alive: BTreeMap<RecordId, Resource>,
    /// How many entries each record has.
    pub(crate) entries: BTreeMap<RecordId, u32>,
}

impl Clients {
    pub(crate) fn new(reader: Arc<dyn RecordReader>, connection: ConnectionId) -> Self {
        let follower = |resource| Follower {
            resource,
            since: None,
            walk: None,
            known: Known::new(),
            walks: 0,
        };
        Self {
            reader,
            connection,
            followers: [Resource::WorkOrder, Resource::Asset].map(follower).into(),
            feed: Feed::default(),
        }
    }

    /// Goes on with a store that was opened again.
    pub(crate) fn turn_to(&mut self, reader: Arc<dyn RecordReader>) {
        self.reader = reader;
    }

    /// Lets each client read a page.
    pub(crate) async fn step(&mut self) -> Result<(), String> {
        for follower in &mut self.followers {
            follower.step(&*self.reader, self.connection).await?;
        }
        self.feed.step(&*self.reader, self.connection).await?;
        Ok(())
    }

    /// Lets each client read until there is nothing new.
    pub(crate) async fn drain(&mut self) -> Result<(), String> {
        for follower in &mut self.followers {
            // The list under way, and one more.
            let until = follower.walks + 2;
            while follower.walks < until {
                follower.step(&*self.reader, self.connection).await?;
            }
        }
        while self.feed.step(&*self.reader, self.connection).await? {}
        Ok(())
    }

    /// Returns what a client knows that starts now, reading everything once.
    pub(crate) async fn fresh(&self) -> Result<Known, String> {
        let mut other = Self::new(Arc::clone(&self.reader), self.connection);
        other.drain().await?;
        let known = other
            .followers
            .into_iter()
            .flat_map(|follower| follower.known);
        Ok(known.collect())
    }

    /// Returns how many entries the log has of each record.
    pub(crate) async fn entries(&self) -> Result<BTreeMap<RecordId, u32>, String> {
        let mut feed = Feed::default();
        while feed.step(&*self.reader, self.connection).await? {}
        Ok(feed.entries)
    }

    /// Returns what those know who follow `modified_after`.
    pub(crate) fn followed(&self) -> Known {
        let followers = self.followers.iter();
        followers
            .flat_map(|follower| follower.known.clone())
            .collect()
    }
}

impl Follower {
    async fn step(
        &mut self,
        reader: &dyn RecordReader,
        connection: ConnectionId,
    ) -> Result<(), String> {
        let after = self.walk.as_ref().map(|walk| walk.last.0);
        let query = ListQuery {
            connection,
            resource: self.resource,
            filter: RecordFilter {
                modified: Range {
                    from: self.since,
                    before: None,
                },
                ..RecordFilter::default()
            },
            include_deleted: true,
            include_raw: false,
            order: ListOrder::Sequence(after),
            limit: PAGE,
            complete_when: Vec::new(),
        };
        let page = reader
            .list(&query)
            .await
            .map_err(|error| error.to_string())?;
        let walk = self.walk.get_or_insert(Walk {
            next: page.head,
            last: (0, Timestamp::from(chrono::DateTime::<chrono::Utc>::MIN_UTC)),
        });
        for text in page.records.iter() {
            let record = read(text)?;
            let place = (record.envelope.sequence, record.envelope.modified_at);
            if place.0 <= walk.last.0 || place.1 <= walk.last.1 {
                return Err(format!(
                    "a list by sequence leads from {:?} to {place:?}",
                    walk.last
                ));
            }
            walk.last = place;
            keep(&mut self.known, self.resource, record);
        }
        if page.next.is_none() {
            self.since = Some(walk.next);
            self.walk = None;
            self.walks += 1;
        }
        Ok(())
    }
}

impl Feed {
    /// Reads a page of the log. Tells whether there is more.
    async fn step(
        &mut self,
        reader: &dyn RecordReader,
        connection: ConnectionId,
    ) -> Result<bool, String> {
        let query = ChangesQuery {
            connection,
            after: self.after,
            limit: PAGE,
            include_records: true,
        };
        let page = reader
            .changes(&query)
            .await
            .map_err(|error| error.to_string())?;
        for (event, record) in page.entries {
            if event.sequence <= self.after || self.last.is_some_and(|last| event.time <= last) {
                return Err(format!(
                    "the log leads from {} at {:?} to {} at {:?}",
                    self.after, self.last, event.sequence, event.time
                ));
            }
            self.after = event.sequence;
            self.last = Some(event.time);
            if let EventBody::Record {
                change,
                resource,
                record_id,
                ..
            } = event.body
            {
                self.replay(change, resource, record_id)?;
                match record {
                    Some(record) => keep(&mut self.known, resource, read(&record.text)?),
                    None => return Err(format!("the log tells of {record_id}, which is not kept")),
                }
            }
        }
        Ok(page.more)
    }

    fn replay(
        &mut self,
        change: RecordChange,
        resource: Resource,
        id: RecordId,
    ) -> Result<(), String> {
        *self.entries.entry(id).or_default() += 1;
        let before = match change {
            RecordChange::Created => self.alive.insert(id, resource),
            RecordChange::Updated => self.alive.get(&id).copied(),
            RecordChange::Deleted => self.alive.remove(&id),
        };
        let expected = (change != RecordChange::Created).then_some(resource);
        if before == expected {
            return Ok(());
        }
        Err(format!(
            "the log says {change:?} of {id} as {resource:?}, which was {before:?}"
        ))
    }

    /// Returns the records that are there by the log's entries alone.
    pub(crate) fn alive(&self) -> &BTreeMap<RecordId, Resource> {
        &self.alive
    }
}

fn read(text: &str) -> Result<Record<Value>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn keep(known: &mut Known, resource: Resource, record: Record<Value>) {
    let id = record.envelope.id;
    if record.envelope.deleted {
        known.remove(&id);
    } else {
        known.insert(id, (resource, record.content));
    }
}
