//! The one place that speaks to the sync engine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{Clock, Connector, EntityName, ErrorKind, Mapper};
use wrenchtime_model::ConnectionId;
use wrenchtime_sync::{
    Engine, EngineOptions, Mode, Outcome, RunError, RunProgress, RunReport, RunRequest, Storage,
    StorageError, Turn,
};

use crate::Options;
use crate::error::chain;

/// One run to make.
pub(crate) struct Job {
    pub(crate) connection: ConnectionId,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) mapper: Arc<dyn Mapper>,
    pub(crate) mode: Mode,
    /// Only these entities; all without it.
    pub(crate) entities: Option<Vec<EntityName>>,
    /// When somebody asked for it. Then listings are read that are not due.
    pub(crate) asked_at: Option<DateTime<Utc>>,
    /// The look-back.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Ends the run after the page that it is at.
    pub(crate) cancel: CancellationToken,
    /// Is cancelled by the run before it is stored as ended.
    pub(crate) ending: CancellationToken,
    pub(crate) progress: watch::Sender<RunProgress>,
    pub(crate) turn: Turn,
}

/// How a run ended, as far as the life-cycle cares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RunEnd {
    /// Something was read.
    Succeeded,
    /// The source refuses the credentials, in its words.
    Refused(String),
    /// The source did not answer.
    Unreachable(String),
    /// Something else stands in the way: the next time by schedule.
    Failed(String),
    /// The store failed: tried again soon.
    Store(String),
    /// It was ended from outside.
    Cancelled,
    /// The connection was taken over or is gone: nothing more to do here.
    Lost,
}

/// Makes runs.
#[async_trait]
pub(crate) trait Syncs: fmt::Debug + Send + Sync + 'static {
    async fn run(&self, job: Job) -> RunEnd;
}

/// Runs of the engine.
#[derive(Debug)]
pub(crate) struct EngineSyncs {
    engine: Engine,
}

impl EngineSyncs {
    pub(crate) fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, options: &Options) -> Self {
        let mut engine = EngineOptions::default();
        engine.bytes_in_flight = options.bytes_in_flight;
        Self {
            engine: Engine::new(storage, clock, engine),
        }
    }
}

#[async_trait]
impl Syncs for EngineSyncs {
    async fn run(&self, job: Job) -> RunEnd {
        let mut request = RunRequest::new(job.connection, job.connector, job.mapper, job.mode);
        request.entities = job.entities;
        request.include_listings = job.asked_at.is_some();
        request.asked_at = job.asked_at;
        request.since = job.since;
        request.cancel = job.cancel;
        request.ending = job.ending;
        request.progress = job.progress;
        request.turn = Some(job.turn);
        let connection = request.connection;
        let result = self.engine.run(request).await;
        tell_of_quarantine(connection, &result);
        end_of(result)
    }
}

/// Tells once for each run that rows were left out.
fn tell_of_quarantine(connection: ConnectionId, result: &Result<RunReport, RunError>) {
    let report = match result {
        Ok(report) => report,
        Err(RunError::Source { report, .. }) => report.as_ref(),
        Err(_) => return,
    };
    let counts = report.progress.resources.values();
    let quarantined: u64 = counts.map(|counts| counts.quarantined).sum();
    if quarantined > 0 {
        tracing::warn!(
            %connection,
            run = %report.id,
            quarantined,
            "rows could not be read or mapped; the connection's quarantine lists them"
        );
    }
}

fn end_of(result: Result<RunReport, RunError>) -> RunEnd {
    match result {
        Ok(report) => match report.outcome {
            Outcome::Complete | Outcome::Partial => RunEnd::Succeeded,
            Outcome::Cancelled => RunEnd::Cancelled,
            Outcome::Failed => RunEnd::Failed("nothing could be read".to_owned()),
        },
        Err(RunError::Source { error, .. }) => match error.kind() {
            ErrorKind::ReauthorizationRequired => RunEnd::Refused(error.to_string()),
            ErrorKind::Unavailable => RunEnd::Unreachable(error.to_string()),
            _ => RunEnd::Failed(error.to_string()),
        },
        Err(RunError::Fenced(_) | RunError::Storage(StorageError::NoConnection(_))) => RunEnd::Lost,
        Err(RunError::Storage(error)) => RunEnd::Store(chain(&error)),
        Err(error) => RunEnd::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stopped_the_store_is_named_once() {
        let store = StorageError::Unavailable("database or disk is full (code 13)".into());
        assert_eq!(
            end_of(Err(RunError::Storage(store))),
            RunEnd::Store(
                "the store cannot be used: database or disk is full (code 13)".to_owned()
            )
        );
    }
}
