//! How long to wait between attempts. The only file that knows `backoff`.

use std::time::Duration;

use backoff::backoff::Backoff;

/// The first wait, before chance is added or taken.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait, before chance is added or taken.
const LONGEST: Duration = Duration::from_secs(30);

/// An endless sequence of growing waits with chance in them, so that many clients do not come back at once.
#[derive(Debug)]
pub(crate) struct Delays {
    #[expect(
        clippy::disallowed_types,
        reason = "the one place that may: replacing the crate is replacing this file"
    )]
    sequence: backoff::ExponentialBackoff,
}

impl Delays {
    /// Begins at the first wait.
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_types, reason = "the one place that may")]
        let mut sequence = backoff::ExponentialBackoff {
            initial_interval: FIRST,
            max_interval: LONGEST,
            multiplier: 2.0,
            randomization_factor: 0.5,
            // It would be measured by the machine's clock; deadlines are kept elsewhere, by the injected one.
            max_elapsed_time: None,
            ..backoff::ExponentialBackoff::default()
        };
        sequence.reset();
        Self { sequence }
    }

    /// Returns the next wait.
    pub(crate) fn next(&mut self) -> Duration {
        self.sequence.next_backoff().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_with_half_of_them_left_to_chance() {
        let mut delays = Delays::new();
        let mut middle = FIRST;
        for _ in 0..12 {
            let delay = delays.next();
            let slack = Duration::from_millis(1);
            assert!(
                delay >= middle / 2 && delay <= middle * 3 / 2 + slack,
                "{delay:?} around {middle:?}"
            );
            middle = (middle * 2).min(LONGEST);
        }
    }

    #[test]
    fn two_sequences_differ() {
        let waits =
            |mut delays: Delays| -> Vec<Duration> { (0..8).map(|_| delays.next()).collect() };
        assert_ne!(waits(Delays::new()), waits(Delays::new()));
    }
}
