//! The route: verify, queue, answer.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use chrono::Utc;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Headers, Queue, Received, Verifier};

/// Larger messages are refused before they are read.
const BODY_LIMIT: usize = 1024 * 1024;

/// A receiver that listens.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    verifiers: Mutex<Vec<Verifier>>,
    queue: Mutex<Queue>,
    refused: Mutex<u64>,
}

impl Receiver {
    /// Listens on this address and writes to this queue. Refuses everything until [`Receiver::trust`] is told whom to trust.
    ///
    /// # Errors
    /// When the address is taken or the queue cannot be opened.
    pub async fn start(address: SocketAddr, queue: &Path) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address}"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            verifiers: Mutex::default(),
            queue: Mutex::new(Queue::open(queue)?),
            refused: Mutex::default(),
        });
        let app = Router::new()
            .route("/webhooks", post(receive))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(listener, app, stop.clone()));
        Ok(Self {
            address,
            shared,
            stop,
            task,
        })
    }

    /// Accepts messages signed with this secret too. While a secret is rotated, two are trusted.
    pub fn trust(&self, verifier: Verifier) {
        lock(&self.shared.verifiers).push(verifier);
    }

    /// Returns where messages are to be posted.
    pub fn url(&self) -> String {
        format!("http://{}/webhooks", self.address)
    }

    /// Returns the messages that arrived with a good signature, oldest first.
    pub fn messages(&self) -> Vec<Received> {
        lock(&self.shared.queue).messages().to_vec()
    }

    /// Returns how many requests were refused.
    pub fn refused(&self) -> u64 {
        *lock(&self.shared.refused)
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by itself, and a panic in it has been reported by the runtime already.
        drop(self.task.await);
    }
}

async fn accept(listener: TcpListener, app: Router, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let service = TowerToHyperService::new(app.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // Whatever ends one connection is that sender's business; it sends again.
                ended = connection => drop(ended),
            }
        });
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let signed = Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a program of its own, by the machine's clock"
    )]
    let now = Utc::now();
    let is_trusted = lock(&shared.verifiers)
        .iter()
        .any(|verifier| verifier.verify(signed, &body, now).is_ok());
    if !is_trusted {
        *lock(&shared.refused) += 1;
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(message) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let id = signed.id.to_owned();
    let queued = tokio::task::spawn_blocking(move || lock(&shared.queue).push(&id, message)).await;
    match queued {
        Ok(Ok(_)) => StatusCode::NO_CONTENT,
        Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
