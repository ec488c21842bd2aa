//! One pass over one stream: page after page, each committed with the checkpoint behind it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use wrenchtime_connector::{
    Bound, ChangeTime, Cursor, CursorKind, Error, ErrorKind, Items, Next, Page, PageRequest, Role,
    RowIssue, SortKey, StreamInfo,
};
use wrenchtime_model::RunId;

use crate::bound;
use crate::fetch::Observed;
use crate::ledger::Tally;
use crate::listing::{Comparison, Shown, Verdict};
use crate::plan::EntityPlan;
use crate::stubs::Completed;
use crate::task::{Content, Stop, Task};
use crate::{Mode, Pass, StreamState};

/// Reads a stream to its end, from its bound or from where an unfinished pass stopped.
pub(crate) async fn read(
    task: &Task<'_>,
    plan: &mut EntityPlan,
    stream: &StreamInfo,
) -> Result<(), Stop> {
    if plan.unbounded.iter().any(|one| one.name == stream.name) {
        let message = "read changes: the listing before them did not begin";
        return Err(Stop::Fault(Error::new(ErrorKind::Unavailable, message)));
    }
    let (mut reading, mut current) = Reading::open(task, plan, stream).await?;
    reading.bound_the_others().await?;
    let mut loops = LoopGuard::default();
    loop {
        let cursor = match current.what.next.clone() {
            Next::Page(cursor) => cursor,
            Next::End { token } => return reading.last_page(current, token).await,
            Next::Unchanged => return reading.unchanged(&current).await,
        };
        loops.check(&cursor)?;
        let request = PageRequest::new(stream.name.clone())
            .with_from(reading.pass.from.clone())
            .with_cursor(Some(cursor.clone()));
        // The source works on the next page while this one is mapped and written.
        let (written, ahead) = tokio::join!(reading.page(current, cursor), task.read_page(request));
        written?;
        current = ahead?;
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
    /// How many rows were shown that bear a mark of deletion.
    deleted: u64,
    /// Until when time was counted.
    counted: DateTime<Utc>,
    /// How many pages were committed.
    pages: u64,
}

impl<'a> Reading<'a> {
    /// Reads the first page: with the answer it is known what time it is at the source, and so when the pass began.
    async fn open(
        task: &'a Task<'a>,
        plan: &'a mut EntityPlan,
        stream: &'a StreamInfo,
    ) -> Result<(Self, Observed<Page>), Stop> {
        let stored = plan.states[&stream.name].clone();
        let begun = task.engine.clock.now();
        let left = stored
            .pass
            .clone()
            .filter(|pass| goes_on(task, (plan, stream), pass));
        let shows_absence = plan.shows_absence(stream);
        // Without a place to go on from, everything is read again, and what was there the first time may be gone.
        let mut blind = shows_absence
            && left
                .as_ref()
                .is_some_and(|pass| starts_over(task, (plan, stream), pass));
        let mut opened = None;
        if let Some(pass) = left.filter(|_| !blind) {
            let request = PageRequest::new(stream.name.clone())
                .with_from(pass.from.clone())
                .with_cursor(pass.cursor.clone());
            match task.read_page(request).await {
                // A part of what the source was in between is in the copy. That it is now as it was before that
                // says nothing.
                Ok(page) if page.what.next == Next::Unchanged => blind = pass.run == task.run,
                Ok(page) => opened = Some((pass, page)),
                Err(Stop::Fault(error)) if pass.cursor.is_some() && refuses(&error) => {
                    tracing::info!(stream = %stream.name, error = %error, "pass begins anew");
                    // The run's marks are of the abandoned pass too.
                    blind = pass.run == task.run;
                }
                Err(other) => return Err(other),
            }
        }
        let again = blind && shows_absence;
        let flawed = opened.is_some();
        let (pass, page) = match opened {
            Some(opened) => opened,
            None => {
                let from = begins_at(task, stream, &stored);
                let request = PageRequest::new(stream.name.clone()).with_from(from.clone());
                let observation = task.last_observation();
                let page = task.read_page(request).await?;
                let started_at = task.source_clock.at(begun);
                let pass = Pass {
                    blind: blind || plan.reads_again(stream),
                    ..begun_by(task.run, started_at, observation, from)
                };
                (pass, page)
            }
        };
        let reading = Self {
            compares: shows_absence && pass.run == task.run,
            again,
            flawed,
            deleted: 0,
            task,
            plan,
            stream,
            stored,
            pass,
            counted: begun,
            pages: 0,
        };
        Ok((reading, page))
    }

    /// Gives streams of changes their first bound before the first page of the listing is kept: what changes from
    /// here on is theirs.
    async fn bound_the_others(&mut self) -> Result<(), Stop> {
        if self.stream.role == Role::Changes {
            return Ok(());
        }
        for stream in std::mem::take(&mut self.plan.unbounded) {
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

    /// Writes a page that another follows.
    async fn page(&mut self, read: Observed<Page>, next: Cursor) -> Result<(), Stop> {
        let content = self.take(read, false).await?;
        if self.stream.sorted {
            self.pass.cursor = Some(next);
        }
        let state = self.checkpoint();
        self.commit(state, content).await
    }

    /// Writes the last page and ends the pass.
    async fn last_page(&mut self, read: Observed<Page>, token: Option<String>) -> Result<(), Stop> {
        let before = self.checkpoint();
        let content = self.take(read, true).await?;
        let proves = self.compares && !self.pass.blind && !self.again;
        if !proves && !self.plan.is_relied_on(self.stream) {
            let state = self.after(token, Verdict::Settled);
            return self.commit(state, content).await;
        }
        // Until the rows that are gone are taken out, the last page counts as not yet read.
        self.commit(before.clone(), content).await?;
        let (comparison, pass) = (self.comparison(), &self.pass);
        let verdict = if proves {
            comparison.settle(self.task, pass, &before).await?
        } else {
            comparison.judge(self.task, pass, self.deleted).await?
        };
        let state = self.after(token, verdict);
        let mut tally = Tally::new(&self.plan.entity);
        tally.seconds(self.elapsed());
        self.commit(state, Content::new(tally)).await
    }

    /// Where the stream stands after its last page.
    fn after(&self, token: Option<String>, verdict: Verdict) -> StreamState {
        if self.again {
            return self.left();
        }
        let believed = verdict == Verdict::Settled;
        StreamState {
            suspect: !believed,
            ..self.ended(token.filter(|_| believed && !self.pass.blind))
        }
    }

    /// Ends a pass over a source that is as the stored token says.
    async fn unchanged(&mut self, read: &Observed<Page>) -> Result<(), Stop> {
        if self.pages > 0 || self.pass.cursor.is_some() {
            let message =
                "read a page: the source says in the middle of a pass that nothing changed";
            return Err(Stop::Fault(Error::new(ErrorKind::Protocol, message)));
        }
        let mut tally = Tally::new(&self.plan.entity);
        tally.requests(u64::from(read.what.requests) + u64::from(read.failed));
        tally.seconds(self.elapsed());
        let state = StreamState {
            bound: self.stored.bound.clone(),
            mapped_by: self.stored.mapped_by.clone(),
            ..self.ended(None)
        };
        self.commit(state, Content::new(tally)).await
    }

    /// Turns a page into what has to be written, and moves the pass over it.
    async fn take(&mut self, read: Observed<Page>, last: bool) -> Result<Content, Stop> {
        let before = self.checkpoint();
        let page = read.what;
        let keys = self.note(&page);
        let Completed {
            batch,
            vanished,
            unreadable,
        } = match page.items {
            Items::Stubs(stubs) => {
                let entity = &self.plan.entity;
                self.task.complete(entity, stubs, read.observation).await?
            }
            Items::Documents(documents) => {
                let rows = documents
                    .into_iter()
                    .map(|document| (document, read.observation));
                let batch = self
                    .task
                    .differing(&self.plan.entity, rows.collect())
                    .await?;
                Completed {
                    batch,
                    vanished: HashSet::new(),
                    unreadable: Vec::new(),
                }
            }
        };
        let mut content = Content::new(batch.tally);
        content.documents = batch.writes;
        content.pages = 1;
        content.expected = page.total.filter(|_| self.pages == 0 && !self.told_total());
        content
            .tally
            .unreadable(page.issues.len() + unreadable.len());
        self.flawed |= content.tally.has_quarantined();
        let requests = u64::from(page.requests) + u64::from(read.failed);
        content.tally.requests(requests);
        content.tally.seconds(self.elapsed());
        if self.compares {
            let shown = Shown {
                keys: &keys,
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
        Ok(content)
    }

    /// Counts a page's rows and notes the latest change among them. Returns the keys where they will be compared.
    fn note(&mut self, page: &Page) -> Vec<SortKey> {
        let rows = page.items.len() + page.issues.len();
        self.pass.rows += u64::try_from(rows).unwrap_or(u64::MAX);
        self.pass.blind |= page.issues.iter().any(|issue| issue.key.is_none());
        let times: Vec<&ChangeTime> = match &page.items {
            Items::Documents(rows) => rows
                .iter()
                .filter_map(|row| row.changed_at.as_ref())
                .collect(),
            Items::Stubs(rows) => rows
                .iter()
                .filter_map(|row| row.changed_at.as_ref())
                .collect(),
        };
        self.deleted += count_deleted(&page.items);
        let mut latest = self.pass.largest.take();
        for time in times {
            if latest.as_ref().is_none_or(|latest| time.at > latest.at) {
                latest = Some(time.clone());
            }
        }
        self.pass.largest = latest;
        if !self.compares {
            return Vec::new();
        }
        let order = self.plan.entity.key_order;
        match &page.items {
            Items::Documents(rows) => rows.iter().map(|row| order.sort_key(&row.key)).collect(),
            Items::Stubs(rows) => rows.iter().map(|row| order.sort_key(&row.key)).collect(),
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
        let is_whole = self.pass.run == self.task.run || self.stream.role == Role::Changes;
        let stored = self.stored.bound.clone();
        let token = token.filter(|_| is_whole && !self.flawed);
        StreamState {
            bound: bound::after_pass(self.stream, stored, &self.pass, token),
            mapped_by: self.task.request.mapper.version().to_owned(),
            pass: None,
            suspect: false,
            // The marks of another run's listing are lost, so one from the beginning is still due.
            completed_at: if is_whole {
                Some(self.task.engine.clock.now())
            } else {
                self.stored.completed_at
            },
        }
    }

    async fn commit(&mut self, state: StreamState, content: Content) -> Result<(), Stop> {
        let name = &self.stream.name;
        self.task
            .commit(&self.plan.entity, name, state, content)
            .await?;
        self.pages += 1;
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

fn begun_by(run: RunId, started_at: DateTime<Utc>, observation: i64, from: Option<Bound>) -> Pass {
    Pass {
        run,
        started_at,
        observation,
        from,
        cursor: None,
        position: None,
        largest: None,
        rows: 0,
        blind: false,
    }
}

/// Tells whether this run goes on with a pass that was left.
fn goes_on(task: &Task<'_>, (plan, stream): (&EntityPlan, &StreamInfo), pass: &Pass) -> bool {
    let from_elsewhere = match stream.role {
        Role::Changes => true,
        Role::Listing => {
            task.initial || (task.mode == Mode::Incremental && !plan.is_relied_on(stream))
        }
    };
    pass.run == task.run || (from_elsewhere && pass.cursor.is_some())
}

/// Tells whether a pass that was left has to be read from its beginning again.
fn starts_over(task: &Task<'_>, (plan, stream): (&EntityPlan, &StreamInfo), pass: &Pass) -> bool {
    // What was shown before may be gone since, and others would take it for being there.
    let relied_on = plan.is_relied_on(stream) && !task.initial;
    !stream.sorted || relied_on || (pass.blind && pass.cursor.is_none())
}

fn count_deleted(items: &Items) -> u64 {
    let deleted = match items {
        Items::Documents(rows) => rows.iter().filter(|row| row.deleted).count(),
        Items::Stubs(rows) => rows.iter().filter(|row| row.deleted).count(),
    };
    u64::try_from(deleted).unwrap_or(u64::MAX)
}

fn begins_at(task: &Task<'_>, stream: &StreamInfo, stored: &StreamState) -> Option<Bound> {
    let asks_for_news = match stream.role {
        Role::Changes => true,
        Role::Listing => {
            // That nothing changed at the source says nothing of what another mapping makes of it.
            let mapped_anew = stored.mapped_by != task.request.mapper.version();
            let whole = task.mode == Mode::Full || stored.pass.is_some() || mapped_anew;
            stream.cursor == CursorKind::Token && !whole
        }
    };
    stored.bound.clone().filter(|_| asks_for_news)
}

/// Tells whether an error may come from a cursor that the source no longer understands.
fn refuses(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Protocol
    )
}

/// Notices when a source leads in a circle, in constant memory: one cursor is remembered, and replaced by a later
/// one after 1, 2, 4, 8 ... pages, so that any circle is found once it has been gone round.
#[derive(Default)]
struct LoopGuard {
    remembered: Option<Cursor>,
    since: u64,
    until: u64,
}

impl LoopGuard {
    fn check(&mut self, cursor: &Cursor) -> Result<(), Stop> {
        if self.remembered.as_ref() == Some(cursor) {
            let message = "read a page: the source leads in a circle";
            return Err(Stop::Fault(Error::new(ErrorKind::Protocol, message)));
        }
        if self.since == self.until {
            self.remembered = Some(cursor.clone());
            self.until = (self.until * 2).max(1);
            self.since = 0;
        }
        self.since += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_round(path: impl Iterator<Item = u32>) -> bool {
        let mut guard = LoopGuard::default();
        let mut cursors = path.filter_map(|number| Cursor::from_text(number.to_string()));
        cursors.any(|cursor| guard.check(&cursor).is_err())
    }

    #[test]
    fn a_circle_is_noticed_wherever_it_begins() {
        assert!(!goes_round(0..10_000));
        for start in [0, 1, 7, 100] {
            for length in [1, 2, 3, 50] {
                let path = (0..start).chain((start..start + length).cycle().take(2_000));
                assert!(goes_round(path), "start {start}, length {length}");
            }
        }
    }
}
