//! The source's HTTP side: a reply that was given once comes from memory ever after.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::replies::{Asked, Kept, Replies, key};

/// Where the list of requests is fetched, without a slash at its beginning.
pub(super) const REQUESTS: &str = "bench/requests";

/// A server that listens.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Base address of the one that renders, ending in a slash.
    behind: String,
    /// Base address of this server, ending in a slash.
    url: String,
    client: reqwest::Client,
    replies: Replies,
}

impl Server {
    /// Listens on a free port of the loopback, in front of what listens at `behind`.
    pub(super) async fn bind(behind: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Shared {
            behind,
            url: format!("http://{}/", listener.local_addr()?),
            client: crate::serve::client()?,
            replies: Replies::default(),
        };
        Ok(Self {
            listener,
            shared: Arc::new(shared),
        })
    }

    /// Returns the base address, ending in a slash.
    pub(super) fn url(&self) -> &str {
        &self.shared.url
    }

    /// Serves for ever.
    pub(super) async fn serve(self) -> Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            // A page is written in several pieces, and none should wait for the peer to confirm the one before.
            stream.set_nodelay(true)?;
            let shared = Arc::clone(&self.shared);
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
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let reply = match reply(shared, request).await {
        Ok(reply) => reply,
        Err(error) => Arc::new(Kept {
            status: StatusCode::BAD_GATEWAY,
            headers: http::HeaderMap::new(),
            body: format!("{error:#}").into(),
        }),
    };
    let mut response = Response::new(Full::new(reply.body.clone()));
    *response.status_mut() = reply.status;
    response.headers_mut().clone_from(&reply.headers);
    Ok(response)
}

async fn reply(shared: &Shared, request: Request<Incoming>) -> Result<Arc<Kept>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = parts.uri.path();
    if path.trim_start_matches('/') == REQUESTS {
        let list = serde_json::to_vec(&shared.replies.take_asked())?;
        return Ok(Arc::new(Kept {
            status: StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: list.into(),
        }));
    }
    let key = key(parts.method.as_str(), path, &body);
    let known = shared.replies.find(&key);
    let rendered = known.is_some();
    let reply = match known {
        Some(reply) => reply,
        None => {
            let reply = render(shared, &parts, body.clone()).await?;
            shared.replies.keep(key, reply)
        }
    };
    shared.replies.note(Asked {
        path: path.to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: reply.body.len(),
        rendered,
    });
    Ok(reply)
}

/// Asks the one behind.
async fn render(shared: &Shared, parts: &http::request::Parts, body: Bytes) -> Result<Kept> {
    let path = parts.uri.path().trim_start_matches('/');
    let mut headers = parts.headers.clone();
    headers.remove(http::header::HOST);
    headers.remove(http::header::CONTENT_LENGTH);
    let mut request = shared
        .client
        .request(parts.method.clone(), format!("{}{path}", shared.behind))
        .headers(headers);
    if parts.method != Method::GET {
        request = request.body(body);
    }
    let reply = request.send().await?;
    let status = reply.status();
    let headers = reply.headers();
    let headers = [CONTENT_TYPE, DATE]
        .into_iter()
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
        .collect();
    let mut body = reply.bytes().await?;
    if path.starts_with("api/v1/cmd/") {
        // The locator tells where the data is: here, not behind.
        let text = String::from_utf8_lossy(&body).replace(&shared.behind, &shared.url);
        body = text.into();
    }
    Ok(Kept {
        status,
        headers,
        body,
    })
}
