//! Files of the machine, confined to the folders that its operator allowed.

mod roots;

use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use wrenchtime_connector::{Error, ErrorKind, Result};

use crate::BuildError;

/// Opens files below configured roots, and nothing else. Cheap to clone. All methods block.
///
/// Paths with `..` are refused; symbolic links are followed as long as they stay inside the same root; only regular
/// files are opened, never devices, pipes or folders. A root that was not there when the runtime was made is read once
/// it is: what a root stands for is looked up anew each time.
#[derive(Clone, Debug)]
pub struct Files {
    roots: Arc<[PathBuf]>,
}

/// A folder below one of the roots.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    path: PathBuf,
    shown: String,
}

/// What a listing tells of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its size in bytes.
    pub len: u64,
    /// When its content changed last, where the file system tells it.
    pub modified: Option<DateTime<Utc>>,
}

impl Files {
    pub(crate) fn new(folders: Vec<PathBuf>) -> std::result::Result<Self, BuildError> {
        Ok(Self {
            roots: roots::admit(folders)?.into(),
        })
    }

    /// Finds a folder by its whole path. A part of a path would mean another customer's folder while the share that it
    /// was meant for is away.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a path that is not absolute, lies outside the roots or is no folder; [`ErrorKind::Unavailable`] while it
    /// does not exist, for a network drive may come back; [`ErrorKind::PermissionDenied`] where the system refuses.
    pub fn folder(&self, path: &str) -> Result<Folder> {
        let asked = Path::new(path.trim());
        if path.trim().is_empty() {
            return Err(invalid("no folder is given"));
        }
        if asked.is_relative() {
            return Err(invalid(format!(
                "the folder `{path}` must be given with its whole path"
            )));
        }
        if asked.components().any(|part| part == Component::ParentDir) {
            return Err(invalid(format!(
                "the folder `{path}` must be written without `..`"
            )));
        }
        if self.roots.is_empty() {
            let message = "no folder may be read on this machine: add one to the allowed folders in the configuration";
            return Err(invalid(message));
        }
        let mut missing = None;
        for root in self.roots.iter().filter(|root| asked.starts_with(root)) {
            let real = match root.canonicalize() {
                Ok(real) => real,
                Err(error) => {
                    missing = Some(away(&error, root, path));
                    continue;
                }
            };
            match find(real, asked, path) {
                Ok(folder) => return Ok(folder),
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    _ = missing.get_or_insert(error)
                }
                Err(error) => return Err(error),
            }
        }
        Err(missing.unwrap_or_else(|| outside(path)))
    }
}

impl Folder {
    /// Returns the folder's path as it was asked for.
    pub fn path(&self) -> &str {
        &self.shown
    }

    /// Lists the regular files, by name. Folders, devices, links that lead out of the root, and names that are not
    /// Unicode are left out.
    ///
    /// # Errors
    /// As [`Files::folder`].
    pub fn list(&self) -> Result<Vec<FileEntry>> {
        let failed =
            |error: io::Error| explain(&error, "folder", &self.shown, ErrorKind::Unavailable);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            // A file may go between listing and looking.
            if let Ok(entry) = self.metadata(name) {
                found.push(entry);
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Opens a regular file of this folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it does not exist; [`ErrorKind::Invalid`] for a name with a path in it, a link
    /// that leads out of the root, and anything but a regular file; [`ErrorKind::PermissionDenied`] where the system
    /// refuses.
    pub fn open(&self, name: &str) -> Result<File> {
        let shown = self.shown(name);
        let (path, before) = self.resolve(name)?;
        let failed = |error: io::Error| explain(&error, "file", &shown, ErrorKind::NotFound);
        let file = File::open(&path).map_err(failed)?;
        // Somebody may have put something else there between looking and opening.
        let opened = file.metadata().map_err(failed)?;
        let (_, after) = self.resolve(name)?;
        if !opened.is_file() || !same_file(&before, &opened) || !same_file(&opened, &after) {
            let message = format!("the file `{shown}` was replaced while it was opened");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(file)
    }

    /// Tells size and time of a regular file of this folder.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn metadata(&self, name: &str) -> Result<FileEntry> {
        let (_, metadata) = self.resolve(name)?;
        let modified = metadata.modified().ok().map(DateTime::<Utc>::from);
        Ok(FileEntry {
            name: name.to_owned(),
            len: metadata.len(),
            modified,
        })
    }

    /// Returns the real path of a file that is regular and inside the root.
    fn resolve(&self, name: &str) -> Result<(PathBuf, Metadata)> {
        let shown = self.shown(name);
        let mut parts = Path::new(name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
        if !plain || name.contains(['/', '\\', '\0']) {
            return Err(invalid(format!(
                "`{name}` is not the name of a file in a folder"
            )));
        }
        let failed = |error: io::Error| explain(&error, "file", &shown, ErrorKind::NotFound);
        let real = self.path.join(name).canonicalize().map_err(failed)?;
        if !real.starts_with(&self.root) {
            return Err(outside(&shown));
        }
        let metadata = real.symlink_metadata().map_err(failed)?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() {
                "a folder"
            } else {
                "a device or pipe"
            };
            return Err(invalid(format!(
                "`{shown}` is {what}, not a file; name a regular file"
            )));
        }
        Ok((real, metadata))
    }

    fn shown(&self, name: &str) -> String {
        Path::new(&self.shown).join(name).display().to_string()
    }
}

fn find(root: PathBuf, path: &Path, shown: &str) -> Result<Folder> {
    let failed = |error: io::Error| explain(&error, "folder", shown, ErrorKind::Unavailable);
    let path = path.canonicalize().map_err(failed)?;
    if !path.starts_with(&root) {
        return Err(outside(shown));
    }
    if !path.metadata().map_err(failed)?.is_dir() {
        return Err(invalid(format!(
            "`{shown}` is not a folder; give the folder that holds the files"
        )));
    }
    Ok(Folder {
        root,
        path,
        shown: shown.to_owned(),
    })
}

#[cfg(unix)]
fn same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.len(), one.created().ok()) == (other.len(), other.created().ok())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message.into())
}

fn outside(shown: &str) -> Error {
    invalid(format!(
        "`{shown}` is outside the folders that may be read; move the files, or add their folder to the allowed \
         folders in the configuration"
    ))
}

/// Says that a root itself cannot be read, which whoever asked for a folder in it cannot put right there.
fn away(error: &io::Error, root: &Path, shown: &str) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return explain(error, "folder", shown, ErrorKind::Unavailable);
    }
    let message = format!(
        "the folder `{shown}` cannot be read, for the allowed folder `{}` does not exist; bring back its drive or \
         network share, create it, or correct the allowed folders in the configuration",
        root.display()
    );
    Error::new(ErrorKind::Unavailable, message).with_context("cause", error.kind().to_string())
}

fn explain(error: &io::Error, what: &str, shown: &str, when_missing: ErrorKind) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => (
            when_missing,
            format!(
                "the {what} `{shown}` does not exist; create it, or correct the path in the settings"
            ),
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            format!(
                "the {what} `{shown}` cannot be read; give the user that runs this program the right to read it"
            ),
        ),
        io::ErrorKind::NotADirectory => (
            ErrorKind::Invalid,
            format!(
                "the {what} `{shown}` lies below something that is not a folder; correct the path in the settings"
            ),
        ),
        _ => (
            ErrorKind::Unavailable,
            format!("the {what} `{shown}` cannot be read; check the drive or network share"),
        ),
    };
    Error::new(kind, message).with_context("cause", error.kind().to_string())
}
