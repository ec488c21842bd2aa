//! Whether a complete pass can be believed.

use serde_json::json;
use wrenchtime_model::EventType;

use crate::{Judgement, LifecycleEvent, Suspicion};

/// What comes of looking at a complete pass.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) judgement: Judgement,
    pub(crate) event: Option<LifecycleEvent>,
}

impl Judged {
    pub(crate) fn settled(lifts: bool) -> Self {
        let judgement = if lifts {
            Judgement::Lift
        } else {
            Judgement::Keep
        };
        Self {
            verdict: Verdict::Settled,
            judgement,
            event: None,
        }
    }
}

/// Whether a complete pass can be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It can, and the copy agrees with it.
    Settled,
    /// So much is missing that an operator has to say.
    Suspect,
    /// It says nothing of that: what was doubted is doubted still.
    Open,
}

/// What a complete pass did not show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) missing: u64,
    pub(crate) stored: u64,
    /// The pass showed no row at all.
    pub(crate) is_empty: bool,
}

impl Loss {
    /// Returns what is left of it when so many of the rows are gone for sure.
    pub(crate) fn without(self, gone: u64) -> Self {
        Self {
            missing: self.missing.saturating_sub(gone),
            stored: self.stored.saturating_sub(gone),
            ..self
        }
    }

    /// Tells whether it is too much to be believed.
    pub(crate) fn is_suspect(self) -> bool {
        is_suspect(self.missing, self.stored) || (self.is_empty && self.stored > 0)
    }
}

pub(crate) fn is_confirmed(suspicion: &Suspicion) -> bool {
    suspicion.confirmed_at.is_some()
}

pub(crate) fn told(suspicion: &Suspicion) -> LifecycleEvent {
    let data = json!({
        "code": "suspect_run",
        "suspicion": suspicion.id,
        "stream": suspicion.stream.as_str(),
        "entity": suspicion.entity.as_str(),
        "missing": suspicion.missing,
        "stored": suspicion.stored,
    });
    let event = EventType::SystemError;
    LifecycleEvent { event, data }
}

/// Tells whether more than 10 % and more than 10 rows are missing.
fn is_suspect(missing: u64, stored: u64) -> bool {
    missing > 10 && missing.saturating_mul(10) > stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_ten_and_more_than_a_tenth_is_suspect() {
        assert!(!is_suspect(0, 0));
        assert!(!is_suspect(10, 10));
        assert!(is_suspect(11, 11));
        assert!(is_suspect(11, 109));
        assert!(!is_suspect(11, 110));
    }

    #[test]
    fn an_empty_pass_is_suspect_until_nothing_is_left_to_lose() {
        let loss = Loss {
            missing: 3,
            stored: 3,
            is_empty: true,
        };
        assert!(loss.is_suspect() && loss.without(2).is_suspect());
        assert!(!loss.without(3).is_suspect());
    }
}
