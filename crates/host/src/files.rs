//! The files of the data directory beside the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use wrenchtime_service::MasterKey;
use wrenchtime_store::SqliteStore;

use crate::StartError;

const MASTER_KEY: &str = "master.key";
const SERVICE: &str = "service.json";

/// How the command line reaches the service of a data directory.
#[derive(Clone, Debug)]
pub struct LocalService {
    /// Where it listens.
    pub address: SocketAddr,
    /// The command line's own management key.
    pub key: SecretString,
}

#[derive(Serialize, Deserialize)]
struct ServiceFile {
    address: SocketAddr,
    key: String,
}

/// Returns how to reach the service that runs on this data directory. What a killed one left behind does not count: by
/// now another program may listen at its address.
pub fn local_service(data_dir: &Path) -> Option<LocalService> {
    if SqliteStore::is_open(data_dir) {
        last_service(data_dir)
    } else {
        None
    }
}

/// Returns how the service was reached that runs on this data directory, or ran last.
pub(crate) fn last_service(data_dir: &Path) -> Option<LocalService> {
    let text = fs::read(data_dir.join(SERVICE)).ok()?;
    let file: ServiceFile = serde_json::from_slice(&text).ok()?;
    Some(LocalService {
        address: file.address,
        key: SecretString::from(file.key),
    })
}

pub(crate) fn write_local_service(
    data_dir: &Path,
    service: &LocalService,
) -> Result<(), StartError> {
    let path = data_dir.join(SERVICE);
    let file = ServiceFile {
        address: service.address,
        key: service.key.expose_secret().to_owned(),
    };
    let text = serde_json::to_string(&file).unwrap_or_default();
    // A service that was killed left its file behind; the lock on the directory says that it is gone.
    replace(data_dir, SERVICE, &text).map_err(|reason| StartError::File {
        action: "write",
        path,
        reason,
    })
}

/// Returns the master key: the one given, else the file's; nothing where there is no file.
pub(crate) fn master_key(
    data_dir: &Path,
    given: Option<&SecretString>,
) -> Result<Option<MasterKey>, StartError> {
    if let Some(text) = given {
        return parse(text, "WRENCHTIME_MASTER_KEY").map(Some);
    }
    let path = data_dir.join(MASTER_KEY);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let text = SecretString::from(text.trim().to_owned());
            parse(&text, &path.display().to_string()).map(Some)
        }
        // Where the data directory is no directory, the store says so when it opens.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(reason) => Err(StartError::File {
            action: "read",
            path,
            reason,
        }),
    }
}

/// Makes the master key of a store in which nothing is sealed yet. It is on the disk before it seals anything.
pub(crate) fn new_master_key(data_dir: &Path) -> Result<MasterKey, StartError> {
    let key = MasterKey::generate();
    let text = key.to_hex();
    replace(data_dir, MASTER_KEY, &format!("{}\n", text.expose_secret())).map_err(|reason| {
        StartError::File {
            action: "write",
            path: data_dir.join(MASTER_KEY),
            reason,
        }
    })?;
    Ok(key)
}

pub(crate) fn no_master_key(data_dir: &Path) -> StartError {
    StartError::NoMasterKey {
        path: data_dir.join(MASTER_KEY),
    }
}

fn parse(text: &SecretString, origin: &str) -> Result<MasterKey, StartError> {
    MasterKey::from_hex(text).map_err(|_| StartError::BadMasterKey {
        origin: origin.to_owned(),
    })
}

/// Puts a file that only its owner may read in the place of what is there: whole or not at all, also when the power
/// fails.
fn replace(data_dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let beside = data_dir.join(format!("{name}.new"));
    // What a killed process left half-written.
    drop(fs::remove_file(&beside));
    write_private(&beside, text)?;
    fs::rename(&beside, data_dir.join(name))?;
    // The name is on the disk only when its directory is; other systems than Unix do that by themselves.
    #[cfg(unix)]
    fs::File::open(data_dir)?.sync_all()?;
    Ok(())
}

/// Writes a new file that only its owner may read, on the disk before it returns.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
