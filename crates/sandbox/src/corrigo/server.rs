//! The simulator as a server on a loopback port.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPIRES, PRAGMA, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value as Json;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    auth::{Client, Tokens},
    body::ReplyBody,
    errors::{ApiError, Result as ApiResult},
    options::CorrigoOptions,
    query::project::Surprise,
    requests::{RequestLog, RequestLogEntry, is_data},
    routes::{self, Answer, House, Request},
    tenant::Tenant,
};
use crate::{
    clock::SimClock,
    error::Error,
    faults::{Fault, Faults},
};

/// Largest body that is read.
const LARGEST_BODY: usize = 4 << 20;

/// A running simulator. It stops when it is dropped.
pub struct CorrigoSandbox {
    shared: Arc<Shared>,
    tracker: TaskTracker,
    guard: DropGuard,
}

struct Shared {
    company: String,
    client_id: String,
    client_secret: String,
    ceiling: usize,
    clock: SimClock,
    faults: Faults,
    host: String,
    tenant: RwLock<Tenant>,
    tokens: Mutex<Tokens>,
    log: Mutex<RequestLog>,
}

impl CorrigoSandbox {
    /// Starts a simulator on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] when no port can be opened.
    pub async fn start(options: CorrigoOptions) -> Result<Self, Error> {
        Self::start_on(options, 0).await
    }

    /// Starts a simulator on this port of 127.0.0.1; 0 means any free one.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] when the port can't be opened.
    pub async fn start_on(options: CorrigoOptions, port: u16) -> Result<Self, Error> {
        let bind = |source| Error::Bind { port, source };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let port = listener.local_addr().map_err(bind)?.port();
        let shared = Arc::new(Shared {
            company: options.company,
            client_id: options.client_id,
            client_secret: options.client_secret,
            ceiling: options.ceiling,
            clock: options.clock,
            faults: options.faults,
            host: format!("http://127.0.0.1:{port}/"),
            tenant: RwLock::new(Tenant::new(options.plant, options.switches)),
            tokens: Mutex::new(Tokens::new(u64::from(port))),
            log: Mutex::default(),
        });
        let cancel = CancellationToken::new();
        let tracker = TaskTracker::new();
        tracker.spawn(accept(
            listener,
            Arc::clone(&shared),
            cancel.clone(),
            tracker.clone(),
        ));
        tracker.close();
        Ok(Self {
            shared,
            tracker,
            guard: cancel.drop_guard(),
        })
    }

    /// Returns the address of the token endpoint.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}OAuth/token", self.shared.host)
    }

    /// Returns the address of the locator's command, `.../api/v1/cmd/GetCompanyWsdkUrlCommand`.
    ///
    /// The locator lives on the same host as the data, so [`host_url`](Self::host_url) is its base address.
    #[must_use]
    pub fn locator_url(&self) -> String {
        format!("{}api/v1/cmd/GetCompanyWsdkUrlCommand", self.shared.host)
    }

    /// Returns the base address of the host that serves the company, ending in `/`.
    #[must_use]
    pub fn host_url(&self) -> String {
        self.shared.host.clone()
    }

    /// Returns the company name.
    #[must_use]
    pub fn company(&self) -> &str {
        &self.shared.company
    }

    /// Returns the client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.shared.client_id
    }

    /// Returns the client secret, which protects nothing but made-up data.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.shared.client_secret
    }

    /// Returns the vendor's clock.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.shared.clock
    }

    /// Returns the handle on faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Reads or changes the data, as somebody would in the vendor's user interface. Requests see all of it or nothing.
    ///
    /// Changes carry the present instant of the clock, unless [`Tenant::set_now`] chooses another.
    pub fn edit<R>(&self, change: impl FnOnce(&mut Tenant) -> R) -> R {
        let mut tenant = self
            .shared
            .tenant
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        tenant.set_now(self.shared.clock.now());
        change(&mut tenant)
    }

    /// Returns the last requests, oldest first; 20,000 at most.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestLogEntry> {
        self.shared.log().entries.iter().cloned().collect()
    }

    /// Returns how many requests came since the start or the last [`reset_requests`](Self::reset_requests).
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.shared.log().count
    }

    /// Returns how many of them were for data rather than for a token or a host.
    #[must_use]
    pub fn data_request_count(&self) -> u64 {
        self.shared.log().data
    }

    /// Returns how many records were looked at to answer them.
    #[must_use]
    pub fn rows_scanned(&self) -> u64 {
        self.shared.log().scanned
    }

    /// Forgets the requests and counts from 0 again. Indexes of [`Faults::inject_at`] are counted apart.
    pub fn reset_requests(&self) {
        *self.shared.log() = RequestLog::default();
    }

    /// Stops the simulator: closes the port and all connections, and returns when they are closed.
    pub async fn stop(self) {
        let Self { tracker, guard, .. } = self;
        drop(guard);
        tracker.wait().await;
    }
}

impl fmt::Debug for CorrigoSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrigoSandbox")
            .field("host", &self.shared.host)
            .field("company", &self.shared.company)
            .finish_non_exhaustive()
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    cancel: CancellationToken,
    tracker: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            tracker.spawn(serve(stream, Arc::clone(&shared), cancel.clone()));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, cancel: CancellationToken) {
    let service = service_fn(|request| handle(&shared, request));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .auto_date_header(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = cancel.cancelled() => {}
        // A connection that ends badly is the client's business, or a fault that was asked for.
        _ = connection => {}
    }
}

/// Says that the connection is to be closed without a reply.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
struct Dropped;

async fn handle(
    shared: &Shared,
    request: http::Request<Incoming>,
) -> Result<Response<ReplyBody>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|_| Dropped)?
        .to_bytes();
    let path = parts.uri.path().to_owned();
    let is_token = path.eq_ignore_ascii_case("/OAuth/token");
    let fault = match (is_token, is_data(&path)) {
        (true, _) => shared.faults.next_token(),
        (false, true) => shared.faults.next(),
        (false, false) => None,
    };
    let query = parts.uri.query().unwrap_or_default();
    let request = Request {
        method: &parts.method,
        path: &path,
        parameters: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: &parts.headers,
        body: &body,
    };
    if let Some(Fault::Slow(delay)) = &fault {
        wait(*delay).await;
    }
    let reply = shared.reply(&request, fault.as_ref(), is_token);
    let entry = RequestLogEntry {
        at: shared.clock.now(),
        method: parts.method.to_string(),
        path: path.clone(),
        entity: reply.entity,
        status: reply.status.map_or(0, |status| status.as_u16()),
        rows: reply.rows,
        rows_scanned: reply.scanned,
        fault: fault.clone(),
    };
    shared.log().push(entry);
    reply.send(fault.as_ref(), &shared.clock)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a slow vendor is slow by the client's clock, not by the simulated one"
)]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// A reply before it is sent; without a status none is.
struct Reply {
    status: Option<StatusCode>,
    bytes: Bytes,
    content_type: &'static str,
    entity: Option<&'static str>,
    rows: usize,
    scanned: u64,
}

const JSON: &str = "application/json; charset=utf-8";

impl Reply {
    fn json(status: StatusCode, body: &Json) -> Self {
        Self {
            status: Some(status),
            bytes: serde_json::to_vec(body).unwrap_or_default().into(),
            content_type: JSON,
            entity: None,
            rows: 0,
            scanned: 0,
        }
    }

    fn page(status: Option<StatusCode>, text: &'static str) -> Self {
        Self {
            status,
            bytes: Bytes::from_static(text.as_bytes()),
            content_type: "text/html",
            entity: None,
            rows: 0,
            scanned: 0,
        }
    }

    fn send(self, fault: Option<&Fault>, clock: &SimClock) -> Result<Response<ReplyBody>, Dropped> {
        let status = self.status.ok_or(Dropped)?;
        let length = self.bytes.len();
        let body = if fault == Some(&Fault::Truncate) {
            ReplyBody::Broken {
                part: Some(self.bytes.slice(..length / 2)),
                paused: false,
            }
        } else {
            ReplyBody::Whole(Some(self.bytes))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(EXPIRES, HeaderValue::from_static("-1"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let now = clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(now) = HeaderValue::from_str(&now) {
            headers.insert(DATE, now);
        }
        if let Some(Fault::TooManyRequests {
            retry_after: Some(seconds),
        }) = fault
        {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        Ok(response)
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, RequestLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, request: &Request<'_>, fault: Option<&Fault>, is_token: bool) -> Reply {
        match fault {
            Some(Fault::TooManyRequests { .. }) => {
                return Reply::page(Some(StatusCode::TOO_MANY_REQUESTS), "Too many requests");
            }
            Some(Fault::ServerError(status)) => {
                let status =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Reply::page(
                    Some(status),
                    "<html><body><h1>Server Error</h1></body></html>",
                );
            }
            Some(Fault::Drop) => return Reply::page(None, ""),
            Some(Fault::Malformed) => {
                return Reply {
                    content_type: JSON,
                    ..Reply::page(Some(StatusCode::OK), "<html>maintenance page</html>")
                };
            }
            Some(Fault::ExpiredToken) => self.tokens().expire(request.headers, self.clock.now()),
            _ => {}
        }
        if is_token {
            return self.token(request);
        }
        let id = request.id();
        let surprise = Surprise {
            unknown_field: fault == Some(&Fault::UnknownField),
            unknown_member: fault == Some(&Fault::UnknownEnumMember),
        };
        match self.answer(request, surprise) {
            Ok(mut answer) => {
                if let (Some(id), Some(body)) = (id, answer.body.as_object_mut()) {
                    body.insert("RequestId".to_owned(), id);
                }
                Reply {
                    entity: answer.entity,
                    rows: answer.rows,
                    scanned: answer.scanned,
                    ..Reply::json(answer.status, &answer.body)
                }
            }
            Err(error) => Reply::json(error.status, &error.body(self.clock.now(), id.as_ref())),
        }
    }

    fn token(&self, request: &Request<'_>) -> Reply {
        if request.method != Method::POST {
            let error = ApiError::method_not_allowed();
            return Reply::json(error.status, &error.body(self.clock.now(), None));
        }
        let refusal = self
            .tenant
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .switches()
            .invalid_client;
        let client = Client {
            id: &self.client_id,
            secret: &self.client_secret,
            refusal,
        };
        let (status, body) = self.tokens().grant(request.body, &client, self.clock.now());
        Reply::json(status, &body)
    }

    fn answer(&self, request: &Request<'_>, surprise: Surprise) -> ApiResult<Answer> {
        let tenant = self.tenant.read().unwrap_or_else(PoisonError::into_inner);
        let path = request.path.to_ascii_lowercase();
        if !path.starts_with("/api/v1/") {
            return Err(ApiError::not_found_route());
        }
        let discovery = !is_data(request.path);
        if !discovery || tenant.switches().locator_needs_token {
            self.tokens().check(request.headers, self.clock.now())?;
        }
        request.check_company(&self.company, discovery)?;
        if tenant.switches().wrong_host && !discovery {
            return Err(routes::mismatch());
        }
        let house = House {
            company: &self.company,
            host: &self.host,
            ceiling: self.ceiling,
            surprise,
        };
        routes::answer(request, &house, &tenant)
    }
}
