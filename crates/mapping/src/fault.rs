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

/// Returns the known name that is closest to a wrong one, case aside, if any is close: letters put in, left out, changed
/// and swapped with their neighbour are counted.
pub(crate) fn nearest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let limit = (wrong.chars().count() / 3).max(1);
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name.to_owned())
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
}
