//! The least that an API could do: the service's own server, with a handler that always returns the same body.

use std::net::Ipv4Addr;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use wrenchtime_api::Limits;

/// What the body is.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its bytes.
    #[arg(long)]
    bytes: usize,
}

/// Serves until the input ends, which it does when the process that started this one is gone.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let body = Bytes::from(vec![b' '; options.bytes]);
    let handler = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/json")], body) }
    };
    let app = Router::new().route("/", get(handler));
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
    /// Starts this program once more, as a server of so many bytes.
    pub(crate) async fn start(bytes: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["constant", "--bytes", &bytes.to_string()])
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
