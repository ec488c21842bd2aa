//! What can be wrong with a folder and its files, in sentences that say what to do.

use std::io;
use std::time::Duration;

use wrenchtime_connector::{Error, ErrorKind, Retry};

#[derive(Debug)]
pub(crate) enum Fault {
    /// The folder cannot be opened.
    Folder(Error),
    /// The folder has no such file.
    Missing { file: String },
    /// The service may not read the file.
    Refused { file: String },
    /// The file cannot be opened for another reason.
    Open(Error),
    /// The file cannot be read on.
    Io { file: String, source: io::Error },
    /// The file has not even a header.
    Empty { file: String },
    /// The file is not UTF-8.
    Encoding { file: String, found: &'static str },
    /// Headers do not fit the profile: a sentence each.
    Columns(Vec<String>),
    /// The file ends in the middle of a row.
    CutOff { file: String, line: u64 },
    /// A row has no end.
    TooLong { file: String, line: u64 },
    /// Somebody wrote into the file too short a time ago: perhaps it is not whole yet.
    Unsettled(Box<Unsettled>),
    /// The files are not those with which the pass began.
    Changed,
    /// The caller has no more use for the answer.
    Stopped,
    /// The cursor is none of ours.
    Cursor,
}

/// A file that is not read yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unsettled {
    pub(crate) file: String,
    pub(crate) written: Written,
    /// How long it must have been left alone.
    pub(crate) settle: Duration,
    /// How long until it may be read.
    pub(crate) left: Duration,
}

/// When a file was written, by the clock of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// So long ago.
    Ago(Duration),
    /// So far in the future.
    Ahead(Duration),
}

impl Unsettled {
    fn sentence(&self) -> String {
        let Self { file, settle, .. } = self;
        let settle = settle.as_secs();
        match self.written {
            Written::Ago(age) => format!(
                "{file} was written {} s ago; it is read once it has been left alone for {settle} s",
                age.as_secs()
            ),
            Written::Ahead(by) => format!(
                "{file} was written {} s in the future; it is read once it has been left alone for {settle} s: set the clock of the machine that writes it",
                by.as_secs().max(1)
            ),
        }
    }
}

impl Fault {
    /// Takes over why a file cannot be opened.
    pub(crate) fn opening(file: &str, error: Error) -> Self {
        let file = file.to_owned();
        match error.kind() {
            ErrorKind::NotFound => Self::Missing { file },
            ErrorKind::PermissionDenied => Self::Refused { file },
            _ => Self::Open(error),
        }
    }

    /// Takes over why an open file cannot be read.
    pub(crate) fn io(file: &str, source: io::Error) -> Self {
        Self::Io {
            file: file.to_owned(),
            source,
        }
    }

    /// Returns what is wrong and what to do.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Folder(error) | Self::Open(error) => error.message().to_owned(),
            Self::Missing { file } => format!(
                "{file} is not in the folder: export it there, or take its entity out of the profile"
            ),
            Self::Refused { file } => {
                format!("{file} cannot be read: allow the service's user to read it")
            }
            Self::Io { file, source } => format!("{file} cannot be read: {source}"),
            Self::Empty { file } => {
                format!("{file} is empty: wait until the export is written, or export it again with its header")
            }
            Self::Encoding { file, found } => {
                format!("{file} is written in {found}: export it as UTF-8")
            }
            Self::Columns(faults) => {
                format!("{}: correct the profile or the export", faults.join("; "))
            }
            Self::CutOff { file, line } => format!(
                "{file} ends in the middle of the row that begins on line {line}: wait until the export is written, or export it again"
            ),
            Self::TooLong { file, line } => format!(
                "{file} has a row without end that begins on line {line}: a closing quote may be missing"
            ),
            Self::Unsettled(unsettled) => unsettled.sentence(),
            Self::Changed => {
                "the files changed while they were being read: the next pass reads them from the beginning".to_owned()
            }
            Self::Stopped => "the call was cancelled or its time is over".to_owned(),
            Self::Cursor => "the cursor is not one of this stream".to_owned(),
        }
    }

    /// Returns the error of a page that could not be read: of a pass that had begun already, or of its first page.
    pub(crate) fn into_read_error(self, begun: bool) -> Error {
        let overtaken = begun && matches!(self, Self::Changed);
        let kind = match &self {
            Self::Folder(error) | Self::Open(error) => error.kind(),
            Self::Missing { .. } | Self::Io { .. } | Self::Empty { .. } => ErrorKind::Unavailable,
            Self::Unsettled(_) | Self::Stopped => ErrorKind::Unavailable,
            Self::Changed => ErrorKind::Conflict,
            Self::Refused { .. } => ErrorKind::PermissionDenied,
            Self::Encoding { .. } | Self::Columns(_) | Self::Cursor => ErrorKind::Invalid,
            Self::CutOff { .. } | Self::TooLong { .. } => ErrorKind::Protocol,
        };
        let error = Error::new(kind, format!("read the exports: {}", self.sentence()));
        match self {
            // The same page of files that are gone can never be read: only a pass from the beginning can.
            Self::Changed if !overtaken => error.with_retry(Retry::After(None)),
            Self::Unsettled(unsettled) => error.with_retry(Retry::After(Some(unsettled.left))),
            Self::Folder(source) | Self::Open(source) => error.with_source(source),
            Self::Io { source, .. } => error.with_source(source),
            _ => error,
        }
    }
}

/// Returns the one error for all that a check found. What a setting names and is not there is the setting's fault.
pub(crate) fn check_error(faults: &[Fault]) -> Error {
    let alike = |kind: fn(&Fault) -> bool| faults.iter().all(kind);
    let kind = match faults {
        [Fault::Folder(error) | Fault::Open(error)] => error.kind(),
        _ if alike(|fault| matches!(fault, Fault::Refused { .. })) => ErrorKind::PermissionDenied,
        _ if alike(|fault| {
            matches!(
                fault,
                Fault::Empty { .. } | Fault::Io { .. } | Fault::Stopped
            )
        }) =>
        {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Invalid,
    };
    let sentences: Vec<String> = faults.iter().map(Fault::sentence).collect();
    Error::new(kind, format!("check the exports: {}", sentences.join("; ")))
}
