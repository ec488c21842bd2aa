//! What is wrong with a mapping.

use std::cell::RefCell;
use std::fmt;

/// Why a mapping could not be compiled: every fault at once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct CompileError {
    faults: Vec<Fault>,
}

impl CompileError {
    /// Returns the faults, in the order of the mapping's parts. There is at least one.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(
            f,
            "the mapping has {count} fault{}",
            if count == 1 { "" } else { "s" }
        )?;
        self.faults
            .iter()
            .try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// One thing that is wrong with a mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// Where: `map[2] (Location -> asset).fields.status`, maps counted from 0, or a line of text that is no TOML.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// The known name that may have been meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

/// Faults found so far, shared by all that look for them.
#[derive(Default, Debug)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(
        &self,
        place: impl Into<String>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let fault = Fault {
            place: place.into(),
            message: message.into(),
            suggestion,
        };
        let mut faults = self.0.borrow_mut();
        // A value map that several fields share is checked with each of them.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    pub(crate) fn into_result(self) -> Result<(), CompileError> {
        let faults = self.0.into_inner();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(CompileError { faults })
        }
    }
}

/// Returns the known name that is closest to a wrong one, if any is close.
pub(crate) fn nearest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Returns how many letters must be put in, left out, changed or swapped with their neighbour, case aside.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.chars().flat_map(char::to_lowercase).collect() };
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped {
                    rows[i - 2][j - 2] + 1
                } else {
                    changed
                };
                changed
                    .min(swap)
                    .min(rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["status", "source_status", "status_reason", "title"];
        assert_eq!(nearest("statsu", known).as_deref(), Some("status"));
        assert_eq!(nearest("Title", known).as_deref(), Some("title"));
        assert_eq!(
            nearest("sorce_status", known).as_deref(),
            Some("source_status")
        );
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", known), None);
    }

    #[test]
    fn distances_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("AB", "ab", 0),
            ("opne", "open", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
