//! One pass over one stream: page after page, each committed with the checkpoint behind it.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, select};
use tokio::sync::watch;
use wrenchtime_connector::{
    Cursor, Error, ErrorKind, Items, Next, Role, RowIssue, SortKey, StreamInfo,
};
use wrenchtime_model::Resource;

use crate::admission::Admission;
use crate::ahead::{self, Pages, Written};
use crate::apply::Terms;
use crate::bound;
use crate::coverage;
use crate::fetch::{Held, Observed};
use crate::ledger::Tally;
use crate::listing::{Comparison, Shown};
use crate::opening::{self, Left};
use crate::plan::EntityPlan;
use crate::ready::{Ready, Seen};
use crate::stubs::Completed;
use crate::task::{Content, Stop, Task};
use crate::verdict::Verdict;
use crate::{Pass, StreamState};

/// How a stream was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Passed {
    /// At its end.
    Ended,
    /// At its beginning: the source does not tell any more what changed since its bound. Nothing was written.
    Forgotten,
}

/// Reads a stream to its end, from its bound or from where an unfinished pass stopped.
pub(crate) async fn read(
    task: &Task<'_>,
    plan: &mut EntityPlan,
    stream: &StreamInfo,
) -> Result<Passed, Stop> {
    if plan.unbounded.iter().any(|one| one.name == stream.name) {
        let message = "read changes: the listing before them did not begin";
        return Err(Stop::Fault(Error::new(ErrorKind::Unavailable, message)));
    }
    let Some((mut reading, first)) = Reading::open(task, plan, stream).await? else {
        return Ok(Passed::Forgotten);
    };
    reading.bound_the_others().await?;
    let entity = reading.plan.entity.clone();
    let start = ahead::Start {
        entity: &entity,
        stream,
        from: reading.pass.from.clone(),
        next: first.read.what.page.next.clone(),
        bytes: first.read.what.admission.load.bytes(),
        written: reading.written.subscribe(),
    };
    let (pages, reads) = ahead::read(task, start);
    let writes = reading.all(first, pages);
    match select(pin!(writes), pin!(reads)).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), writes)) => writes.await,
    }
}

struct Reading<'a> {
    task: &'a Task<'a>,
    plan: &'a mut EntityPlan,
    stream: &'a StreamInfo,
    /// As it was before the pass.
    stored: StreamState,
    pass: Pass,
    /// Absence from this pass will be told.
    compares: bool,
    /// Marks of an attempt that was left are among the run's and cannot be told apart: the next run lists anew.
    again: bool,
    /// Something that the source has is not in the copy as it should be, or nobody knows: to hear that nothing changed
    /// would not be enough.
    flawed: bool,
    /// How many rows were shown that the copy does not have for good: they bear a mark of deletion, or are too old.
    unstored: u64,
    /// How many rows of each resource were otherwise than the streams of changes should have made them.
    drifted: BTreeMap<Resource, u64>,
    /// Until when time was counted.
    counted: DateTime<Utc>,
    /// What was committed, for who reads on.
    written: watch::Sender<Written>,
}

impl<'a> Reading<'a> {
    /// Reads the first page: with the answer it is known what time it is at the source, and so when the pass began.
    async fn open(
        task: &'a Task<'a>,
        plan: &'a mut EntityPlan,
        stream: &'a StreamInfo,
    ) -> Result<Option<(Self, Ready)>, Stop> {
        let stored = plan.states[&stream.name].clone();
        let begun = task.engine.clock.now();
        let shows_absence = plan.shows_absence(stream);
        let Some(left) = Left::look(task, (plan, stream), &stored).await? else {
            return Ok(None);
        };
        let again = left.blind && shows_absence;
        let flawed = left.opened.is_some();
        let (pass, page) = match left.opened {
            Some(opened) => opened,
            None => {
                let begun = opening::begin(task, (plan, stream), (&stored, begun)).await?;
                let Some((pass, page)) = begun else {
                    return Ok(None);
                };
                let blind = left.blind || plan.reads_again(stream);
                (Pass { blind, ..pass }, page)
            }
        };
        let page = Ready::new(page, &plan.entity);
        let reading = Self {
            compares: shows_absence && pass.run == task.run,
            again,
            flawed,
            unstored: 0,
            drifted: BTreeMap::new(),
            task,
            plan,
            stream,
            stored,
            pass,
            counted: begun,
            written: watch::Sender::default(),
        };
        Ok(Some((reading, page)))
    }

    /// Gives streams of changes their first bound before the first page of the listing is kept: what changes from
    /// here on is theirs.
    async fn bound_the_others(&mut self) -> Result<(), Stop> {
        if self.stream.role == Role::Changes {
            return Ok(());
        }
        let unbounded = std::mem::take(&mut self.plan.unbounded);
        if !unbounded.is_empty() && self.stored.completed_at.is_some() {
            // Were the process to end behind the bounds, nobody would know that this listing stands for what they leave out.
            let content = Content::new(Tally::new(&self.plan.entity));
            let begun = self.checkpoint();
            self.task
                .commit(&self.plan.entity, &self.stream.name, begun, content)
                .await?;
        }
        for stream in unbounded {
            let state = self.plan.states.entry(stream.name.clone()).or_default();
            state.bound = bound::before_first(&stream, self.pass.started_at);
            let state = state.clone();
            let content = Content::new(Tally::new(&self.plan.entity));
            self.task
                .commit(&self.plan.entity, &stream.name, state, content)
                .await?;
        }
        Ok(())
    }

    /// Writes all pages, each with the checkpoint behind it. The next one is mapped meanwhile.
    async fn all(mut self, first: Ready, mut pages: Pages) -> Result<Passed, Stop> {
        let entity = self.plan.entity.clone();
        let mut current = first;
        loop {
            let cursor = match current.read.what.page.next.clone() {
                Next::Page(cursor) => cursor,
                Next::End { token } => {
                    self.last_page(current, token).await?;
                    return Ok(Passed::Ended);
                }
                Next::Unchanged => {
                    self.unchanged(&current.read).await?;
                    return Ok(Passed::Ended);
                }
            };
            let (task, terms) = (self.task, self.terms());
            let before: HashSet<SortKey> = current.seen.keys.iter().cloned().collect();
            let mapped = async {
                let mut next = pages.next().await?;
                next.map(task, &entity, (terms, &before)).await?;
                Ok::<_, Stop>(next)
            };
            // What stops the writing stops both. What stops the reading does not: the page that is there is written.
            let mapped = async { Ok(mapped.await) };
            let ((), next) = tokio::try_join!(self.page(current, cursor), mapped)?;
            current = next?;
            if task.stop.is_cancelled() {
                return Err(Stop::Cancelled);
            }
        }
    }

    /// Writes a page that another follows.
    async fn page(&mut self, ready: Ready, next: Cursor) -> Result<(), Stop> {
        let content = self.take(ready, false).await?;
        if self.stream.sorted {
            self.pass.cursor = Some(next);
        }
        let state = self.checkpoint();
        self.commit(state, content).await
    }

    /// Writes the last page and ends the pass.
    async fn last_page(&mut self, ready: Ready, token: Option<String>) -> Result<(), Stop> {
        let before = self.checkpoint();
        let mut content = self.take(ready, true).await?;
        let proves = self.compares && !self.pass.blind && !self.again;
        if !proves && !self.plan.is_relied_on(self.stream) {
            let state = self.after(token, Verdict::Open);
            content
                .events
                .extend(coverage::drift(self.stream, &self.drifted));
            return self.end(state, content).await;
        }
        // Until the rows that are gone are taken out, the last page counts as not yet read.
        self.commit(before.clone(), content).await?;
        let (comparison, pass) = (self.comparison(), &self.pass);
        let judged = if proves {
            comparison.settle(self.task, pass, &before).await?
        } else {
            comparison.judge(self.task, pass, self.unstored).await?
        };
        let state = self.after(token, judged.verdict);
        let mut tally = Tally::new(&self.plan.entity);
        tally.seconds(self.elapsed());
        let mut content = Content::new(tally);
        content
            .events
            .extend(coverage::drift(self.stream, &self.drifted));
        if !self.again {
            content.judgement = judged.judgement;
            content.events.extend(judged.event);
        }
        self.end(state, content).await
    }

    /// Where the stream stands after its last page.
    fn after(&self, token: Option<String>, verdict: Verdict) -> StreamState {
        if self.again {
            return self.left();
        }
        let suspect = match verdict {
            Verdict::Settled => false,
            Verdict::Suspect => true,
            Verdict::Open => self.stored.suspect,
        };
        StreamState {
            suspect,
            ..self.ended(token.filter(|_| !suspect && !self.pass.blind))
        }
    }

    /// Ends a pass over a source that is as the stored token says.
    async fn unchanged(&mut self, read: &Observed<Held>) -> Result<(), Stop> {
        if self.pages() > 0 || self.pass.cursor.is_some() {
            let message =
                "read a page: the source says in the middle of a pass that nothing changed";
            return Err(Stop::Fault(Error::new(ErrorKind::Protocol, message)));
        }
        let mut tally = Tally::new(&self.plan.entity);
        tally.requests(u64::from(read.what.page.requests) + u64::from(read.failed));
        tally.seconds(self.elapsed());
        let state = StreamState {
            bound: self.stored.bound.clone(),
            mapped_by: self.stored.mapped_by.clone(),
            ..self.ended(None)
        };
        self.end(state, Content::new(tally)).await
    }

    /// Returns what the stream's rows are judged by.
    fn terms(&self) -> Terms {
        let window = self.task.window(self.plan);
        let covered = self.plan.covered(self.stream, window);
        Terms { covered, window }
    }

    /// Turns a page into what has to be written, and moves the pass over it.
    async fn take(&mut self, ready: Ready, last: bool) -> Result<Content, Stop> {
        let before = self.checkpoint();
        let Ready { read, seen, batch } = ready;
        let Held {
            page,
            mut admission,
        } = read.what;
        self.note(&seen);
        let terms = self.terms();
        let Completed {
            batch,
            vanished,
            unreadable,
        } = match batch {
            Some(batch) => Completed::whole(batch),
            None => {
                let items = (page.items, read.observation);
                self.complete(items, terms, &mut admission).await?
            }
        };
        self.unstored += batch.outside;
        let mut content = Content::new(batch.tally);
        for (resource, counts) in content.tally.counts() {
            *self.drifted.entry(*resource).or_default() += counts.drifted;
        }
        content.documents = batch.writes;
        content.pages = 1;
        content.expected = page
            .total
            .filter(|_| self.pages() == 0 && !self.told_total());
        content
            .tally
            .unreadable(page.issues.len() + unreadable.len());
        self.flawed |= content.tally.has_quarantined();
        let requests = u64::from(page.requests) + u64::from(read.failed);
        content.tally.requests(requests);
        content.tally.seconds(self.elapsed());
        if self.compares {
            let shown = Shown {
                keys: &seen.keys,
                unreadable: &self.keys_of(&page.issues),
                vanished: &vanished,
                last,
            };
            let comparison = Comparison {
                entity: &self.plan.entity,
                stream: self.stream,
            };
            content.marks = comparison
                .marks(self.task, (&mut self.pass, &before), &shown)
                .await?;
        }
        content.issues = page.issues;
        content.issues.extend(unreadable);
        let bytes = admission.load.bytes();
        self.written.send_modify(|written| written.bytes = bytes);
        content.admission = Some(admission);
        Ok(content)
    }

    /// Turns a page's items into what differs from the copy.
    async fn complete(
        &self,
        (items, observation): (Items, i64),
        terms: Terms,
        admission: &mut Admission,
    ) -> Result<Completed, Stop> {
        let (task, entity) = (self.task, &self.plan.entity);
        match items {
            Items::Stubs(stubs) => {
                let stubs = (stubs, observation);
                task.complete(entity, stubs, terms, admission).await
            }
            Items::Documents(documents) => {
                let rows = documents.into_iter().map(|row| (row, observation));
                let batch = task.differing(entity, rows.collect(), terms).await?;
                Ok(Completed::whole(batch))
            }
        }
    }

    /// Counts a page's rows and notes the latest change among them.
    fn note(&mut self, seen: &Seen) {
        self.pass.rows += seen.rows;
        self.pass.blind |= seen.blind;
        self.unstored += seen.deleted;
        let largest = self.pass.largest.as_ref();
        let latest = seen.latest.as_ref();
        if latest.is_some_and(|latest| largest.is_none_or(|largest| latest.at > largest.at)) {
            self.pass.largest = seen.latest.clone();
        }
    }

    fn keys_of(&self, issues: &[RowIssue]) -> Vec<SortKey> {
        let order = self.plan.entity.key_order;
        let keys = issues.iter().filter_map(|issue| issue.key.as_ref());
        keys.map(|key| order.sort_key(key)).collect()
    }

    fn comparison(&self) -> Comparison<'_> {
        Comparison {
            entity: &self.plan.entity,
            stream: self.stream,
        }
    }

    /// Where the stream stands in the middle of its pass. The bound stays: it moves at the end.
    fn checkpoint(&self) -> StreamState {
        let mut pass = self.pass.clone();
        if !self.stream.sorted {
            // Without an order no place in the pass can be found again, so it would begin anew.
            pass.rows = 0;
        }
        StreamState {
            pass: Some(pass),
            ..self.stored.clone()
        }
    }

    /// Where the stream stands after a pass that another from the beginning must follow: as if it had not ended.
    fn left(&self) -> StreamState {
        let pass = Pass {
            cursor: None,
            position: None,
            rows: 0,
            ..self.pass.clone()
        };
        StreamState {
            pass: Some(pass),
            ..self.stored.clone()
        }
    }

    /// Tells whether this run has read rows of the stream before, and so knows how many there are.
    fn told_total(&self) -> bool {
        let stored = self.stored.pass.as_ref();
        stored.is_some_and(|pass| pass.run == self.task.run || self.pass.cursor.is_some())
    }

    /// Where the stream stands after its pass.
    fn ended(&self, token: Option<String>) -> StreamState {
        let is_told_whole = self.stream.role == Role::Changes && !self.outlasted_history();
        let is_whole = self.pass.run == self.task.run && self.stream.role == Role::Listing;
        let is_whole = is_whole || is_told_whole;
        let stored = self.stored.bound.clone();
        let token = token.filter(|_| is_whole && !self.flawed);
        let bound = if self.outlasted_history() {
            stored
        } else {
            bound::after_pass(self.stream, stored, &self.pass, token)
        };
        StreamState {
            bound,
            mapped_by: self.task.request.mapper.version().to_owned(),
            pass: None,
            suspect: self.stored.suspect,
            since: if is_whole {
                self.pass.since
            } else {
                self.stored.since
            },
            // The marks of another run's listing are lost, so one from the beginning is still due.
            completed_at: if is_whole {
                Some(self.task.engine.clock.now())
            } else {
                self.stored.completed_at
            },
        }
    }

    /// Tells whether the source may have forgotten changes while they were read. Then the bound stays where it is, and the next
    /// run finds that it is of no use any more.
    fn outlasted_history(&self) -> bool {
        let now = self.task.source_clock.at(self.task.engine.clock.now());
        let is_changes = self.stream.role == Role::Changes;
        is_changes && bound::is_forgotten(self.stream, self.pass.from.as_ref(), now)
    }

    fn pages(&self) -> u64 {
        self.written.borrow().pages
    }

    async fn commit(&mut self, state: StreamState, content: Content) -> Result<(), Stop> {
        let name = &self.stream.name;
        self.task
            .commit(&self.plan.entity, name, state, content)
            .await?;
        self.written.send_modify(|written| written.pages += 1);
        Ok(())
    }

    /// Commits the end of the pass. The streams behind it, and the same one if it is read again, go by where it stands now.
    async fn end(&mut self, state: StreamState, content: Content) -> Result<(), Stop> {
        self.commit(state.clone(), content).await?;
        self.plan.states.insert(self.stream.name.clone(), state);
        Ok(())
    }

    /// Returns the seconds since it was last called.
    fn elapsed(&mut self) -> f64 {
        let now = self.task.engine.clock.now();
        let elapsed = (now - self.counted).to_std().unwrap_or_default();
        self.counted = now;
        elapsed.as_secs_f64()
    }
}
