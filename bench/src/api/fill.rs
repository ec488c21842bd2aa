//! Work orders put straight into a store, through what it implements for the engine.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use wrenchtime_connector::{
    Clock, Document, KeyOrder, Mapped, Mapper, RemoteKey, StreamName, SystemClock, content_hash,
};
use wrenchtime_model::{ConnectionId, IdentityClass, RecordId, RunId};
use wrenchtime_store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore};
use wrenchtime_sync::{
    DocumentWrite, Fence, Judgement, Marks, Mode, NewRun, Outcome, PageCommit, RecordWrite,
    RunFinish, RunProgress, Storage, StreamState, Written,
};

use crate::map;
use crate::place::Place;

/// Rows of a page, as the connector asks for them.
const PAGE: u32 = 500;
/// Different work orders, which the others repeat under keys of their own.
const TEMPLATES: u32 = 2_000;

/// A work order to be repeated.
pub(super) struct Template {
    document: Document,
    record: Mapped,
}

/// Reads work orders as the connector does, and maps them.
pub(super) async fn templates(seed: u64) -> Result<Vec<Template>> {
    let (documents, mapping) = map::documents(TEMPLATES, seed).await?;
    let mut templates = Vec::new();
    for document in documents {
        let mut records = mapping.map(ConnectionId::new(), &document)?;
        let record = records.pop().context("a work order makes no record")?;
        templates.push(Template { document, record });
    }
    if templates.is_empty() {
        bail!("there are no work orders");
    }
    Ok(templates)
}

/// Fills one connection's copy.
pub(super) struct Filler<'t> {
    connection: ConnectionId,
    templates: &'t [Template],
    filled: u32,
}

impl<'t> Filler<'t> {
    pub(super) fn new(connection: &str, templates: &'t [Template]) -> Result<Self> {
        Ok(Self {
            connection: connection.parse()?,
            templates,
            filled: 0,
        })
    }

    /// Returns how many rows there are.
    pub(super) fn filled(&self) -> u32 {
        self.filled
    }

    /// Adds rows until there are so many.
    pub(super) async fn fill_to(&mut self, place: &Place, rows: u32) -> Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        match place.database() {
            None => {
                let options = SqliteOptions::new(place.directory(), Arc::clone(&clock));
                let store = SqliteStore::open(options).await?;
                self.write(&store, rows, &*clock).await?;
                store.close().await;
            }
            Some(url) => {
                let url = SecretString::from(url);
                let options =
                    PostgresOptions::new(url, Arc::clone(&clock)).with_directory(place.directory());
                let store = PostgresStore::open(options).await?;
                self.write(&store, rows, &*clock).await?;
                store.close().await;
                let mut connection = place.connect().await?;
                // The server would do it by itself, a minute later.
                sqlx::raw_sql("VACUUM ANALYZE")
                    .execute(&mut connection)
                    .await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, store: &dyn Storage, rows: u32, clock: &dyn Clock) -> Result<()> {
        let fence = store.acquire(self.connection).await?;
        let run = NewRun {
            id: RunId::new(),
            mode: Mode::Full,
            started_at: clock.now(),
        };
        let run = store.begin_run(&fence, run).await?.run.id;
        while self.filled < rows {
            let to = rows.min(self.filled + PAGE);
            let page = self.page(&fence, run, to);
            store.commit(&fence, page).await?;
            self.filled = to;
        }
        let finish = RunFinish {
            run,
            outcome: Outcome::Complete,
            finished_at: clock.now(),
            progress: RunProgress::default(),
        };
        store.finish_run(&fence, finish).await?;
        Ok(())
    }

    fn page(&self, fence: &Fence, run: RunId, to: u32) -> PageCommit {
        let numbers = self.filled..to;
        PageCommit {
            run,
            stream: StreamName::from_static("work-order-all"),
            entity: self.templates[0].document.entity.clone(),
            state: StreamState::default(),
            documents: numbers.map(|number| self.row(fence, number)).collect(),
            issues: Vec::new(),
            reread: Vec::new(),
            marks: Marks::None,
            judgement: Judgement::Keep,
            events: Vec::new(),
            initial: true,
            progress: RunProgress::default(),
        }
    }

    fn row(&self, fence: &Fence, number: u32) -> DocumentWrite {
        let template = &self.templates[number as usize % self.templates.len()];
        let key = RemoteKey::new((1_000_000 + number).to_string());
        let mut document = template.document.clone();
        document.key = key.clone();
        let mut record = template.record.clone();
        let class = IdentityClass::new("work_order");
        record.id = RecordId::derive(self.connection, &class, key.as_str());
        record.remote_key = key.clone();
        DocumentWrite {
            hash: document.hash(),
            document,
            sort_key: KeyOrder::Numeric.sort_key(&key),
            observation: fence.observation_base() + 1,
            written: Written::Mapped {
                by: "bench".to_owned(),
                records: vec![RecordWrite {
                    content_hash: content_hash(&[record.content.get()]),
                    record,
                }],
            },
        }
    }
}
