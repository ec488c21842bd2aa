//! Faults that a simulator can be told to show.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::plant::Rng;

/// One way in which a vendor fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers 429.
    TooManyRequests {
        /// Seconds in the `Retry-After` header; `None` leaves the header out.
        retry_after: Option<u64>,
    },
    /// Answers with this 5xx status and a page that is not JSON.
    ServerError(u16),
    /// Answers correctly, but only after this time (of the computer's clock).
    Slow(Duration),
    /// Closes the connection without a reply.
    Drop,
    /// Announces the whole body, sends half of it, closes the connection.
    Truncate,
    /// Refuses the token of the request as too old, now and later.
    ExpiredToken,
    /// Answers 200 with a body that is not JSON.
    Malformed,
    /// Adds a key that no documentation knows to every entity of the reply.
    UnknownField,
    /// Puts a member that no documentation knows into an enumeration of every entity of the reply.
    UnknownEnumMember,
}

/// Shared handle on the faults of one simulator.
///
/// Faults meet *data requests* only; requests for a token have their own queue ([`inject_token`](Self::inject_token)).
/// A request meets at most one fault: the one set for its index, else the next in the queue, else a random one.
#[derive(Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: u64,
    queue: VecDeque<Fault>,
    token_queue: VecDeque<Fault>,
    at: BTreeMap<u64, Fault>,
    random: Option<Random>,
}

struct Random {
    rng: Rng,
    rate: f64,
    of: Vec<Fault>,
}

impl Faults {
    /// Returns a handle without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next data request fail.
    pub fn inject(&self, fault: Fault) {
        self.inject_times(1, fault);
    }

    /// Makes the next `times` data requests fail in the same way, after those already queued.
    pub fn inject_times(&self, times: usize, fault: Fault) {
        self.state().queue.extend(std::iter::repeat_n(fault, times));
    }

    /// Makes the data request with this index fail, counted from 0 since the start or the last [`clear`](Self::clear).
    pub fn inject_at(&self, request_index: u64, fault: Fault) {
        self.state().at.insert(request_index, fault);
    }

    /// Makes the next request for a token fail. Only faults of transport and status make sense here.
    pub fn inject_token(&self, fault: Fault) {
        self.state().token_queue.push_back(fault);
    }

    /// Makes a share of the data requests (`rate`, 0 to 1) fail in ways that a patient client survives: 429 with and without
    /// `Retry-After` (0 seconds), 500, dropped, truncated and with an expired token. The same seed gives the same sequence.
    pub fn random(&self, seed: u64, rate: f64) {
        self.random_of(
            seed,
            rate,
            vec![
                Fault::TooManyRequests { retry_after: None },
                Fault::TooManyRequests {
                    retry_after: Some(0),
                },
                Fault::ServerError(500),
                Fault::Drop,
                Fault::Truncate,
                Fault::ExpiredToken,
            ],
        );
    }

    /// Does what [`random`](Self::random) does, choosing from the given faults. An empty list switches random faults off.
    pub fn random_of(&self, seed: u64, rate: f64, of: Vec<Fault>) {
        let rng = Rng::new(seed);
        self.state().random = (!of.is_empty()).then_some(Random { rng, rate, of });
    }

    /// Forgets all faults and starts counting requests from 0 again.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// Counts a data request and returns the fault that it meets.
    pub(crate) fn next(&self) -> Option<Fault> {
        let mut guard = self.state();
        let state = &mut *guard;
        let index = state.requests;
        state.requests += 1;
        if let Some(fault) = state.at.remove(&index) {
            return Some(fault);
        }
        if let Some(fault) = state.queue.pop_front() {
            return Some(fault);
        }
        let random = state.random.as_mut()?;
        (random.rng.fraction() < random.rate).then(|| random.rng.pick(&random.of).clone())
    }

    /// Returns the fault that a request for a token meets.
    pub(crate) fn next_token(&self) -> Option<Fault> {
        self.state().token_queue.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Faults")
            .field("requests", &state.requests)
            .field("queued", &state.queue)
            .field("at", &state.at)
            .field("random", &state.random.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults};

    #[test]
    fn index_goes_before_queue() {
        let faults = Faults::new();
        faults.inject_at(1, Fault::Drop);
        faults.inject_times(2, Fault::Truncate);
        let seen: Vec<_> = (0..4).map(|_| faults.next()).collect();
        assert_eq!(
            seen,
            [
                Some(Fault::Truncate),
                Some(Fault::Drop),
                Some(Fault::Truncate),
                None
            ]
        );
    }

    #[test]
    fn random_faults_repeat_by_seed_and_keep_the_rate() {
        let draw = |seed| {
            let faults = Faults::new();
            faults.random(seed, 0.25);
            (0..2000).map(|_| faults.next()).collect::<Vec<_>>()
        };
        let first = draw(7);
        assert_eq!(first, draw(7));
        assert_ne!(first, draw(8));
        let hits = first.iter().flatten().count();
        assert!((400..600).contains(&hits), "{hits} of 2000");
    }

    #[test]
    fn clear_forgets_everything() {
        let faults = Faults::new();
        faults.inject(Fault::Drop);
        faults.inject_token(Fault::Drop);
        faults.random(1, 1.0);
        faults.clear();
        assert_eq!((faults.next(), faults.next_token()), (None, None));
    }
}
