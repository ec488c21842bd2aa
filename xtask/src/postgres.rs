//! A PostgreSQL server that lives as long as this process wants it, and no longer than this process.

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::{output, run};

/// What to do where there is no PostgreSQL.
const INSTALL: &str = "PostgreSQL is missing: apt-get install postgresql (initdb on the path, or below /usr/lib/postgresql)";
/// Who runs the server where this process is root, which the server refuses.
const USER: &str = "postgres";
const START: Duration = Duration::from_secs(60);
/// Runs a server until nobody holds the other end of the input any more: this process has let go, or is no more.
const WATCHED: &str = r#""$@" & server=$!; cat > /dev/null; kill -INT $server; wait $server"#;

/// A server with a database cluster of its own, on a free port of the loopback. It stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Child,
    url: String,
    /// Dropped last, when nobody writes there any more.
    directory: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts its server.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs()?;
        let user = User::who()?;
        let directory = tempfile::Builder::new()
            .prefix("wrenchtime-pg-")
            .tempdir()?;
        let data = directory.path().join("data");
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
        let log = fs::File::create(directory.path().join("log"))?;
        let mut server = user
            .command(Path::new("sh"))
            .args(["-c", WATCHED, "sh"])
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(directory.path())
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ])
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start postgres")?;
        let ready = wait_until_ready(&mut server, &data);
        let cluster = Self {
            server,
            url: format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"),
            directory,
        };
        ready.with_context(|| cluster.log())?;
        eprintln!("$ postgres on 127.0.0.1:{port}");
        Ok(cluster)
    }

    /// Returns its address, as a user who may do everything.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log"));
        format!("postgres said: {}", log.unwrap_or_default())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
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
        std::thread::sleep(Duration::from_millis(20));
    }
}
