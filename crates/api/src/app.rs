//! From the route table to a router: request ids, authentication, parameters, bodies and deadlines, once for all.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawPathParams, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::{counter, histogram};
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;
use wrenchtime_service::{Principal, Service};

use crate::Limits;
use crate::parameter::Query;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Access, Call, Route};
use crate::routes;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every request shares.
#[derive(Clone)]
struct App {
    service: Service,
    limits: Limits,
    exposition: Option<Exposition>,
}

/// Writes down what was measured so far, as Prometheus reads it.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

/// The id of one request, in its reply and in the log.
#[derive(Clone)]
struct RequestId(Arc<str>);

/// Makes the API over a service. Without an exposition there is nothing under `/metrics`.
pub fn router(service: Service, limits: Limits, exposition: Option<Exposition>) -> Router {
    let app = App {
        service,
        limits,
        exposition,
    };
    let mut by_path: BTreeMap<String, MethodRouter<App>> = BTreeMap::new();
    for route in routes::all() {
        let path = route.path.clone();
        let method = filter(&route.method);
        let route = Arc::new(route);
        let handler = move |State(app): State<App>,
                            Extension(id): Extension<RequestId>,
                            path: RawPathParams,
                            request: Request| {
            let route = Arc::clone(&route);
            async move { answer(&app, &route, &id, &path, request).await }
        };
        let known = by_path.remove(&path).unwrap_or_default();
        by_path.insert(path, known.merge(on(method, handler)));
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(&path, methods);
    }
    router
        .fallback(|Extension(id): Extension<RequestId>| async move {
            Problem::new(Code::NotFound).into_reply(&id.0)
        })
        .method_not_allowed_fallback(|Extension(id): Extension<RequestId>| async move {
            Problem::new(Code::MethodNotAllowed).into_reply(&id.0)
        })
        .layer(from_fn(with_request_id))
        .with_state(app)
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::DELETE => MethodFilter::DELETE,
        Method::PATCH => MethodFilter::PATCH,
        Method::PUT => MethodFilter::PUT,
        _ => MethodFilter::GET,
    }
}

/// Gives every reply an id, whoever wrote it, and the headers that all have.
async fn with_request_id(mut request: Request, next: Next) -> Response {
    let id: Arc<str> = format!("req_{}", Uuid::now_v7().simple()).into();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let span = info_span!("request", request_id = %id);
    let mut reply = next.run(request).instrument(span).await;
    let headers = reply.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    reply
}

async fn answer(
    app: &App,
    route: &Route,
    id: &RequestId,
    path: &RawPathParams,
    request: Request,
) -> Response {
    let begun = std::time::Instant::now();
    let path = path
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let work = AssertUnwindSafe(handle(app, route, path, request)).catch_unwind();
    let result = match tokio::time::timeout(app.limits.answer_timeout, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            error!("a request handler panicked");
            Err(Problem::new(Code::Internal))
        }
        Err(_) => Err(Problem::new(Code::Unavailable).with_detail("the answer took too long")),
    };
    let reply = match result {
        Ok(reply) => reply.into_reply(),
        Err(problem) => problem.into_reply(&id.0),
    };
    measure(route, &reply, begun.elapsed());
    info!(
        method = %route.method,
        route = %route.path,
        status = reply.status().as_u16(),
        milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    reply
}

/// Counts an answer. The route stands for all addresses of its kind, so that there are few labels.
fn measure(route: &Route, reply: &Response, took: Duration) {
    let status = reply.status().as_u16().to_string();
    let labels = [
        ("method", route.method.to_string()),
        ("route", route.path.clone()),
    ];
    let mut counted = labels.to_vec();
    counted.push(("status", status));
    counter!("wrenchtime_http_requests_total", &counted).increment(1);
    histogram!("wrenchtime_http_request_seconds", &labels).record(took.as_secs_f64());
}

async fn handle(
    app: &App,
    route: &Route,
    path: BTreeMap<String, String>,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let principal = authenticate(app, route.access, &parts.headers).await?;
    let query = Query::parse(
        parts.uri.query().unwrap_or_default(),
        &route.query_parameters,
    )?;
    let body = match &route.body {
        Some(declared) => read_body(app, &parts.headers, body, declared.required).await?,
        None => Bytes::new(),
    };
    let call = Call {
        service: app.service.clone(),
        principal,
        path,
        query,
        body,
        exposition: app.exposition.clone(),
    };
    (route.handler)(call).await
}

async fn authenticate(
    app: &App,
    access: Access,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Problem> {
    if access == Access::Public {
        return Ok(None);
    }
    let secret = bearer(headers).ok_or_else(|| {
        Problem::new(Code::Unauthorized)
            .with_detail("send `Authorization: Bearer` with a management key or a connection token")
    })?;
    let principal = app.service.authenticate(secret).await?.ok_or_else(|| {
        Problem::new(Code::Unauthorized).with_detail("the key or token is void or unknown")
    })?;
    match (access, &principal) {
        (Access::Management, Principal::Connection(_)) => Err(Problem::new(Code::Forbidden)
            .with_detail("this request takes a management key (wtm_...), not a connection token")),
        (Access::Connection, Principal::Management(_)) => Err(Problem::new(Code::Forbidden)
            .with_detail(
                "this request takes a connection token (wtc_...); with a management key ask below \
                 /v1/connections/{connection_id}",
            )),
        _ => Ok(Some(principal)),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

async fn read_body(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    required: bool,
) -> Result<Bytes, Problem> {
    let limit = app.limits.body_bytes;
    let too_large =
        || Problem::new(Code::BodyTooLarge).with_detail(format!("a body may have {limit} bytes"));
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let bytes = collect(Limited::new(body, limit), app.limits.body_timeout)
        .await?
        .ok_or_else(too_large)?;
    if bytes.is_empty() && !required {
        return Ok(bytes);
    }
    if !is_json(headers) {
        return Err(Problem::new(Code::UnsupportedMediaType)
            .with_detail("send `Content-Type: application/json`"));
    }
    Ok(bytes)
}

/// Reads a body whole; nothing when it is too large.
async fn collect(body: Limited<Body>, timeout: Duration) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(timeout, body.collect()).await {
        Err(_) => Err(Problem::new(Code::RequestTimeout)),
        Ok(Ok(collected)) => Ok(Some(collected.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Ok(None),
        Ok(Err(_)) => {
            Err(Problem::new(Code::InvalidBody).with_detail("the body did not arrive whole"))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    media_type.eq_ignore_ascii_case("application/json")
}
