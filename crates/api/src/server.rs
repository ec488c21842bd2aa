//! The server: plain HTTP/1.1 with limits on everything that a client could hold open.

mod draining;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::draining::Draining;

/// What a client may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many connections are open at once; others wait to be accepted. 512 by default.
    pub connections: usize,
    /// How long a request's headers may take, and how long a connection may be idle. 10 seconds by default.
    pub header_timeout: Duration,
    /// How many bytes of headers are read. 16 KiB by default, at least 8 KiB.
    pub header_bytes: usize,
    /// How many bytes a body may have. 1 MiB by default.
    pub body_bytes: usize,
    /// How long a body may take. 30 seconds by default.
    pub body_timeout: Duration,
    /// How long an answer may take. 60 seconds by default.
    pub answer_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it. 30 seconds by default.
    pub write_timeout: Duration,
    /// How long requests under way have to come to their end at a shutdown. 20 seconds by default.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_timeout: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            body_bytes: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(20),
        }
    }
}

/// Serves until `shutdown` is cancelled, then lets requests under way come to their end.
///
/// Never sniffs the protocol and always has a timer running, so that a client that sends or takes nothing is cut off. A connection
/// is accepted only when there is room for it.
///
/// # Errors
/// Never while serving: a failed accept is logged and tried again.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections.max(1)));
    while let Some((stream, permit)) = accept(&listener, &room, &shutdown).await {
        // An answer in several pieces would wait for the client's word on each; without it an answer is only slower.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection sends small pieces late");
        }
        let stream = TokioIo::new(Draining::new(stream, limits.write_timeout));
        let connection =
            builder(&limits).serve_connection(stream, TowerToHyperService::new(app.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("requests were still under way at the end of the grace period");
    }
    Ok(())
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes.max(8 * 1024));
    builder
}

/// Waits for room, then for a client; nothing once the server is to end.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = tokio::select! {
        biased;
        () = shutdown.cancelled() => return None,
        permit = Arc::clone(room).acquire_owned() => permit.ok()?,
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => return Some((stream, permit)),
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only spin.
                warn!(%error, "a connection could not be accepted");
                let pause = Duration::from_millis(100);
                if tokio::time::timeout(pause, shutdown.cancelled())
                    .await
                    .is_ok()
                {
                    return None;
                }
            }
        }
    }
}
