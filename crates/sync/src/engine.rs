//! The door: a run from taking the connection over to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{Clock, Connector, EntityName, Error, Mapper, StreamName};
use wrenchtime_model::{ConnectionId, RunId};

use crate::flight::Budget;
use crate::plan::{Plan, Standing};
use crate::task::Task;
use crate::{Mode, NewRun, RunProgress, RunReport, Storage, StorageError, StreamState, Turn};

/// Keeps copies of sources fresh: one run at a time for each connection, as many connections as there are callers.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: EngineOptions,
    pub(crate) budget: Budget,
}

/// What may be set about an [`Engine`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How many entities of a connection are read side by side. 2 by default; the streams of one entity always
    /// take turns.
    pub entities_at_once: usize,
    /// How long after a complete listing the next one is due. A day by default. Listings that can tell cheaply
    /// that nothing changed are asked in every run.
    pub listing_interval: Duration,
    /// How often a read is repeated that is worth it, after what the connector did itself. 2 by default.
    pub retries: u32,
    /// The gap before the first repetition; each further one is four times as long. 2 seconds by default.
    pub retry_gap: Duration,
    /// The longest gap that a run waits. A source that asks for more fails the stream. 5 minutes by default.
    pub longest_gap: Duration,
    /// How many bytes of pages may be in memory at once, of all runs of the engine and its clones: asked for, read,
    /// mapped or being written, with the records made of them. A page that is larger goes alone. 64 MiB by default.
    pub bytes_in_flight: u64,
    /// Pages are hashed and mapped where the run runs, and not on a thread for what takes long. Off by default: it holds
    /// up whatever else runs there. A simulation needs it, for then a run on one thread takes the same steps each time.
    pub maps_in_place: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            entities_at_once: 2,
            listing_interval: Duration::from_secs(24 * 60 * 60),
            retries: 2,
            retry_gap: Duration::from_secs(2),
            longest_gap: Duration::from_secs(5 * 60),
            bytes_in_flight: 64 * 1024 * 1024,
            maps_in_place: false,
        }
    }
}

/// What a run is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunRequest {
    /// Whose copy it is.
    pub connection: ConnectionId,
    /// Where it is read from.
    pub connector: Arc<dyn Connector>,
    /// How documents become records.
    pub mapper: Arc<dyn Mapper>,
    /// How much is read.
    pub mode: Mode,
    /// Only these entities and those that are [joined](wrenchtime_connector::EntityInfo::joins) into them, however
    /// far off: without a look at these nobody would know whether to believe the others. All entities without it.
    pub entities: Option<Vec<EntityName>>,
    /// Listings are read although they are not due.
    pub include_listings: bool,
    /// When somebody asked for the run, if not by schedule. A run that was left and began before that is gone on with and ended first:
    /// what it read is older than the question, so another one is made after it.
    pub asked_at: Option<DateTime<Utc>>,
    /// The look-back: of rows that the copy does not have, only those come into it that changed at this instant or later,
    /// as far as the source shows it. It is the same in all runs of a connection, or earlier than in those before, or
    /// gone: then everything is listed once more. All rows come in without it.
    ///
    /// A row that is in the copy stays in it. A later instant than before makes the copy no smaller.
    pub since: Option<DateTime<Utc>>,
    /// The run's turn, where runs take turns. Without one it works as if it were alone.
    pub turn: Option<Turn>,
    /// Ends the run after the page that is being written. The next run goes on from there.
    pub cancel: CancellationToken,
    /// Is cancelled by the run itself once it reads nothing more, before anybody can see that it has ended: what is
    /// asked for from then on takes another run.
    pub ending: CancellationToken,
    /// Is told how far the run is, after every commit.
    pub progress: watch::Sender<RunProgress>,
}

impl RunRequest {
    /// Asks for a run over all entities, with the listings that are due, that nobody watches or cancels.
    pub fn new(
        connection: ConnectionId,
        connector: Arc<dyn Connector>,
        mapper: Arc<dyn Mapper>,
        mode: Mode,
    ) -> Self {
        Self {
            connection,
            connector,
            mapper,
            mode,
            entities: None,
            include_listings: false,
            asked_at: None,
            since: None,
            turn: None,
            cancel: CancellationToken::new(),
            ending: CancellationToken::new(),
            progress: watch::Sender::new(RunProgress::default()),
        }
    }
}

/// Why a run has no good end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Somebody else runs this connection now. Nothing is to be done about it.
    #[error("connection {0} was taken over by another runner")]
    Fenced(ConnectionId),
    /// The store failed. The run is unfinished, and the next one goes on with it.
    #[error("the run stopped at its store")]
    Storage(#[source] StorageError),
    /// Nothing could be read, or the source refuses the credentials. The run is recorded as failed.
    #[error("the run failed: {error}")]
    Source {
        /// The first error of the source, or the one that refuses the credentials. Its kind decides what the
        /// connection's state becomes.
        #[source]
        error: Error,
        /// The run's report.
        report: Box<RunReport>,
    },
    /// The connector has no such entity. Nothing was begun.
    #[error("the system has no entity {0}")]
    UnknownEntity(EntityName),
}

impl From<StorageError> for RunError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Fenced(connection) => Self::Fenced(connection),
            other => Self::Storage(other),
        }
    }
}

/// What came to its end.
enum Ended {
    /// What was asked for.
    Finally(Result<RunReport, RunError>),
    /// A run that was left, in place of which another is still to be made.
    OfBefore,
}

impl Engine {
    /// Makes an engine.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, options: EngineOptions) -> Self {
        Self {
            storage,
            clock,
            budget: Budget::new(options.bytes_in_flight),
            options,
        }
    }

    /// Returns how many bytes of pages are in memory now, or were promised to pages that are asked for.
    pub fn bytes_in_flight(&self) -> u64 {
        self.budget.taken()
    }

    /// Runs a connection once: takes it over, goes on with a run that was left behind or begins one, and ends it.
    ///
    /// Dropping the future is like killing the process: the next run goes on after the last committed page.
    ///
    /// # Errors
    /// See [`RunError`]. A run that could read something ends well, with [`Outcome::Partial`](crate::Outcome) and
    /// the faults in its report.
    pub async fn run(&self, request: RunRequest) -> Result<RunReport, RunError> {
        let info = request.connector.info();
        let unknown = request
            .entities
            .iter()
            .flatten()
            .find(|name| info.entity(name).is_none());
        if let Some(name) = unknown {
            return Err(RunError::UnknownEntity(name.clone()));
        }
        loop {
            match self.run_once(&request).await? {
                Ended::Finally(ended) => return ended,
                // What it read before it was left is older than the request.
                Ended::OfBefore => {}
            }
        }
    }

    /// Makes a run, or goes on with one that was left.
    async fn run_once(&self, request: &RunRequest) -> Result<Ended, RunError> {
        let fence = self.storage.acquire(request.connection).await?;
        let asked = NewRun {
            id: RunId::new(),
            mode: request.mode,
            started_at: self.clock.now(),
        };
        let resumed_unless = asked.id;
        let start = self.storage.begin_run(&fence, asked).await?;
        let states = self.storage.stream_states(request.connection).await?;
        let resumed = start.run.id != resumed_unless;
        let standing = Standing {
            confirmed: self.confirmed(request.connection, &states).await?,
            states,
        };
        let plan = Plan::new(self, request, (&start.run, resumed), standing);
        let task = Task::new(self, request, fence, &start, &plan);
        let halt = match task.retry().await {
            Ok(()) => task.read(plan).await,
            Err(stop) => Some(stop),
        };
        let is_of_before = resumed && request.asked_at.is_some_and(|at| at > start.run.started_at);
        if is_of_before && halt.is_none() {
            return match task.finish(None).await {
                Ok(_) | Err(RunError::Source { .. }) => Ok(Ended::OfBefore),
                Err(error) => Err(error),
            };
        }
        request.ending.cancel();
        Ok(Ended::Finally(task.finish(halt).await))
    }

    /// Returns the suspect streams whose missing rows were said to be gone.
    async fn confirmed(
        &self,
        connection: ConnectionId,
        states: &BTreeMap<StreamName, StreamState>,
    ) -> Result<BTreeSet<StreamName>, StorageError> {
        if !states.values().any(|state| state.suspect) {
            return Ok(BTreeSet::new());
        }
        let suspicions = self.storage.suspicions(connection).await?.into_iter();
        let confirmed = suspicions.filter(|suspicion| suspicion.confirmed_at.is_some());
        Ok(confirmed.map(|suspicion| suspicion.stream).collect())
    }
}
