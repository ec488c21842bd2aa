//! A server that answers as told, and clients to it whose clock stands still.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;
use wrenchtime_connector::{Clock, ManualClock, SystemName};
use wrenchtime_egress::Policy;
use wrenchtime_transport::{HttpProfile, Runtime, RuntimeOptions};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Closes.
    Drop,
    /// Says nothing and keeps the connection open.
    Hang,
}

/// Returns a whole reply.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Answer {
    let text = format!(
        "HTTP/1.1 {status} Some\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    Answer::Bytes(text.into_bytes())
}

/// Returns a success with this body.
pub(crate) fn ok(body: &str) -> Answer {
    reply(200, "", body)
}

type Handler = Arc<Mutex<dyn FnMut(&str) -> Answer + Send>>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request by this function.
    pub(crate) async fn answering(handler: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let handler: Handler = Arc::new(Mutex::new(handler));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    /// Answers one request after the other; whoever asks for more gets a status that fits no test.
    pub(crate) async fn scripted(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::answering(move |_| answers.pop_front().unwrap_or_else(|| reply(418, "", ""))).await
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().unwrap()
    }

    /// Returns the requests, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, handler: Handler, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    seen.lock().unwrap().push(request.clone());
    let answer = handler.lock().unwrap()(&request);
    match answer {
        Answer::Bytes(bytes) => {
            // The client may have gone.
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
        Answer::Drop => {}
        Answer::Hang => {
            stream.read_u8().await.ok();
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            Ok(_) | Err(_) => return None,
        }
    }
}

pub(crate) fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A runtime that may reach this machine, with a clock of its own.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) runtime: Runtime,
}

/// Makes everything that is logged in this process heard by somebody, once.
///
/// Whether anybody listens is remembered for each place that logs. With a listener on one thread only, a place
/// that another test reaches first would be remembered as one that nobody listens to.
fn hear_everything() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let everything = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(io::sink)
            .finish();
        tracing::subscriber::set_global_default(everything).unwrap();
    });
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut RuntimeOptions)) -> Self {
        hear_everything();
        let clock = ManualClock::new(start());
        let mut options = RuntimeOptions::new(Arc::new(clock.clone()));
        options.egress = Policy::allowing(["127.0.0.0/8".parse().unwrap()]);
        change(&mut options);
        Self {
            clock,
            runtime: Runtime::new(options).unwrap(),
        }
    }

    /// Returns how much time was waited, as nobody else moves the clock.
    pub(crate) fn waited(&self) -> Duration {
        (self.clock.now() - start()).to_std().unwrap()
    }
}

pub(crate) fn profile(base: &Url) -> HttpProfile {
    let mut profile = HttpProfile::new(SystemName::from_static("acme"));
    profile.base_url = Some(base.clone());
    profile
}
