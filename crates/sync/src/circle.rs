//! Sources that lead in a circle.

use wrenchtime_connector::{Cursor, Error, ErrorKind};

use crate::task::Stop;

/// Notices when a source leads in a circle, in constant memory: one cursor is remembered, and replaced by a later
/// one after 1, 2, 4, 8 ... pages, so that any circle is found once it has been gone round.
#[derive(Default)]
pub(crate) struct LoopGuard {
    remembered: Option<Cursor>,
    since: u64,
    until: u64,
}

impl LoopGuard {
    pub(crate) fn check(&mut self, cursor: &Cursor) -> Result<(), Stop> {
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
