//! A PostgreSQL server that lives as long as this process wants it, and no longer than this process. It can be frozen and killed,
//! as a machine can that it runs on.

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// What to do where there is no PostgreSQL.
const INSTALL: &str = "PostgreSQL is missing: apt-get install postgresql (initdb on the path, or below /usr/lib/postgresql)";
/// Who runs the server where this process is root, which the server refuses.
const USER: &str = "postgres";
const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The folder of the data.
const DATA: &str = "data";
/// What every server is told.
const SETTINGS: &[&str] = &["listen_addresses=127.0.0.1", "max_connections=300"];
/// What one is told besides that waits for no disk. Nothing of it outlives a crash of the machine, and a crash of the server
/// takes what was last committed.
const FORGETFUL: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "shared_buffers=512MB",
];
/// Runs a server until nobody holds the other end of the input any more: this process has let go, or is no more.
const WATCHED: &str = r#""$@" & server=$!; cat > /dev/null; kill -INT $server; wait $server"#;

/// A server with a database cluster of its own, on a free port of the loopback. It stops when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    user: User,
    programs: PathBuf,
    settings: Vec<&'static str>,
    port: u16,
    password: String,
    url: String,
    /// Dropped last, when nobody writes there any more.
    directory: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    /// When the server is not installed, or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(SETTINGS.to_vec())
    }

    /// Makes a cluster whose server waits for no disk, for what is judged by what a living server answers.
    ///
    /// # Errors
    /// When the server is not installed, or does not start.
    pub fn start_forgetful() -> Result<Self> {
        Self::start_with([SETTINGS, FORGETFUL].concat())
    }

    #[expect(
        clippy::print_stderr,
        reason = "says at the terminal where the server is"
    )]
    fn start_with(settings: Vec<&'static str>) -> Result<Self> {
        let programs = programs()?;
        let user = User::who()?;
        let directory = tempfile::Builder::new()
            .prefix("wrenchtime-pg-")
            .tempdir()?;
        let data = directory.path().join(DATA);
        let password = password()?;
        let password_file = directory.path().join("password");
        fs::write(&password_file, &password)?;
        user.give(directory.path())?;
        run(user
            .command(&programs.join("initdb"))
            .args([
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .args(["--username=postgres", "--pwfile"])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null()))?;
        let port = free_port()?;
        let mut cluster = Self {
            server: serve(&user, &programs, (directory.path(), port), &settings)?,
            user,
            programs,
            settings,
            port,
            url: format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"),
            password,
            directory,
        };
        cluster.wait_until_ready()?;
        eprintln!("$ postgres on 127.0.0.1:{port}");
        Ok(cluster)
    }

    /// Returns its address, as a user who may do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address of its socket in the file system, which costs less to talk to.
    pub fn socket_url(&self) -> String {
        let (password, port) = (&self.password, self.port);
        let folder = self.directory.path().display();
        format!("postgres://postgres:{password}@localhost:{port}/postgres?host={folder}")
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Freezes the server: its connections stay open, and nothing answers any more. Linux only.
    ///
    /// # Errors
    /// When its processes are not found.
    pub fn pause(&self) -> Result<()> {
        // First the one that makes others.
        let server = self.server_id()?;
        signal("-STOP", &[server])?;
        signal("-STOP", &children(server)?)
    }

    /// Lets a frozen server go on as if nothing had been.
    ///
    /// # Errors
    /// When its processes are not found.
    pub fn resume(&self) -> Result<()> {
        let server = self.server_id()?;
        signal("-CONT", &children(server)?)?;
        signal("-CONT", &[server])
    }

    /// Kills the server, frozen or not, as a power cut would. From then on connections are refused.
    ///
    /// # Errors
    /// When its processes are not found, or do not end.
    pub fn kill(&mut self) -> Result<()> {
        let server = self.server_id()?;
        let mut all = children(server)?;
        all.push(server);
        signal("-KILL", &all)?;
        // Nobody takes the file of a server that is no more for that of the next one.
        fs::remove_file(self.pid_file())?;
        self.let_go();
        let begun = Instant::now();
        while all.iter().any(|process| stat(*process).is_some()) {
            if begun.elapsed() > START {
                bail!("killed processes of postgres are still there");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Starts the server again that was killed, on the same data and port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        let place = (self.directory.path(), self.port);
        self.server = serve(&self.user, &self.programs, place, &self.settings)?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let data = self.directory.path().join(DATA);
        wait_until_ready(&mut self.server, &data).with_context(|| self.log())
    }

    fn server_id(&self) -> Result<u32> {
        let file = fs::read_to_string(self.pid_file()).context("find the server's process")?;
        let id = file.lines().next().unwrap_or_default();
        Ok(id.trim().parse()?)
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join(DATA).join("postmaster.pid")
    }

    fn let_go(&mut self) {
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log"));
        format!("postgres said: {}", log.unwrap_or_default())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A frozen one would not hear that it is to end. Where it was killed, there is nobody.
        drop(self.resume());
        self.let_go();
    }
}

fn serve(
    user: &User,
    programs: &Path,
    (directory, port): (&Path, u16),
    settings: &[&str],
) -> Result<Child> {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(directory.join("log"))?;
    let server = user
        .command(Path::new("sh"))
        .args(["-c", WATCHED, "sh"])
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(directory.join(DATA))
        .args(["-p", &port.to_string(), "-k"])
        .arg(directory)
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("start postgres")?;
    Ok(server)
}

/// Sends a signal to processes, of which some may have ended.
fn signal(name: &str, processes: &[u32]) -> Result<()> {
    for process in processes {
        let mut kill = Command::new("kill");
        let sent = kill
            .args([name, &process.to_string()])
            .stderr(Stdio::null());
        if !sent.status()?.success() && stat(*process).is_some() {
            bail!("process {process} does not take the signal {name}");
        }
    }
    Ok(())
}

/// Returns the processes that a process made.
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("look for processes")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if stat(process) == Some(parent) {
            children.push(process);
        }
    }
    Ok(children)
}

/// Returns the parent of a process that runs or sleeps; nothing of one that is no more.
fn stat(process: u32) -> Option<u32> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Its name stands in brackets and may hold anything.
    let mut fields = line.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the folder of the newest server's programs.
fn programs() -> Result<PathBuf> {
    let on_path =
        output(Command::new("sh").args(["-c", "command -v initdb && command -v postgres"]));
    if let Ok(found) = on_path
        && let Some(folder) = found
            .lines()
            .next()
            .and_then(|line| Path::new(line).parent())
    {
        return Ok(folder.to_owned());
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten() {
        let entry = entry?;
        let release = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        let folder = entry.path().join("bin");
        if folder.join("initdb").exists() {
            found.push((release, folder));
        }
    }
    let newest = found.into_iter().max();
    newest.map(|(_, folder)| folder).context(INSTALL)
}

/// As whom the server runs.
#[derive(Clone, Copy, Debug)]
enum User {
    /// As whoever runs us.
    Own,
    /// As the package's user.
    Package,
}

impl User {
    fn who() -> Result<Self> {
        if output(Command::new("id").arg("-u"))?.trim() != "0" {
            return Ok(Self::Own);
        }
        output(Command::new("id").args(["-u", USER])).context(INSTALL)?;
        Ok(Self::Package)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Own => Command::new(program),
            Self::Package => {
                let mut command = Command::new("runuser");
                command.args(["-u", USER, "--"]).arg(program);
                command
            }
        };
        // The server stays in its folder, and so do the programs that are told nothing else.
        command.current_dir("/");
        command
    }

    /// Makes a folder and what is in it this user's.
    fn give(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Package => run(Command::new("chown").args(["-R", USER]).arg(folder)),
        }
    }
}

fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn wait_until_ready(server: &mut Child, data: &Path) -> Result<()> {
    let begun = Instant::now();
    loop {
        let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if pid_file.lines().any(|line| line.trim() == "ready") {
            return Ok(());
        }
        if let Some(status) = server.try_wait()? {
            bail!("postgres ended with {status}");
        }
        if begun.elapsed() > START {
            bail!("postgres is not ready after {} s", START.as_secs());
        }
        std::thread::sleep(LOOK);
    }
}
