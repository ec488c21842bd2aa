//! The least that an API could do: the service's own server, with a handler that always returns the same body. And the least
//! that one could do whose records lie in a file of SQLite: the same page, read by a bare statement into the body.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::routing::get;
use axum::{Router, extract};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rusqlite::{Connection, OpenFlags};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use wrenchtime_api::Limits;

/// Records of a page.
const RECORDS: usize = 100;

/// What the body is.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its bytes.
    #[arg(long)]
    bytes: usize,
    /// A store's file, of which pages are read.
    #[arg(long)]
    file: Option<PathBuf>,
}

/// Reads pages of records of one connection and resource, and does nothing else.
struct Bare {
    file: Mutex<Connection>,
    /// Behind which instant each page begins.
    pages: Vec<i64>,
}

impl Bare {
    fn open(file: &Path) -> Result<Self> {
        let file = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.pragma_update(None, "cache_size", -4096)?;
        file.pragma_update(None, "mmap_size", 0x7fff_0000_i64)?;
        let pages = {
            let mut places = file.prepare(
                "SELECT created_at - 1 FROM records WHERE resource = 'work_order' ORDER BY created_at LIMIT 5000",
            )?;
            let places: rusqlite::Result<Vec<i64>> =
                places.query_map([], |row| row.get(0))?.collect();
            places?.into_iter().step_by(RECORDS).collect()
        };
        Ok(Self {
            file: Mutex::new(file),
            pages,
        })
    }

    fn read(&self, page: usize) -> Result<String> {
        let after = self.pages.get(page).context("there is no such page")?;
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = file.prepare_cached(
            "SELECT envelope, content FROM records WHERE connection = (SELECT min(row) FROM connections) \
             AND resource = 'work_order' AND created_at > ? ORDER BY created_at LIMIT 100",
        )?;
        let mut rows = statement.query([after])?;
        let mut body = String::with_capacity(256 * 1024);
        while let Some(row) = rows.next()? {
            body.push(if body.is_empty() { '[' } else { ',' });
            body.push_str(row.get_ref(0)?.as_str()?);
            body.push_str(row.get_ref(1)?.as_str()?);
        }
        body.push(']');
        Ok(body)
    }
}

/// Serves until the input ends, which it does when the process that started this one is gone.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let body = Bytes::from(vec![b' '; options.bytes]);
    let handler = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/json")], body) }
    };
    let mut app = Router::new().route("/", get(handler));
    if let Some(file) = &options.file {
        let bare = Arc::new(Bare::open(file)?);
        let handler = move |page: extract::Path<usize>| {
            let page = bare.read(page.0);
            async move {
                let page =
                    page.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
                Ok::<_, (StatusCode, String)>(([(CONTENT_TYPE, "application/json")], page))
            }
        };
        app = app.route("/{page}", get(handler));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}/", listener.local_addr()?);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let mut nothing = Vec::new();
        drop(tokio::io::stdin().read_to_end(&mut nothing).await);
        stopped.cancel();
    });
    wrenchtime_api::serve(listener, app, Limits::default(), stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// A server of a constant body in a process of its own. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) url: String,
    _child: Child,
}

impl Constant {
    /// Starts this program once more, as a server of so many bytes, and of a store's file.
    pub(crate) async fn start(bytes: usize, file: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["constant", "--bytes", &bytes.to_string()]);
        if let Some(file) = file {
            command.arg("--file").arg(file);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start the constant server")?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        Ok(Self {
            url: line.trim().to_owned(),
            _child: child,
        })
    }
}
