//! The layers that a call passes, outermost first: trace, deadline, retry, budget, auth, base address. Innermost is
//! the one that sends.

mod auth;
mod base;
mod deadline;
mod limit;
mod retry;
mod send;
mod trace;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ::http::{HeaderName, HeaderValue};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service};
use url::Url;
use wrenchtime_connector::{Clock, Context, Error, ErrorKind};
use wrenchtime_egress::Policy;

use crate::budget::Budget;
use crate::{Call, HttpProfile, Reply};

/// All layers in one.
pub(crate) type Stack = BoxCloneSyncService<Job, Reply, Failure>;

/// What a layer returns.
type Answer = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// Looks at a success before it counts as one.
pub(crate) type Verify = Box<dyn Fn(&Reply) -> Result<(), Failure> + Send + Sync>;

/// What the layers of one account share.
pub(crate) struct Shared {
    pub(crate) client: reqwest::Client,
    pub(crate) egress: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) profile: HttpProfile,
    pub(crate) budget: Arc<Budget>,
}

/// A call on its way. Each attempt has a copy.
#[derive(Clone)]
pub(crate) struct Job {
    cx: Context,
    call: Arc<Call>,
    name: Arc<str>,
    /// Set by the auth layer.
    credentials: Vec<(HeaderName, HeaderValue)>,
    /// Set by the base address layer.
    url: Option<Url>,
    /// Set by the base address layer: the address belongs to the account.
    own: bool,
    progress: Arc<Progress>,
}

/// What is known about a call over all its attempts.
struct Progress {
    requests: AtomicU32,
    refreshed: AtomicBool,
    verify: Option<Verify>,
}

impl Job {
    pub(crate) fn new(cx: Context, call: Call, verify: Option<Verify>) -> Self {
        let name = call.name().into();
        let progress = Progress {
            requests: AtomicU32::new(0),
            refreshed: AtomicBool::new(false),
            verify,
        };
        Self {
            cx,
            call: Arc::new(call),
            name,
            credentials: Vec::new(),
            url: None,
            own: false,
            progress: Arc::new(progress),
        }
    }

    fn requests(&self) -> u32 {
        self.progress.requests.load(Ordering::Relaxed)
    }

    /// Makes an error that says which operation it was.
    fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("{}: {what}", self.name))
    }
}

/// An attempt that failed, and what the layers may do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Another attempt may succeed.
    again: bool,
    /// The source itself asks for fewer requests.
    limited: bool,
    /// The token is to be replaced.
    refresh: bool,
}

impl Failure {
    /// Trying again changes nothing.
    pub(crate) fn last(error: Error) -> Self {
        Self {
            error,
            again: false,
            limited: false,
            refresh: false,
        }
    }

    /// Trying again may help.
    pub(crate) fn passing(error: Error) -> Self {
        Self {
            error,
            again: true,
            limited: false,
            refresh: false,
        }
    }
}

/// A layer around another.
trait Inner:
    Service<Job, Response = Reply, Error = Failure, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Inner for S where
    S: Service<Job, Response = Reply, Error = Failure, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Stacks the layers for an account at a base address.
pub(crate) fn build(shared: &Arc<Shared>, base: Option<Url>) -> Stack {
    let own = || Arc::clone(shared);
    let layers = (
        trace::TraceLayer(own()),
        deadline::DeadlineLayer(own()),
        retry::RetryLayer(own()),
        limit::LimitLayer(own()),
        auth::AuthLayer(own()),
        base::BaseLayer(own(), base.map(Arc::new)),
    );
    BoxCloneSyncService::new(layers.layer(send::Sender(own())))
}

/// Declares a layer, and its service with the one method that matters left to write: `handle`.
macro_rules! layer {
    ($(#[$doc:meta])* $layer:ident($($field:ident: $type:ty),+) => $service:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(super) struct $layer($(pub(super) $type),+);

        #[derive(Clone)]
        pub(super) struct $service<S> {
            $($field: $type,)+
            inner: S,
        }

        impl<S> tower::Layer<S> for $layer {
            type Service = $service<S>;

            fn layer(&self, inner: S) -> $service<S> {
                let Self($($field),+) = self.clone();
                $service { $($field,)+ inner }
            }
        }

        impl<S: super::Inner> tower::Service<super::Job> for $service<S> {
            type Response = crate::Reply;
            type Error = super::Failure;
            type Future = super::Answer;

            fn poll_ready(
                &mut self,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Result<(), super::Failure>> {
                // Whoever calls the inner service waits for it to be ready.
                std::task::Poll::Ready(Ok(()))
            }

            fn call(&mut self, job: super::Job) -> super::Answer {
                let service = self.clone();
                Box::pin(async move { service.handle(job).await })
            }
        }
    };
}
use layer;
