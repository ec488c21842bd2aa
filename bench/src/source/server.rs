//! The source's HTTP side: a reply that was given once comes from memory ever after.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use wrenchtime_sandbox::corrigo::CorrigoSandbox;

use super::copies::Copies;
use super::replies::{Asked, Kept, Replies, key};

/// Below this it is told what to do, without a slash at its beginning.
pub(super) const OWN: &str = "bench/";
/// What stands between a company's name and the number that makes another account of it.
pub(super) const ACCOUNT: &str = " #";

/// A server that listens.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The one that renders.
    sandbox: CorrigoSandbox,
    /// Its base address, ending in a slash.
    behind: String,
    /// Base address of this server, ending in a slash.
    url: String,
    client: reqwest::Client,
    replies: Replies,
    copies: Copies,
    /// Milliseconds before each reply.
    delay: AtomicU64,
    /// Every reply is rendered anew.
    live: AtomicBool,
}

impl Server {
    /// Listens on a free port of the loopback, in front of a sandbox.
    pub(super) async fn bind(sandbox: CorrigoSandbox, copies: Copies) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Shared {
            behind: sandbox.host_url(),
            sandbox,
            url: format!("http://{}/", listener.local_addr()?),
            client: crate::serve::client()?,
            replies: Replies::default(),
            copies,
            delay: AtomicU64::new(0),
            live: AtomicBool::new(false),
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
    let (mut parts, body) = request.into_parts();
    let mut body = body.collect().await?.to_bytes();
    let path = parts.uri.path().to_owned();
    if let Some(command) = path.trim_start_matches('/').strip_prefix(OWN) {
        return told(shared, command, &body);
    }
    let delay = shared.delay.load(Ordering::Relaxed);
    if delay > 0 {
        crate::serve::pause(Duration::from_millis(delay)).await;
    }
    let asked = body.clone();
    forget_account(&mut parts.headers, &mut body);
    let instead = shared.copies.instead(&path, &body);
    let by = instead.as_ref().map(|(_, by)| *by);
    if let Some((instead, _)) = instead {
        body = instead;
    }
    let key = key(parts.method.as_str(), &path, &body);
    let is_live = shared.live.load(Ordering::Relaxed);
    let known = shared.replies.find(&key).filter(|_| !is_live);
    let rendered = known.is_some();
    let mut reply = match known {
        Some(reply) => reply,
        None => {
            let reply = render(shared, &parts, body.clone()).await?;
            shared.replies.keep(key.clone(), reply)
        }
    };
    if let Some(by) = by {
        reply = Arc::new(Kept {
            body: shared.copies.raise(&key, &reply.body, by)?,
            ..Kept::clone(&reply)
        });
    }
    shared.replies.note(Asked {
        path,
        body: String::from_utf8_lossy(&asked).into_owned(),
        bytes: reply.body.len(),
        rendered,
    });
    Ok(reply)
}

/// Does what this program's other process says.
fn told(shared: &Shared, command: &str, body: &[u8]) -> Result<Arc<Kept>> {
    let number = || anyhow::Ok(std::str::from_utf8(body)?.trim().parse::<u64>()?);
    let mut list = Vec::new();
    match command {
        "requests" => list = serde_json::to_vec(&shared.replies.take_asked())?,
        "delay" => shared.delay.store(number()?, Ordering::Relaxed),
        "live" => shared.live.store(true, Ordering::Relaxed),
        "advance" => shared
            .sandbox
            .clock()
            .advance(Duration::from_secs(number()?)),
        "change" => change(&shared.sandbox, number()?)?,
        other => bail!("nobody knows what {other:?} is"),
    }
    Ok(Arc::new(Kept {
        status: StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: list.into(),
    }))
}

/// Notes something on this many work orders, spread over all.
fn change(sandbox: &CorrigoSandbox, count: u64) -> Result<()> {
    sandbox.edit(|tenant| {
        let all = u64::try_from(tenant.plant().work_orders.len())?;
        let mut changed = 0;
        for number in 0..count {
            let id = u32::try_from(1 + number * all / count)?;
            changed += u64::from(tenant.note_work_order(id, "Looked at"));
        }
        if changed != count {
            bail!("{changed} of {count} work orders could be changed");
        }
        Ok(())
    })
}

/// Takes off what makes other accounts of the one that there is: all have the same rows.
fn forget_account(headers: &mut http::HeaderMap, body: &mut Bytes) {
    let name = headers.get("companyname");
    let name = name.and_then(|name| name.to_str().ok()).map(str::to_owned);
    let Some((company, number)) = name.as_deref().and_then(|name| name.rsplit_once(ACCOUNT)) else {
        return;
    };
    let number = format!("{ACCOUNT}{number}\"");
    if let Ok(company) = http::HeaderValue::from_str(company) {
        headers.insert("companyname", company);
    }
    if let Ok(text) = std::str::from_utf8(body)
        && text.contains(&number)
    {
        *body = text.replace(&number, "\"").into();
    }
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
