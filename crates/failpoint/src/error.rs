//! Why no point was armed.

/// Why no point was armed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotArmed {
    /// It is not written as `name:N`, with N from 1.
    #[error("{0:?} is not written as name:N, with N from 1")]
    Form(String),
    /// There is no such point.
    #[error("no failpoint is named {name:?}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// This is no build for tests.
    #[error("this build has no failpoints")]
    Off,
    /// Another one was armed before.
    #[error("a failpoint is armed already")]
    Again,
}
