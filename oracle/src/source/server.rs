//! The source's door: HTTP on the loopback.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use url::Url;

use super::{Answer, Reply, Source};

/// A listener for the sources of one history after another.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    origin: String,
    /// The number of the history, and its source.
    source: Mutex<(u64, Option<Source>)>,
    killed: Notify,
}

impl Server {
    /// Listens on a free port, and serves for as long as the runtime lives.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            origin: format!("http://{}", listener.local_addr()?),
            source: Mutex::new((0, None)),
            killed: Notify::new(),
        });
        let server = Self {
            shared: Arc::clone(&shared),
        };
        tokio::spawn(serve(listener, shared));
        Ok(server)
    }

    /// Puts a source behind the door, in place of the one before. Returns its address.
    pub(crate) fn show(&self, source: Source) -> Url {
        let mut place = self.lock();
        place.0 += 1;
        place.1 = Some(source);
        let address = format!("{}/{}/", self.shared.origin, place.0);
        address.parse().expect("a loopback address is an address")
    }

    /// Does something with the source.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Source) -> T) -> T {
        let mut place = self.lock();
        let source = place
            .1
            .as_mut()
            .expect("a source is shown before it is used");
        act(source)
    }

    /// Waits until a request came after which the process that asks is killed.
    pub(crate) async fn killed(&self) {
        self.shared.killed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<Source>)> {
        self.shared
            .source
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Best effort: without it, only slower.
        stream.set_nodelay(true).ok();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&shared, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            // A connection that ends badly is seen by the one who asked.
            drop(connection.await);
        });
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> io::Result<Response<BoxBody<Bytes, io::Error>>> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let answer = {
        let mut place = shared.source.lock().unwrap_or_else(PoisonError::into_inner);
        let number = place.0.to_string();
        // What was sent in an earlier history is none of this one's business.
        let is_ours = path.trim_start_matches('/').split('/').next() == Some(number.as_str());
        match &mut place.1 {
            Some(source) if is_ours => source.answer(&path, &query, &shared.origin),
            _ => Answer::Nothing,
        }
    };
    match answer {
        Answer::Reply(reply) => response(reply),
        Answer::Nothing => Err(io::ErrorKind::ConnectionAborted.into()),
        Answer::Never => {
            shared.killed.notify_one();
            std::future::pending().await
        }
    }
}

fn response(reply: Reply) -> io::Result<Response<BoxBody<Bytes, io::Error>>> {
    let mut response = Response::builder()
        .status(reply.status)
        .header("content-length", reply.body.len());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let whole = Bytes::from(reply.body);
    let body = if reply.cut_off {
        let half = whole.slice(..whole.len() / 2);
        let end = || Err(io::ErrorKind::ConnectionAborted.into());
        let frames = futures_util::stream::iter([Ok(Frame::data(half))]);
        let end = futures_util::stream::once(async move { end() });
        BodyExt::boxed(StreamBody::new(frames.chain(end)))
    } else {
        Full::new(whole).map_err(|never| match never {}).boxed()
    };
    response.body(body).map_err(io::Error::other)
}
