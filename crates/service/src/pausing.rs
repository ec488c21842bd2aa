//! Connections that are not read for a while.

use serde_json::json;
use wrenchtime_model::ConnectionId;

use crate::storage::{StoredConnection, Transition};
use crate::{Actor, Error, Result, Service, State, Trigger};

/// What an operator does, and how it is told.
#[derive(Clone, Copy)]
struct Step {
    trigger: Trigger,
    /// The state that it leads to. Whoever is there already stays there.
    to: State,
    audited: &'static str,
    refused: &'static str,
}

const PAUSE: Step = Step {
    trigger: Trigger::Pause,
    to: State::Paused,
    audited: "connection.paused",
    refused: "pausing",
};

const RESUME: Step = Step {
    trigger: Trigger::Resume,
    to: State::Active,
    audited: "connection.resumed",
    refused: "resuming",
};

impl Service {
    /// Stops reading a connection for now: no run begins until it is resumed, also after a restart. A run under way is
    /// left after the last page that it wrote. What is stored is served. Does nothing to a paused one.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::State`] where nothing is read anyway; or when the store fails.
    pub async fn pause(&self, id: ConnectionId, actor: &Actor) -> Result<StoredConnection> {
        self.step(id, PAUSE, actor).await
    }

    /// Lets a paused connection be read again: a run that was left goes on at once where it stopped, what was asked for
    /// before the pause follows, and the schedule counts. Does nothing to one that is active.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::State`] in any other state; or when the store fails.
    pub async fn resume(&self, id: ConnectionId, actor: &Actor) -> Result<StoredConnection> {
        self.step(id, RESUME, actor).await
    }

    /// Does it to its end also when whoever asked goes away: the state in the store and the tasks here go together.
    async fn step(&self, id: ConnectionId, step: Step, actor: &Actor) -> Result<StoredConnection> {
        let (service, actor) = (self.clone(), actor.clone());
        let stepped = async move { service.step_whole(id, step, &actor).await };
        self.runner.finish(stepped).await
    }

    async fn step_whole(
        &self,
        id: ConnectionId,
        step: Step,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        loop {
            let connection = core.connection(id).await?;
            if connection.state == step.to {
                return Ok(connection);
            }
            let Some(change) = connection.state.after(step.trigger) else {
                return Err(Error::State {
                    id,
                    state: connection.state,
                    action: step.refused,
                });
            };
            let detail = json!({ "from": connection.state });
            let transition = Transition {
                id,
                expected: vec![connection.state],
                sealed: None,
                to: change.to,
                reason: None,
                event: change.event_of(&connection, None),
                at: core.clock.now(),
                audit: core.audit(actor, step.audited, Some(id), detail),
            };
            // Nothing is returned when something else moved it meanwhile, a run for example.
            if let Some(connection) = core.connections.transition(transition).await? {
                match change.to {
                    State::Paused => self.runner.pause(id),
                    _ => self.runner.resume(id).await,
                }
                return Ok(connection);
            }
        }
    }
}
