//! When a page may be asked for: in the run's turn, and while its bytes fit.

use std::time::Duration;

use wrenchtime_connector::StreamInfo;

use crate::flight::{self, Load};
use crate::task::{Stop, Task};
use crate::turns::Hold;

/// Lets a page be asked for and be in memory, until it is dropped.
///
/// The rule that keeps runs from waiting for each other in a circle: whoever has one waits for no other, neither for
/// room nor for a turn. So each one ends by itself, with its page written or its request failed.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) load: Load,
    turn: Option<Hold>,
}

impl Admission {
    /// Gives everything back. Returns how many bytes that was.
    fn give_back(&mut self) -> u64 {
        let bytes = self.load.bytes();
        self.load.set(0);
        self.turn = None;
        bytes
    }
}

impl Task<'_> {
    /// Waits until a page of about so many bytes may be asked for. Only for who has no other admission.
    pub(crate) async fn admit(&self, bytes: u64) -> Result<Admission, Stop> {
        let admitted = async {
            let turn = match &self.request.turn {
                Some(turn) => Some(turn.page().await),
                None => None,
            };
            let load = self.engine.budget.take(bytes).await;
            Admission { load, turn }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stop::Cancelled),
            admission = admitted => Ok(admission),
        }
    }

    /// Waits until the first page of a pass may be asked for.
    pub(crate) async fn admit_first(&self, stream: &StreamInfo) -> Result<Admission, Stop> {
        self.admit(flight::unseen(stream)).await
    }

    /// Lets another page be asked for beside the one that is being written, if that holds up nobody. Never waits.
    pub(crate) fn admit_ahead(&self, bytes: u64) -> Option<Admission> {
        let load = self.engine.budget.try_take(bytes)?;
        let turn = match &self.request.turn {
            Some(turn) => Some(turn.try_page()?),
            None => None,
        };
        Some(Admission { load, turn })
    }

    /// Waits before a request is repeated. Meanwhile others may work with what it was admitted with.
    pub(crate) async fn wait(
        &self,
        gap: Duration,
        admission: Option<&mut Admission>,
    ) -> Result<(), Stop> {
        let rests = admission.map(|admission| (admission.give_back(), admission));
        let others_work = async {
            if let Some(turn) = self.request.turn.as_ref().filter(|_| rests.is_some()) {
                turn.rest().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Stop::Cancelled),
            () = self.engine.clock.sleep(gap) => {}
            () = others_work => {}
        }
        if let Some((bytes, admission)) = rests {
            *admission = self.admit(bytes).await?;
        }
        Ok(())
    }
}
