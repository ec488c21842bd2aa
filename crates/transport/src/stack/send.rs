//! Sends one request and reads its reply.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use metrics::counter;
use tower::Service;
use url::Url;
use wrenchtime_connector::{Error, ErrorKind, Retry};
use wrenchtime_egress::Refused;

use super::auth::header_value;
use super::{Answer, Failure, Job, Shared};
use crate::call::Body;
use crate::refusal::by_status;
use crate::reply::media_type;
use crate::shape::shape;
use crate::{Refusal, Reply, http_date};

/// How much of a refusal's body is read, in bytes.
const REFUSAL_BYTES: usize = 64 * 1024;

/// The innermost service.
#[derive(Clone)]
pub(super) struct Sender(pub(super) Arc<Shared>);

impl Service<Job> for Sender {
    type Response = Reply;
    type Error = Failure;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, job: Job) -> Answer {
        let service = self.clone();
        Box::pin(async move { service.handle(&job).await })
    }
}

impl Sender {
    async fn handle(&self, job: &Job) -> Result<Reply, Failure> {
        let url = job.url.clone().ok_or_else(|| {
            Failure::last(job.error(ErrorKind::Invalid, "the call has no address"))
        })?;
        let place = place(&url);
        let request = self.request(job, url)?;
        job.progress.requests.fetch_add(1, Ordering::Relaxed);
        let broken = |error| without_reply(job, &place, error);
        let sent = self.0.client.execute(request).await;
        self.count(sent.as_ref().ok().map(reqwest::Response::status));
        let mut response = sent.map_err(broken)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let limit = if status.is_success() {
            self.0.profile.max_reply_bytes
        } else {
            REFUSAL_BYTES
        };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > limit {
                if status.is_success() {
                    let what =
                        format!("the reply is longer than the {limit} bytes that are allowed");
                    let error = job
                        .error(ErrorKind::Protocol, what)
                        .with_retry(Retry::Never);
                    return Err(Failure::last(error));
                }
                // A refusal's beginning says enough.
                body.extend_from_slice(chunk.get(..limit - body.len()).unwrap_or_default());
                break;
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.freeze();
        let read = u64::try_from(body.len()).unwrap_or(u64::MAX);
        counter!("wrenchtime_source_bytes_total", "system" => self.system()).increment(read);
        if !status.is_success() {
            return Err(self.refused(job, status, &headers, &body));
        }
        let reply = Reply {
            source_time: http_date::source_time(&headers),
            status,
            headers,
            body,
            attempts: job.requests(),
            system: self.0.profile.system.as_str().to_owned(),
            operation: job.name.to_string(),
        };
        if let Some(verify) = &job.progress.verify {
            verify(&reply)?;
        }
        Ok(reply)
    }

    /// Counts a request by what came of it.
    fn count(&self, status: Option<StatusCode>) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
        counter!("wrenchtime_source_requests_total", "system" => self.system(), "status" => status)
            .increment(1);
    }

    fn system(&self) -> String {
        self.0.profile.system.to_string()
    }

    fn request(&self, job: &Job, url: Url) -> Result<reqwest::Request, Failure> {
        let left = job
            .cx
            .deadline
            .map(|end| (end - self.0.clock.now()).to_std().unwrap_or_default());
        let timeout = left.map_or(self.0.profile.timeout, |left| {
            left.min(self.0.profile.timeout)
        });
        let mut request = reqwest::Request::new(job.call.method.clone(), url);
        *request.timeout_mut() = Some(timeout);
        let profile_headers = if job.own {
            self.0.profile.headers.as_slice()
        } else {
            &[]
        };
        for (name, value) in profile_headers.iter().chain(&job.call.headers) {
            request
                .headers_mut()
                .insert(name, header_value(job, name, value)?);
        }
        for (name, value) in &job.credentials {
            request.headers_mut().insert(name, value.clone());
        }
        match &job.call.body {
            Body::Empty => {}
            Body::Bytes {
                content_type,
                bytes,
            } => {
                let content_type = ::http::HeaderValue::from_static(content_type);
                request
                    .headers_mut()
                    .entry(CONTENT_TYPE)
                    .or_insert(content_type);
                *request.body_mut() = Some(Bytes::clone(bytes).into());
            }
            Body::Broken => {
                let what = "the body cannot be written as JSON";
                return Err(Failure::last(job.error(ErrorKind::Invalid, what)));
            }
        }
        Ok(request)
    }

    fn refused(&self, job: &Job, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Failure {
        let usual = by_status(status);
        let refined = (self.0.profile.refine)(&Refusal { status, body });
        let known = refined.is_some();
        let verdict = refined.unwrap_or_else(|| usual.clone());
        let what = verdict.message.or(usual.message).unwrap_or_default();
        let asked = http_date::retry_after(headers, self.0.clock.now());
        let retry = match verdict.retry {
            Retry::Never => Retry::Never,
            Retry::After(time) => Retry::After(asked.or(time)),
        };
        let mut error = job
            .error(verdict.kind, what)
            .with_retry(retry)
            .with_context("status", status.as_str());
        for (name, value) in verdict.context {
            error = error.with_context(name, value);
        }
        if !known && matches!(verdict.kind, ErrorKind::Invalid | ErrorKind::Protocol) {
            error = error
                .with_context("content_type", media_type(headers))
                .with_context("shape", shape(body));
        }
        Failure {
            error,
            again: true,
            limited: verdict.kind == ErrorKind::RateLimited,
            refresh: verdict.refresh_token,
        }
    }
}

/// Returns the host and port, for people.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns what is told when no complete reply came.
fn without_reply(job: &Job, place: &str, error: reqwest::Error) -> Failure {
    // The address may hold a query.
    let error = error.without_url();
    if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        let refused = refused.clone();
        return Failure::last(job.error(ErrorKind::Invalid, &refused).with_source(refused));
    }
    let what = if error.is_connect() {
        format!("cannot connect to {place}; check the address and the network")
    } else if error.is_timeout() {
        format!("no complete answer from {place} in time")
    } else {
        format!("the connection to {place} broke before the reply was complete")
    };
    let cause = causes(&error).last().map(ToString::to_string);
    let mut told: Error = job.error(ErrorKind::Unavailable, what);
    if let Some(cause) = cause {
        told = told.with_context("cause", cause);
    }
    Failure::passing(told.with_source(error))
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
