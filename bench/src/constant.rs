//! The least that an API could do: the service's own server, with a handler that always returns the same body. And the least
//! that one could do whose records lie in a file of SQLite or on a server: the same page, read by a bare statement into the body.

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
use rusqlite::OpenFlags;
use sqlx::Row;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use wrenchtime_api::Limits;

use crate::place::{Place, options};

/// Records of a page.
const RECORDS: usize = 100;
/// As many as there are clients at once, so that nobody waits for one.
const CONNECTIONS: u32 = 4;

/// What the body is.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its bytes.
    #[arg(long)]
    bytes: usize,
    /// A store's file, of which pages are read.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The same of a database on a server.
    #[arg(long, env = DATABASE, hide_env_values = true)]
    database: Option<String>,
}

/// Names the database to the server of a constant body.
const DATABASE: &str = "WRENCHTIME_BENCH_LISTED";

/// Reads pages of records of one connection and resource, and does nothing else.
struct Bare {
    records: Records,
    /// Behind which instant each page begins.
    pages: Vec<i64>,
}

/// Where they lie.
enum Records {
    File(Mutex<rusqlite::Connection>),
    Server(PgPool),
}

impl Bare {
    const PLACES: &str = "SELECT created_at - 1 FROM records WHERE resource = 'work_order' ORDER BY created_at LIMIT 5000";
    const PAGE: &str = "SELECT envelope, content FROM records WHERE connection = (SELECT min(row) FROM connections) \
         AND resource = 'work_order' AND created_at > $1 ORDER BY created_at LIMIT 100";

    fn of_file(file: &Path) -> Result<Self> {
        let file = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.pragma_update(None, "cache_size", -4096)?;
        file.pragma_update(None, "mmap_size", 0x7fff_0000_i64)?;
        let places = {
            let mut places = file.prepare(Self::PLACES)?;
            let places: rusqlite::Result<Vec<i64>> =
                places.query_map([], |row| row.get(0))?.collect();
            places?
        };
        Ok(Self::new(Records::File(Mutex::new(file)), places))
    }

    async fn of_server(url: &str) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .test_before_acquire(false);
        let server = pool.connect_with(options(url)?).await?;
        let places = sqlx::query_scalar(Self::PLACES).fetch_all(&server).await?;
        Ok(Self::new(Records::Server(server), places))
    }

    fn new(records: Records, places: Vec<i64>) -> Self {
        let pages = places.into_iter().step_by(RECORDS).collect();
        Self { records, pages }
    }

    async fn read(&self, page: usize) -> Result<String> {
        let after = *self.pages.get(page).context("there is no such page")?;
        match &self.records {
            Records::File(file) => read_file(file, after),
            Records::Server(server) => read_server(server, after).await,
        }
    }
}

fn read_file(file: &Mutex<rusqlite::Connection>, after: i64) -> Result<String> {
    let file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let mut statement = file.prepare_cached(Bare::PAGE)?;
    let mut rows = statement.query([after])?;
    let mut body = Body::new();
    while let Some(row) = rows.next()? {
        body.push(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
    }
    Ok(body.end())
}

async fn read_server(server: &PgPool, after: i64) -> Result<String> {
    let rows = sqlx::query(Bare::PAGE)
        .bind(after)
        .fetch_all(server)
        .await?;
    let mut body = Body::new();
    for row in &rows {
        body.push(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(body.end())
}

/// Records side by side.
struct Body(String);

impl Body {
    fn new() -> Self {
        Self(String::with_capacity(256 * 1024))
    }

    fn push(&mut self, envelope: &str, content: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(envelope);
        self.0.push_str(content);
    }

    fn end(mut self) -> String {
        self.0.push(']');
        self.0
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
    let bare = match (&options.file, &options.database) {
        (Some(file), _) => Some(Bare::of_file(file)?),
        (None, Some(url)) => Some(Bare::of_server(url).await?),
        (None, None) => None,
    };
    if let Some(bare) = bare.map(Arc::new) {
        let handler = move |page: extract::Path<usize>| {
            let bare = Arc::clone(&bare);
            async move {
                let page = bare.read(page.0).await;
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
    /// Starts this program once more, as a server of so many bytes, and of what lies in a place.
    pub(crate) async fn start(bytes: usize, place: &Place) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["constant", "--bytes", &bytes.to_string()]);
        match place.database() {
            Some(url) => command.env(DATABASE, url),
            None => command
                .arg("--file")
                .arg(place.directory().join("wrenchtime.db")),
        };
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
