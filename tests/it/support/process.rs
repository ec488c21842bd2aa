//! The built program, started in a directory of its own.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::{Api, Database, until, until_within};

/// How much of a log is read back, in bytes.
const READ_BACK: u64 = 64 << 20;

/// A directory with everything that one test's processes read and write.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    starts: AtomicU32,
    database: Option<Database>,
}

/// The program with its arguments, not started yet.
#[derive(Debug)]
pub(crate) struct Invocation {
    command: Command,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// The program while it runs. It is killed when a test drops it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// What a program that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; nothing when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running `serve`.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) api: Api,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("wrenchtime-e2e-").unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self {
            folder,
            starts: AtomicU32::new(0),
            database: None,
        }
    }

    /// Returns a home whose processes keep what they store in a new database of a server.
    #[cfg(feature = "test-postgres")]
    pub(crate) async fn on_postgres() -> Self {
        Self {
            database: Some(Database::new().await),
            ..Self::new()
        }
    }

    /// Returns a home with a copy of all that is stored in this one, while no process runs here.
    pub(crate) async fn twin(&self) -> Self {
        let mut twin = Self::new();
        copy(&self.data(), &twin.data());
        if let Some(database) = &self.database {
            twin.database = Some(database.copy().await);
        }
        twin
    }

    /// Returns the address of the database that this home's processes use.
    #[cfg(feature = "test-postgres")]
    pub(crate) fn database(&self) -> &str {
        self.database.as_ref().unwrap().url()
    }

    /// Returns a path in this directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the data directory of this home's processes.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Returns the directory for temporary files of this home's processes.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    /// Prepares the program: it may reach the loopback and read folders here, and sees no other environment.
    pub(crate) fn wrenchtime<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Invocation {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("TMPDIR", self.temporary())
            .env("WRENCHTIME_DATA_DIR", self.data())
            .env("WRENCHTIME_ALLOW", "127.0.0.0/8")
            .env("WRENCHTIME_FOLDERS", self.folder.path())
            .stdin(Stdio::null());
        if let Some(database) = &self.database {
            command.env("WRENCHTIME_DATABASE", database.url());
        }
        Invocation {
            command,
            stdout: self.path(&format!("{number}.out")),
            stderr: self.path(&format!("{number}.err")),
        }
    }

    /// Runs a command to its end.
    pub(crate) async fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        self.wrenchtime(arguments).run().await
    }

    /// Starts `serve` on a free port and waits until it listens.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_as(self.wrenchtime(["serve", "--listen", "127.0.0.1:0"]))
            .await
    }

    /// Starts `serve` as prepared, and waits until it listens.
    pub(crate) async fn serve_as(&self, invocation: Invocation) -> Server {
        let mut process = invocation.start();
        let url = until("`serve` says that it listens", async || {
            let said = process.stdout();
            if let Some(code) = process.child.try_wait().unwrap() {
                panic!("`serve` ended with {code}: {}", process.stderr());
            }
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("listening on "));
            line.filter(|_| said.ends_with('\n')).map(str::to_owned)
        })
        .await;
        let file = fs::read(self.data().join("service.json")).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let api = Api::new(&url, file["key"].as_str().unwrap());
        Server { process, api }
    }

    /// Returns name and content of every file in the data directory.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.data(), &mut files);
        files.sort();
        files
    }

    /// Fails if this text stands in any file here: data, output, logs.
    #[track_caller]
    pub(crate) fn assert_nowhere(&self, secret: &str) {
        let mut files = Vec::new();
        collect(self.folder.path(), &mut files);
        assert!(!files.is_empty());
        for (path, content) in files {
            let found = content
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in {}", path.display());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let content = fs::read(&path).unwrap();
            files.push((path, content));
        }
    }
}

impl Invocation {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Writes what goes to standard error into this file. It cannot be read back where it is a device.
    pub(crate) fn log_to(mut self, file: &str) -> Self {
        self.stderr = file.into();
        self
    }

    pub(crate) fn start(mut self) -> Process {
        let child = self
            .command
            .stdout(File::create(&self.stdout).unwrap())
            .stderr(File::create(&self.stderr).unwrap())
            .spawn()
            .unwrap();
        Process {
            child,
            stdout: self.stdout,
            stderr: self.stderr,
        }
    }

    /// Runs it to its end, which must come within two minutes.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended(120).await
    }
}

impl Process {
    /// Waits for the end.
    pub(crate) async fn ended(mut self, seconds: u64) -> Ended {
        let status = until_within(seconds, "the program ends by itself", async || {
            self.child.try_wait().unwrap()
        })
        .await;
        Ended {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn terminate(self, seconds: u64) -> Ended {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success(), "kill -TERM {id}: {sent}");
        self.ended(seconds).await
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        // A device has no end.
        let mut said = Vec::new();
        let log = File::open(&self.stderr).unwrap();
        log.take(READ_BACK).read_to_end(&mut said).unwrap();
        String::from_utf8(said).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Kills it as a power cut would.
    pub(crate) fn kill(self) {
        drop(self.process);
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn terminate(self, seconds: u64) -> Ended {
        self.process.terminate(seconds).await
    }

    pub(crate) fn stderr(&self) -> String {
        self.process.stderr()
    }
}

impl Ended {
    /// Returns standard output of a program that ended well.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(
            self.code,
            Some(0),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self.stdout
    }

    /// Returns the JSON documents on standard output of a program that ended well.
    #[track_caller]
    pub(crate) fn json(self) -> Vec<Value> {
        let text = self.succeeded();
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .map(|value| value.unwrap_or_else(|error| panic!("{error}: {text}")))
            .collect()
    }

    /// Fails unless the program ended with 1 and one clear sentence that has these words.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        let said = format!("stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(1), "{said}");
        let sentence = self
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("wrenchtime: "))
            .unwrap_or_else(|| panic!("no sentence says why\n{said}"));
        let told = self.stderr.split_at(self.stderr.find(sentence).unwrap()).1;
        for word in words {
            assert!(told.contains(word), "{word:?} is not said\n{said}");
        }
        assert!(!self.stderr.contains("panicked"), "{said}");
    }
}

/// Returns the built program, which lies beside the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let name = format!("wrenchtime{}", std::env::consts::EXE_SUFFIX);
    let path = tests.parent().and_then(Path::parent).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is missing: `cargo build -p wrenchtime` makes it, and `cargo xtask test` does all in order",
        path.display()
    );
    path
}
