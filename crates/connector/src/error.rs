//! What can go wrong at a source. Nothing but [`ErrorKind`] and [`Retry`] decides what happens next.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// Result of a call to a source.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a source: a kind to branch on, and words for people.
///
/// Never holds a secret, a body or a query string.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    system: Option<String>,
    operation: Option<String>,
    context: Vec<(&'static str, String)>,
    fields: Vec<FieldError>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source refuses the credentials: somebody must give others. Never retried.
    ReauthorizationRequired,
    /// The account may not do or see this. Never retried; other streams go on.
    PermissionDenied,
    /// The source asks for fewer requests. Retried, after the time that it says.
    RateLimited,
    /// What was asked for does not exist. Never retried.
    NotFound,
    /// The row changed or went meanwhile. Never retried blindly.
    Conflict,
    /// The request or a setting is wrong; [`Error::fields`] may say where. Never retried.
    Invalid,
    /// The connector does not do this. No request was sent.
    Unsupported,
    /// The source does not answer, or says that it cannot now. Retried.
    Unavailable,
    /// The answer was not understood. Retried where reading; a redacted sample may be in the context.
    Protocol,
}

impl ErrorKind {
    /// Returns the name used in the API and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReauthorizationRequired => "reauthorization_required",
            Self::PermissionDenied => "permission_denied",
            Self::RateLimited => "rate_limited",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// It does not.
    Never,
    /// It does, not before this much time where the source named one.
    After(Option<Duration>),
}

/// What is wrong with one field of a request or one setting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FieldError {
    /// The field.
    pub field: String,
    /// What is wrong with it, without its value.
    pub message: String,
}

impl Error {
    /// Makes an error. The message says what was attempted, on what: lower case, no full stop, no secret.
    ///
    /// Rate limits, unavailability and replies that were not understood are worth a retry, everything else is not.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = match kind {
            ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Protocol => {
                Retry::After(None)
            }
            ErrorKind::ReauthorizationRequired
            | ErrorKind::PermissionDenied
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::Unsupported => Retry::Never,
        };
        Self(Box::new(Inner {
            kind,
            retry,
            message: message.into(),
            system: None,
            operation: None,
            context: Vec::new(),
            fields: Vec::new(),
            source: None,
        }))
    }

    /// Says whether trying again makes sense, where the kind alone does not.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds a fact, for people and logs.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// Adds what is wrong with a field.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.fields.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says which system and operation it was, unless that is known already.
    #[must_use]
    pub fn at(mut self, system: &str, operation: &str) -> Self {
        self.0.system.get_or_insert_with(|| system.to_owned());
        self.0.operation.get_or_insert_with(|| operation.to_owned());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether trying again makes sense.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns the sentence, without system and context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the system, where known.
    pub fn system(&self) -> Option<&str> {
        self.0.system.as_deref()
    }

    /// Returns the operation, where known.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// Returns the facts.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// Returns what is wrong with single fields.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(system) = &self.0.system {
            write!(f, "{system}: ")?;
        }
        f.write_str(&self.0.message)?;
        for field in &self.0.fields {
            write!(f, "; {} {}", field.field, field.message)?;
        }
        if !self.0.context.is_empty() {
            let facts: Vec<String> = self
                .0
                .context
                .iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            write!(f, " ({})", facts.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retry", &self.0.retry)
            .field("system", &self.0.system)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("context", &self.0.context)
            .field("fields", &self.0.fields)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_stays_small() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn it_says_what_happened_and_where() {
        let error = Error::new(
            ErrorKind::RateLimited,
            "query orders: the source asks to wait",
        )
        .with_context("status", "429")
        .at("acme", "read_page")
        .at("other", "other");
        assert_eq!(
            error.to_string(),
            "acme: query orders: the source asks to wait (status 429)"
        );
        assert_eq!(error.retry(), Retry::After(None));
    }
}
