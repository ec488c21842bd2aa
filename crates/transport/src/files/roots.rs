//! The allowed folders, as they stand when a runtime is made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::BuildError;

/// How long all folders together may take to answer. A dead network share would hold up the start for as long as it is
/// dead.
const PATIENCE: Duration = Duration::from_secs(3);

/// What stands where a folder should.
#[derive(Debug)]
enum Standing {
    Folder,
    /// A file, a device, or a path that can lead to no folder.
    Never(Option<io::Error>),
    /// Nothing that can be read now.
    Away(String),
}

/// Makes the folders' paths absolute, each once. Warns of those that are not there now: a network share may come back,
/// and all others can be read meanwhile.
///
/// # Errors
/// For an entry that is empty, and one that cannot become a folder by waiting.
pub(super) fn admit(folders: Vec<PathBuf>) -> Result<Vec<PathBuf>, BuildError> {
    let mut roots = Vec::with_capacity(folders.len());
    for folder in folders {
        if folder.to_str().is_some_and(|text| text.trim().is_empty()) {
            return Err(BuildError::EmptyFolder);
        }
        let root =
            std::path::absolute(&folder).map_err(|source| BuildError::Folder { folder, source })?;
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    let standings = look_at(&roots, PATIENCE, |root| {
        root.metadata().map(|it| it.is_dir())
    });
    for (root, standing) in roots.iter().zip(standings) {
        let folder = root.clone();
        match standing {
            Standing::Folder => {}
            Standing::Never(None) => return Err(BuildError::NotAFolder { folder }),
            Standing::Never(Some(source)) => return Err(BuildError::Folder { folder, source }),
            Standing::Away(cause) => tracing::warn!(
                folder = %folder.display(),
                cause,
                "an allowed folder is not there: what reads from it waits until it is; bring back its drive or \
                 network share, or correct `folders` in the configuration"
            ),
        }
    }
    Ok(roots)
}

/// Looks at all folders at once, and leaves those alone that do not answer in time.
fn look_at(
    roots: &[PathBuf],
    patience: Duration,
    look: fn(&Path) -> io::Result<bool>,
) -> Vec<Standing> {
    let (sender, answers) = mpsc::channel();
    for (number, root) in roots.iter().cloned().enumerate() {
        let sender = sender.clone();
        // Without a thread there is no answer, and nobody waits for one when all senders are gone.
        drop(thread::Builder::new().spawn(move || sender.send((number, look(&root)))));
    }
    drop(sender);
    let mut standings: Vec<Standing> = roots
        .iter()
        .map(|_| Standing::Away("it does not answer".to_owned()))
        .collect();
    // The file system keeps no other time than the machine's.
    let until = Instant::now() + patience;
    while let Ok((number, found)) =
        answers.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        if let Some(standing) = standings.get_mut(number) {
            *standing = judge(found);
        }
    }
    standings
}

fn judge(found: io::Result<bool>) -> Standing {
    match found {
        Ok(true) => Standing::Folder,
        Ok(false) => Standing::Never(None),
        Err(error) => match error.kind() {
            io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename => Standing::Never(Some(error)),
            kind => Standing::Away(kind.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_never_answers_holds_up_nothing() {
        let roots = ["/dead", "/there", "/gone"].map(PathBuf::from);
        let standings = look_at(&roots, Duration::from_millis(200), |root| {
            if root == Path::new("/dead") {
                loop {
                    thread::park();
                }
            }
            match root.to_str() {
                Some("/gone") => Err(io::ErrorKind::NotFound.into()),
                _ => Ok(true),
            }
        });
        let [Standing::Away(dead), Standing::Folder, Standing::Away(gone)] = &standings[..] else {
            panic!("{standings:?}");
        };
        assert_eq!(dead, "it does not answer");
        assert_eq!(gone, "entity not found");
    }
}
