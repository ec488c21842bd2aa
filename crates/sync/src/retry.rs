//! Trying again what is in quarantine, at the beginning of a run.

use wrenchtime_connector::{EntityInfo, EntityName, Error, RemoteKey, SortKey};

use crate::apply::Terms;
use crate::flight;
use crate::joins;
use crate::ledger::Tally;
use crate::task::{Content, Stop, Task};
use crate::{StoredDocument, UnmappedQuery};

/// How many stored documents are mapped in one go.
const BATCH: u32 = 500;

/// Tells whether a row that could not be read can be asked for by itself; otherwise the next pass that shows it reads it.
///
/// Rows that others are joined into are not: only behind these it is known whether to believe them.
pub fn rereads(entity: &EntityInfo) -> bool {
    entity.fetch_limit.is_some() && joins::joined(entity).next().is_none()
}

impl Task<'_> {
    /// Maps and reads again what is in quarantine and worth it.
    pub(crate) async fn retry(&self) -> Result<(), Stop> {
        self.map_quarantined().await?;
        self.read_quarantined().await
    }

    /// Maps documents again that another version of the mapper could not map. This version would fail again.
    async fn map_quarantined(&self) -> Result<(), Stop> {
        let query = UnmappedQuery {
            entities: self.asked().map(|entity| entity.name.clone()).collect(),
            not_by: self.request.mapper.version().to_owned(),
            limit: BATCH,
        };
        let mut first: Option<(EntityName, SortKey)> = None;
        loop {
            let mut admission = self.admit(flight::unseen_rows(BATCH as usize)).await?;
            let storage = &self.engine.storage;
            let query = query.clone();
            let rows = storage.unmapped(self.request.connection, query).await?;
            let place = rows
                .first()
                .map(|row| (row.document.entity.clone(), row.sort_key.clone()));
            // What was written is not among them any more. A store that shows it all the same is not asked for ever.
            if place.is_none() || place == first {
                return Ok(());
            }
            first = place;
            admission.load.set(flight::of_stored(&rows));
            for rows in rows.chunk_by(|a, b| a.document.entity == b.document.entity) {
                match self.map_rows(rows).await {
                    // A mapping that breaks down stops neither the other entities nor the streams.
                    Err(Stop::Fault(error)) => {
                        self.stay_quarantined(rows, &error).await;
                    }
                    done => done?,
                }
            }
            drop(admission);
        }
    }

    async fn map_rows(&self, rows: &[StoredDocument]) -> Result<(), Stop> {
        let of = |entity: &&EntityInfo| {
            rows.first()
                .is_some_and(|row| row.document.entity == entity.name)
        };
        let Some(entity) = self.asked().find(of) else {
            return Ok(());
        };
        let batch = self.map_again(entity, rows.to_vec()).await?;
        let mut content = Content::new(batch.tally);
        content.documents = batch.writes;
        self.commit_beside(entity, content).await
    }

    /// Reads rows again that somebody wants to be read again.
    async fn read_quarantined(&self) -> Result<(), Stop> {
        let storage = &self.engine.storage;
        let rows = storage.unread(self.request.connection).await?;
        for rows in rows.chunk_by(|(a, _), (b, _)| a == b) {
            let of =
                |entity: &&EntityInfo| rows.first().is_some_and(|(name, _)| *name == entity.name);
            let Some(entity) = self.asked().find(of).filter(|entity| rereads(entity)) else {
                continue;
            };
            let keys: Vec<RemoteKey> = rows.iter().map(|(_, key)| key.clone()).collect();
            match self.read_rows(entity, keys).await {
                // The streams will say what is wrong. The rows stay on the list, and are asked for by the next run.
                Err(Stop::Fault(error)) => {
                    tracing::warn!(entity = %entity.name, error = %error, "rows were not read again");
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn read_rows(&self, entity: &EntityInfo, keys: Vec<RemoteKey>) -> Result<(), Stop> {
        let mut admission = self.admit(flight::unseen_rows(keys.len())).await?;
        let found = self.fetch_some(entity, &keys, &mut admission).await?;
        let mut asked_for = keys;
        if let Some((error, left)) = &found.given_up {
            // What was mended is not kept back by what was not; the next run goes on with the others.
            tracing::warn!(entity = %entity.name, error = %error, left = left.len(), "rows were not read again");
            asked_for.retain(|key| !left.contains(key));
        }
        let rows = found.documents.into_values().collect();
        let batch = self.differing(entity, rows, Terms::default()).await?;
        let mut tally = batch.tally;
        tally.requests(found.requests);
        tally.unreadable(found.unreadable.len());
        let mut content = Content::new(tally);
        content.documents = batch.writes;
        content.issues = found.unreadable;
        content.reread = asked_for;
        content.admission = Some(admission);
        self.commit_beside(entity, content).await
    }

    /// Counts rows of an entity that stay in quarantine, so that the run is partial. What its streams show is in no doubt, so nothing
    /// that it is joined into is held back.
    async fn stay_quarantined(&self, rows: &[StoredDocument], error: &Error) {
        for entity in self
            .asked()
            .filter(|entity| rows[0].document.entity == entity.name)
        {
            tracing::error!(entity = %entity.name, error = %error, "rows in quarantine were not mapped again");
            let mut tally = Tally::new(entity);
            tally.unreadable(rows.len());
            self.count(tally).await;
        }
    }

    /// Returns the entities that are asked for.
    fn asked(&self) -> impl Iterator<Item = &EntityInfo> {
        let asked = self.request.entities.as_ref();
        let entities = self.request.connector.info().entities.iter();
        entities.filter(move |entity| asked.is_none_or(|asked| asked.contains(&entity.name)))
    }

    /// Commits rows of an entity that belong to no page: its checkpoints stay.
    async fn commit_beside(&self, entity: &EntityInfo, content: Content) -> Result<(), Stop> {
        let storage = &self.engine.storage;
        let mut states = storage.stream_states(self.request.connection).await?;
        let streams = entity.streams.iter().map(|stream| &stream.name);
        let stored = streams.filter_map(|name| Some((name, states.remove(name)?)));
        match stored.last() {
            Some((stream, state)) => self.commit(entity, stream, state, content).await,
            // Of an entity that was never read there is nothing in quarantine.
            None => Ok(()),
        }
    }
}
