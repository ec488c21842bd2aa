//! How a pass begins: where another one was left, or anew.

use chrono::{DateTime, Utc};
use wrenchtime_connector::{
    Bound, CursorKind, Error, ErrorKind, Next, PageRequest, Role, StreamInfo,
};
use wrenchtime_model::RunId;

use crate::bound;
use crate::fetch::{Held, Observed};
use crate::plan::EntityPlan;
use crate::task::{Stop, Task};
use crate::window::{Window, is_wider};
use crate::{Mode, Pass, StreamState};

/// What is left of a pass that did not come to its end.
pub(crate) struct Left {
    /// The pass, where it can be gone on with, and its next page.
    pub(crate) opened: Option<(Pass, Observed<Held>)>,
    /// What was there the first time may be gone, and nobody would notice.
    pub(crate) blind: bool,
}

impl Left {
    /// Goes on with a pass that was left, if there is one and the source still knows the way. Nothing where the source has
    /// forgotten what it began from.
    pub(crate) async fn look(
        task: &Task<'_>,
        (plan, stream): (&EntityPlan, &StreamInfo),
        stored: &StreamState,
    ) -> Result<Option<Self>, Stop> {
        let Some(pass) = stored.pass.clone() else {
            return Ok(Self::nothing(false));
        };
        if !goes_on(task, (plan, stream), &pass) {
            // Where it is this run's all the same, the run's marks are of it too.
            return Ok(Self::nothing(pass.run == task.run));
        }
        if plan.stands_for_changes(stream) {
            return Ok(Self::nothing(pass.run == task.run));
        }
        // Without a place to go on from, everything is read again, and what was there the first time may be gone.
        if plan.shows_absence(stream) && starts_over(task, (plan, stream), &pass) {
            return Ok(Self::nothing(true));
        }
        let request = PageRequest::new(stream.name.clone())
            .with_from(pass.from.clone())
            .with_cursor(pass.cursor.clone());
        let admission = task.admit_first(stream).await?;
        match task.read_page(request, admission).await {
            // A part of what the source was in between is in the copy. That it is now as it was before that says nothing.
            Ok(page) if page.what.page.next == Next::Unchanged => {
                Ok(Self::nothing(pass.run == task.run))
            }
            Ok(_) if is_forgotten(task, (plan, stream), pass.from.as_ref()) => Ok(None),
            Ok(page) => Ok(Some(Self {
                opened: Some((pass, page)),
                blind: false,
            })),
            Err(Stop::Fault(error)) if pass.cursor.is_some() && refuses(&error) => {
                tracing::info!(stream = %stream.name, error = %error, "pass begins anew");
                // The run's marks are of the abandoned pass too.
                Ok(Self::nothing(pass.run == task.run))
            }
            Err(other) => Err(other),
        }
    }

    fn nothing(blind: bool) -> Option<Self> {
        Some(Self {
            opened: None,
            blind,
        })
    }
}

/// Begins a pass, and reads its first page. Nothing where the source has forgotten what it is to begin from.
pub(crate) async fn begin(
    task: &Task<'_>,
    (plan, stream): (&EntityPlan, &StreamInfo),
    (stored, begun): (&StreamState, DateTime<Utc>),
) -> Result<Option<(Pass, Observed<Held>)>, Stop> {
    let mut from = begins_at(task, (plan, stream), stored);
    loop {
        let request = PageRequest::new(stream.name.clone()).with_from(from.clone());
        let admission = task.admit_first(stream).await?;
        let observation = task.last_observation();
        let page = match task.read_page(request, admission).await {
            Err(Stop::Fault(error)) if refuses_bound(task, (plan, stream), (&from, &error)) => {
                tracing::info!(stream = %stream.name, error = %error, "the bound is refused");
                if stream.role == Role::Changes {
                    return Ok(None);
                }
                from = None;
                continue;
            }
            read => read?,
        };
        if is_forgotten(task, (plan, stream), from.as_ref()) {
            return Ok(None);
        }
        let started_at = task.source_clock.at(begun);
        let pass = Pass {
            since: task.window(plan).map(Window::since),
            ..begun_by(task.run, started_at, observation, from)
        };
        return Ok(Some((pass, page)));
    }
}

/// Tells whether the source has forgotten changes since a bound, and there may be a better one.
fn is_forgotten(
    task: &Task<'_>,
    (plan, stream): (&EntityPlan, &StreamInfo),
    from: Option<&Bound>,
) -> bool {
    let now = task.source_clock.at(task.engine.clock.now());
    stream.role == Role::Changes && !plan.has_lost(stream) && bound::is_forgotten(stream, from, now)
}

/// Tells whether an error may come from a bound that the source does not know any more.
///
/// A bound in time must be as old as the source's history or as the gap between listings: a young one is refused for
/// another reason, and listing everything in each run would not help.
fn refuses_bound(
    task: &Task<'_>,
    (plan, stream): (&EntityPlan, &StreamInfo),
    (from, error): (&Option<Bound>, &Error),
) -> bool {
    if !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) || plan.has_lost(stream) {
        return false;
    }
    match from {
        Some(Bound::Time { at, .. }) => {
            let usual = task.engine.options.listing_interval;
            let age = bound::safe_history(stream).map_or(usual, |history| history.min(usual));
            let now = task.source_clock.at(task.engine.clock.now());
            (now - *at).to_std().is_ok_and(|since| since >= age)
        }
        Some(Bound::Token(_)) => true,
        None => false,
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
        since: None,
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
    let leaves_out_as_much = pass.since == task.window(plan).map(Window::since);
    leaves_out_as_much && (pass.run == task.run || (from_elsewhere && pass.cursor.is_some()))
}

/// Tells whether a pass that was left has to be read from its beginning again.
fn starts_over(task: &Task<'_>, (plan, stream): (&EntityPlan, &StreamInfo), pass: &Pass) -> bool {
    // What was shown before may be gone since, and others would take it for being there.
    let relied_on = plan.is_relied_on(stream) && !task.initial;
    !stream.sorted || relied_on || (pass.blind && pass.cursor.is_none())
}

fn begins_at(
    task: &Task<'_>,
    (plan, stream): (&EntityPlan, &StreamInfo),
    stored: &StreamState,
) -> Option<Bound> {
    let asks_for_news = match stream.role {
        Role::Changes => true,
        Role::Listing => {
            // That nothing changed at the source says nothing of what another mapping makes of it.
            let mapped_anew = stored.mapped_by != task.request.mapper.version();
            let takes_in_more = is_wider(task.window(plan).map(Window::since), stored.since);
            let all_anew = task.mode == Mode::Full || mapped_anew || takes_in_more;
            let whole = all_anew || stored.pass.is_some();
            stream.cursor == CursorKind::Token && !whole && !plan.stands_for_changes(stream)
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
