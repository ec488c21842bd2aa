//! Asking the source: numbered, cancellable, repeated where that is worth it.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use wrenchtime_connector::{
    Document, EntityInfo, Error, ErrorKind, Page, PageRequest, RemoteKey, Retry, RowIssue,
};
use wrenchtime_failpoint::{self as failpoint, Point};

use crate::admission::Admission;
use crate::flight;
use crate::task::{Stop, Task};

/// What came of a request, with the number that was drawn before it left.
#[derive(Debug)]
pub(crate) struct Observed<T> {
    pub(crate) what: T,
    pub(crate) observation: i64,
    /// Requests that failed before it.
    pub(crate) failed: u32,
}

/// A page in memory, and what lets it be there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) page: Page,
    pub(crate) admission: Admission,
}

/// Rows read by key, and how many requests that took.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) documents: HashMap<RemoteKey, (Document, i64)>,
    /// Rows on which the source or the connector breaks, found by asking for fewer and fewer.
    pub(crate) unreadable: Vec<RowIssue>,
    pub(crate) requests: u64,
    /// Too many rows broke: the fault is taken to lie elsewhere. What was read before is there, the keys from here on were not
    /// asked for to the end.
    pub(crate) given_up: Option<(Error, Vec<RemoteKey>)>,
}

/// How many unreadable rows of a page are told apart before the fault is taken to lie elsewhere.
const UNREADABLE: usize = 10;

/// What is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Patience {
    /// Everything that is worth it.
    Full,
    /// Not what will be asked again in smaller parts.
    Split,
}

type Call<'c, T> = Pin<Box<dyn Future<Output = wrenchtime_connector::Result<T>> + Send + 'c>>;

impl Task<'_> {
    /// Reads a page.
    pub(crate) async fn read_page(
        &self,
        request: PageRequest,
        mut admission: Admission,
    ) -> Result<Observed<Held>, Stop> {
        let connector = &self.request.connector;
        let read = self
            .attempt(Patience::Full, Some(&mut admission), || {
                connector.read_page(&self.cx, request.clone())
            })
            .await?;
        if let Some(time) = read.what.source_time {
            self.source_clock.told(time, self.engine.clock.now());
        }
        admission.load.set(flight::of_page(&read.what));
        Ok(Observed {
            what: Held {
                page: read.what,
                admission,
            },
            observation: read.observation,
            failed: read.failed,
        })
    }

    /// Reads rows by key, in as many calls as the entity needs, and adds them to what is in flight. Rows that are gone
    /// are not among them.
    pub(crate) async fn fetch_rows(
        &self,
        entity: &EntityInfo,
        keys: &[RemoteKey],
        admission: &mut Admission,
    ) -> Result<Rows, Stop> {
        let mut rows = self.fetch_some(entity, keys, admission).await?;
        match rows.given_up.take() {
            Some((error, _)) => Err(Stop::Fault(error)),
            None => Ok(rows),
        }
    }

    /// The same, with what was read before it was given up.
    pub(crate) async fn fetch_some(
        &self,
        entity: &EntityInfo,
        keys: &[RemoteKey],
        admission: &mut Admission,
    ) -> Result<Rows, Stop> {
        let mut rows = Rows::default();
        if keys.is_empty() {
            return Ok(rows);
        }
        let Some(limit) = entity.fetch_limit else {
            let message = "complete rows by key: the entity declares no fetching";
            return Err(Stop::Fault(Error::new(ErrorKind::Unsupported, message)));
        };
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let mut left: Vec<(&[RemoteKey], Patience)> = keys
            .chunks(limit)
            .map(|some| (some, Patience::Full))
            .rev()
            .collect();
        let connector = &self.request.connector;
        while let Some((some, patience)) = left.pop() {
            let read = self
                .attempt(patience, None, || {
                    connector.fetch(&self.cx, &entity.name, some)
                })
                .await;
            match read {
                Ok(read) => {
                    rows.requests += u64::from(read.failed);
                    admission.load.add(flight::of_documents(&read.what));
                    let asked_for = |document: &Document| some.contains(&document.key);
                    for document in read.what.into_iter().filter(asked_for) {
                        let key = document.key.clone();
                        rows.documents.insert(key, (document, read.observation));
                    }
                }
                Err(Stop::Fault(error)) if lies_in_a_row(&error) => {
                    if some.len() > 1 {
                        let (first, second) = some.split_at(some.len() / 2);
                        left.extend([(second, Patience::Split), (first, Patience::Split)]);
                    } else if rows.unreadable.len() < UNREADABLE {
                        let place = format!("{} {}", entity.name, some[0]);
                        let issue = RowIssue::new(Some(some[0].clone()), place, error.to_string());
                        rows.unreadable.push(issue);
                    } else {
                        left.push((some, patience));
                        let left = left.iter().rev().flat_map(|(keys, _)| keys.iter().cloned());
                        rows.given_up = Some((error, left.collect()));
                        return Ok(rows);
                    }
                }
                Err(other) => return Err(other),
            }
            rows.requests += 1;
        }
        Ok(rows)
    }

    /// Asks until there is an answer, or an error that is not worth another attempt. What lets nothing but this
    /// request be in memory rests in between.
    async fn attempt<'c, T>(
        &self,
        patience: Patience,
        mut admission: Option<&mut Admission>,
        call: impl Fn() -> Call<'c, T>,
    ) -> Result<Observed<T>, Stop> {
        let mut failed = 0;
        loop {
            let observation = self.observe();
            failpoint::pass(Point::FetchBefore);
            let answer = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Stop::Cancelled),
                answer = call() => answer,
            };
            failpoint::pass(Point::FetchAfter);
            let error = match answer {
                Ok(what) => {
                    return Ok(Observed {
                        what,
                        observation,
                        failed,
                    });
                }
                // A call that was told to end says that the source is unavailable, which is not the source's fault.
                Err(_) if self.stop.is_cancelled() => return Err(Stop::Cancelled),
                Err(error) => error,
            };
            let repeats = patience == Patience::Full || !lies_in_a_row(&error);
            let Some(gap) = self.gap(&error, failed).filter(|_| repeats) else {
                return Err(Stop::of(error));
            };
            failed += 1;
            tracing::debug!(error = %error, attempt = failed, ?gap, "read repeated");
            self.wait(gap, admission.as_deref_mut()).await?;
        }
    }

    /// Returns how long to wait before a repetition, or nothing when there is to be none.
    fn gap(&self, error: &Error, failed: u32) -> Option<Duration> {
        let options = &self.engine.options;
        let Retry::After(asked) = error.retry() else {
            return None;
        };
        let grown = options
            .retry_gap
            .saturating_mul(4_u32.saturating_pow(failed));
        let gap = grown.max(asked.unwrap_or_default());
        (failed < options.retries && gap <= options.longest_gap).then_some(gap)
    }
}

/// Tells whether it may be one of several rows on which a request breaks.
fn lies_in_a_row(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Protocol | ErrorKind::Invalid | ErrorKind::NotFound
    )
}
