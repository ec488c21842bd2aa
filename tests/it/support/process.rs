//! The built program, started in a directory of its own.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::{Api, Database, Ended, until, until_within};

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
        Self::on(Database::new().await)
    }

    /// Returns a home whose processes keep what they store in this database.
    #[cfg(feature = "test-postgres")]
    pub(crate) fn on(database: Database) -> Self {
        Self {
            database: Some(database),
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

    /// Starts `serve` as prepared, which cannot say that it listens, and waits until it answers.
    pub(crate) async fn serve_mute(&self, invocation: Invocation) -> Server {
        let file = self.data().join("service.json");
        fs::remove_file(&file).unwrap();
        let mut process = invocation.start();
        let api = until("`serve` says where it is", async || {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "`serve` ended with {ended:?}");
            let file: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            let url = format!("http://{}", file["address"].as_str().unwrap());
            Some(Api::new(&url, file["key"].as_str().unwrap()))
        })
        .await;
        Server { process, api }
    }

    /// Starts `serve` as prepared, and waits until it listens.
    pub(crate) async fn serve_as(&self, invocation: Invocation) -> Server {
        let started = self.try_serve_as(invocation).await;
        started.unwrap_or_else(|ended| panic!("`serve` ended: {ended:?}"))
    }

    /// Starts `serve` as prepared, and waits until it listens or has ended.
    pub(crate) async fn try_serve_as(&self, invocation: Invocation) -> Result<Server, Ended> {
        let mut process = invocation.start();
        let url = until("`serve` says that it listens", async || {
            let said = process.stdout();
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("listening on "));
            if let Some(url) = line.filter(|_| said.ends_with('\n')) {
                return Some(Some(url.to_owned()));
            }
            let ended = process.child.try_wait().unwrap();
            ended.map(|_| None)
        })
        .await;
        let Some(url) = url else {
            return Err(process.ended(1).await);
        };
        let file = fs::read(self.data().join("service.json")).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let api = Api::new(&url, file["key"].as_str().unwrap());
        Ok(Server { process, api })
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

/// Reads what was written into a file. A device has no end, and keeps nothing.
fn read_back(file: &Path) -> String {
    if file.is_file() {
        fs::read_to_string(file).unwrap()
    } else {
        String::new()
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

    /// Writes what goes to standard error into this file. Of a device nothing is read back.
    pub(crate) fn log_to(mut self, file: &str) -> Self {
        self.stderr = file.into();
        self
    }

    /// Writes what goes to standard output into this file. Of a device nothing is read back.
    pub(crate) fn say_to(mut self, file: &str) -> Self {
        self.stdout = file.into();
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
            signal: status.signal(),
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
        read_back(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        read_back(&self.stderr)
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

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(self, seconds: u64) -> Ended {
        self.process.ended(seconds).await
    }

    /// Returns how many seconds of a processor it has used.
    #[cfg(all(feature = "test-postgres", target_os = "linux"))]
    pub(crate) fn processor_seconds(&self) -> f64 {
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        // In user mode and in system mode, counted from the field behind the name.
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        (ticks(12) + ticks(13)) / TICKS
    }

    pub(crate) fn stdout(&self) -> String {
        self.process.stdout()
    }

    pub(crate) fn stderr(&self) -> String {
        self.process.stderr()
    }
}

/// Returns the built program, which lies beside the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let name = format!("wrenchtime{}", std::env::consts::EXE_SUFFIX);
    let path = tests.parent().and_then(Path::parent).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is missing: `cargo build -p wrenchtime --features wrenchtime-failpoint/failpoints` makes it, and `cargo xtask test` does all in order",
        path.display()
    );
    path
}
