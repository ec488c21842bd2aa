//! How a pass begins: where another one was left, or anew.

use chrono::{DateTime, Utc};
use wrenchtime_connector::{
    Bound, CursorKind, Error, ErrorKind, Next, PageRequest, Role, StreamInfo,
};
use wrenchtime_model::RunId;

use crate::fetch::{Held, Observed};
use crate::plan::EntityPlan;
use crate::task::{Stop, Task};
use crate::{Mode, Pass, StreamState};

/// What is left of a pass that did not come to its end.
pub(crate) struct Left {
    /// The pass, where it can be gone on with, and its next page.
    pub(crate) opened: Option<(Pass, Observed<Held>)>,
    /// What was there the first time may be gone, and nobody would notice.
    pub(crate) blind: bool,
}

impl Left {
    /// Goes on with a pass that was left, if there is one and the source still knows the way.
    pub(crate) async fn look(
        task: &Task<'_>,
        (plan, stream): (&EntityPlan, &StreamInfo),
        stored: &StreamState,
    ) -> Result<Self, Stop> {
        let pass = stored.pass.clone();
        let Some(pass) = pass.filter(|pass| goes_on(task, (plan, stream), pass)) else {
            return Ok(Self::nothing(false));
        };
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
            Ok(page) => Ok(Self {
                opened: Some((pass, page)),
                blind: false,
            }),
            Err(Stop::Fault(error)) if pass.cursor.is_some() && refuses(&error) => {
                tracing::info!(stream = %stream.name, error = %error, "pass begins anew");
                // The run's marks are of the abandoned pass too.
                Ok(Self::nothing(pass.run == task.run))
            }
            Err(other) => Err(other),
        }
    }

    fn nothing(blind: bool) -> Self {
        Self {
            opened: None,
            blind,
        }
    }
}

/// Begins a pass, and reads its first page.
pub(crate) async fn begin(
    task: &Task<'_>,
    stream: &StreamInfo,
    (stored, begun): (&StreamState, DateTime<Utc>),
) -> Result<(Pass, Observed<Held>), Stop> {
    let from = begins_at(task, stream, stored);
    let request = PageRequest::new(stream.name.clone()).with_from(from.clone());
    let admission = task.admit_first(stream).await?;
    let observation = task.last_observation();
    let page = task.read_page(request, admission).await?;
    let started_at = task.source_clock.at(begun);
    Ok((begun_by(task.run, started_at, observation, from), page))
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
