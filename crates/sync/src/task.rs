//! One run under way: what its streams share, and how it ends.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wrenchtime_connector::{
    Context, EntityInfo, Error, ErrorKind, RemoteKey, RowIssue, SortKey, StreamInfo, StreamName,
};
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::RunId;

use crate::admission::Admission;
use crate::bound::SourceClock;
use crate::joins;
use crate::ledger::{Ledger, Tally};
use crate::pass::{self, Passed};
use crate::plan::{EntityPlan, Plan};
use crate::{
    DocumentWrite, Engine, Fence, Judgement, LifecycleEvent, Marks, Mode, Outcome, PageCommit,
    Removal, RunError, RunFinish, RunReport, RunRequest, RunStart, StorageError, StreamState,
};

/// How long the connector may wait inside a call: longer than it waits of its own accord before it repeats one. What a source
/// asks for beyond that is waited for by us, and others work meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run under way.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) request: &'a RunRequest,
    pub(crate) run: RunId,
    pub(crate) mode: Mode,
    pub(crate) initial: bool,
    pub(crate) cx: Context,
    pub(crate) stop: CancellationToken,
    pub(crate) source_clock: SourceClock,
    fence: Fence,
    observed: AtomicI64,
    /// Held across a commit, so that the progress stored with it is that of all commits before it.
    ledger: Mutex<Ledger>,
}

/// Why something did not come to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The source failed one stream. The others go on.
    Fault(Error),
    /// The source refuses the credentials.
    Account(Error),
    /// The store failed.
    Storage(StorageError),
    /// From outside, or because something else stopped the run.
    Cancelled,
}

impl Stop {
    pub(crate) fn of(error: Error) -> Self {
        if error.kind() == ErrorKind::ReauthorizationRequired {
            Self::Account(error)
        } else {
            Self::Fault(error)
        }
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// What a commit writes beside the checkpoint.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) tally: Tally,
    pub(crate) documents: Vec<DocumentWrite>,
    pub(crate) issues: Vec<RowIssue>,
    pub(crate) reread: Vec<RemoteKey>,
    pub(crate) marks: Marks,
    pub(crate) judgement: Judgement,
    pub(crate) events: Vec<LifecycleEvent>,
    /// Pages that are complete with it: one, or none.
    pub(crate) pages: u64,
    /// How many rows its stream has, told once.
    pub(crate) expected: Option<u64>,
    /// What lets all this be in memory.
    pub(crate) admission: Option<Admission>,
}

impl Content {
    pub(crate) fn new(tally: Tally) -> Self {
        Self {
            tally,
            documents: Vec::new(),
            issues: Vec::new(),
            reread: Vec::new(),
            marks: Marks::None,
            judgement: Judgement::Keep,
            events: Vec::new(),
            pages: 0,
            expected: None,
            admission: None,
        }
    }
}

impl<'a> Task<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        request: &'a RunRequest,
        fence: Fence,
        start: &RunStart,
        plan: &Plan,
    ) -> Self {
        let stop = request.cancel.child_token();
        let mut ledger = Ledger::resume(&start.run, plan.done, plan.streams());
        for stream in plan.left() {
            ledger.progress.faults.remove(stream.name.as_str());
        }
        Self {
            engine,
            request,
            run: start.run.id,
            mode: start.run.mode,
            initial: start.initial,
            cx: Context::new(start.run.id.to_string())
                .with_cancel(stop.clone())
                .with_patience(PATIENCE),
            stop,
            source_clock: SourceClock::default(),
            fence,
            observed: AtomicI64::new(fence.observation_base()),
            ledger: Mutex::new(ledger),
        }
    }

    /// Draws an observation number. Called before each request leaves.
    pub(crate) fn observe(&self) -> i64 {
        self.observed.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns the number that was drawn last.
    pub(crate) fn last_observation(&self) -> i64 {
        self.observed.load(Ordering::Relaxed)
    }

    /// Reads everything that is planned. Returns what stopped the whole run, if anything did.
    pub(crate) async fn read(&self, plan: Plan) -> Option<Stop> {
        for wave in plan.waves {
            let halt = self.read_wave(wave).await;
            if halt.is_some() {
                return halt;
            }
        }
        None
    }

    /// Reads entities side by side.
    async fn read_wave(&self, wave: Vec<EntityPlan>) -> Option<Stop> {
        // Boxed, for the compiler cannot tell that futures of a borrowing closure may move between threads.
        type Reading<'r> = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'r>>;
        let readings: Vec<Reading<'_>> = wave
            .into_iter()
            .map(|entity| Box::pin(self.read_entity(entity)) as Reading<'_>)
            .collect();
        let mut readings = futures_util::stream::iter(readings)
            .buffer_unordered(self.engine.options.entities_at_once.max(1));
        let mut halt = None;
        while let Some(ended) = readings.next().await {
            if let Err(stop) = ended
                && halt.is_none()
            {
                halt = Some(stop);
                self.stop.cancel();
            }
        }
        halt
    }

    async fn read_entity(&self, mut plan: EntityPlan) -> Result<(), Stop> {
        if let Some(doubt) = self.doubt(&plan.entity).await {
            for stream in &plan.streams {
                self.fault(&stream.name, doubt.clone()).await;
            }
            self.tell().await;
            return Ok(());
        }
        let mut left: VecDeque<StreamInfo> = std::mem::take(&mut plan.streams).into();
        let mut ended = BTreeSet::new();
        while let Some(stream) = left.pop_front() {
            match pass::read(self, &mut plan, &stream).await {
                Ok(Passed::Ended) => {}
                Ok(Passed::Forgotten) => {
                    self.list_instead(&mut plan, (&stream, &ended), &mut left)
                        .await;
                    continue;
                }
                Err(Stop::Fault(error)) => {
                    tracing::warn!(stream = %stream.name, error = %error, "stream failed");
                    let words = error.to_string();
                    let mut ledger = self.ledger.lock().await;
                    ledger.fault(&stream.name, words, Some(error));
                    continue;
                }
                Err(Stop::Account(error)) => {
                    let mut ledger = self.ledger.lock().await;
                    ledger.fault(&stream.name, error.to_string(), None);
                    return Err(Stop::Account(error));
                }
                Err(other) => return Err(other),
            }
            ended.insert(stream.name);
            self.ledger.lock().await.progress.streams_done += 1;
            self.tell().await;
        }
        Ok(())
    }

    /// Puts an entity's listings in front, where the source does not tell any more what changed since a stream's bound.
    /// What is stored is served meanwhile.
    async fn list_instead(
        &self,
        plan: &mut EntityPlan,
        (stream, ended): (&StreamInfo, &BTreeSet<StreamName>),
        left: &mut VecDeque<StreamInfo>,
    ) {
        tracing::warn!(stream = %stream.name, "the source does not tell any more what changed: everything is listed");
        let before = left.len() + 1;
        let instead = plan.lose(stream, ended);
        left.retain(|one| instead.iter().all(|other| other.name != one.name));
        for one in instead.into_iter().rev() {
            left.push_front(one);
        }
        let more = u32::try_from(left.len() - before).unwrap_or_default();
        self.ledger.lock().await.progress.streams_total += more;
    }

    /// Returns why an entity cannot be read in this run: something that is joined into it cannot be relied on.
    async fn doubt(&self, entity: &EntityInfo) -> Option<String> {
        let info = self.request.connector.info();
        let ledger = self.ledger.lock().await;
        joins::joined(entity).find_map(|name| {
            let mut streams = info.entity(name)?.streams.iter();
            let faults = &ledger.progress.faults;
            let words = streams.find_map(|stream| faults.get(stream.name.as_str()))?;
            Some(format!("held back until {name} can be relied on: {words}"))
        })
    }

    /// Commits a page or a part of one.
    pub(crate) async fn commit(
        &self,
        entity: &EntityInfo,
        stream: &StreamName,
        state: StreamState,
        content: Content,
    ) -> Result<(), Stop> {
        let mut ledger = self.ledger.lock().await;
        self.measure_rows(content.tally.counts());
        ledger.add(content.tally);
        ledger.progress.pages += content.pages;
        if let Some(expected) = content.expected {
            *ledger.progress.rows_expected.get_or_insert_default() += expected;
        }
        let commit = PageCommit {
            run: self.run,
            stream: stream.clone(),
            entity: entity.name.clone(),
            state,
            documents: content.documents,
            issues: content.issues,
            reread: content.reread,
            marks: content.marks,
            judgement: content.judgement,
            events: content.events,
            initial: self.initial,
            progress: ledger.progress.clone(),
        };
        failpoint::pass(Point::CommitBefore);
        let outcome = self.engine.storage.commit(&self.fence, commit).await?;
        failpoint::pass(Point::CommitAfter);
        self.measure_records(&outcome);
        ledger.add_outcome(&outcome);
        drop(ledger);
        drop(content.admission);
        self.tell().await;
        Ok(())
    }

    /// Marks rows as gone.
    pub(crate) async fn remove(
        &self,
        entity: &EntityInfo,
        keys: Vec<SortKey>,
        observation: i64,
    ) -> Result<(), Stop> {
        let mut ledger = self.ledger.lock().await;
        let removal = Removal {
            run: self.run,
            entity: entity.name.clone(),
            keys,
            observation,
            initial: self.initial,
        };
        let outcome = self.engine.storage.remove(&self.fence, removal).await?;
        self.measure_records(&outcome);
        ledger.add_outcome(&outcome);
        Ok(())
    }

    /// Counts what nothing is written of.
    pub(crate) async fn count(&self, tally: Tally) {
        self.measure_rows(tally.counts());
        self.ledger.lock().await.add(tally);
    }

    /// Notes what makes the run partial, without ending its stream.
    pub(crate) async fn fault(&self, stream: &StreamName, words: String) {
        tracing::warn!(stream = %stream, fault = %words, "stream is in doubt");
        self.ledger.lock().await.fault(stream, words, None);
    }

    async fn tell(&self) {
        let progress = self.ledger.lock().await.progress.clone();
        self.request.progress.send_replace(progress);
    }

    /// Ends the run.
    pub(crate) async fn finish(mut self, halt: Option<Stop>) -> Result<RunReport, RunError> {
        let ledger = std::mem::take(self.ledger.get_mut());
        let (outcome, error) = match halt {
            Some(Stop::Storage(error)) => return Err(error.into()),
            Some(Stop::Account(error) | Stop::Fault(error)) => (Outcome::Failed, Some(error)),
            Some(Stop::Cancelled) => (Outcome::Cancelled, None),
            None if ledger.progress.streams_done == 0 && ledger.error.is_some() => {
                (Outcome::Failed, ledger.error)
            }
            None if ledger.progress.faults.is_empty() && ledger.nothing_quarantined() => {
                (Outcome::Complete, None)
            }
            None => (Outcome::Partial, None),
        };
        let finish = RunFinish {
            run: self.run,
            outcome,
            finished_at: self.engine.clock.now(),
            progress: ledger.progress,
        };
        let report = self.engine.storage.finish_run(&self.fence, finish).await?;
        self.measure_run(&report);
        match error {
            Some(error) => Err(RunError::Source {
                error,
                report: Box::new(report),
            }),
            None => Ok(report),
        }
    }
}
