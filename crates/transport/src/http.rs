//! The client that connectors use.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tower::ServiceExt;
use url::Url;
use wrenchtime_connector::{Context, Error, ErrorKind, Result};

use crate::budget::Budget;
use crate::stack::{Failure, Job, Shared, Stack, Verify, build};
use crate::{Call, HttpProfile, Json, Reply, Runtime};

/// Sends calls to one account. Cheap to clone; clones share connections, rate budget and token.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
    base: Option<Url>,
    stack: Stack,
}

impl Http {
    pub(crate) fn new(runtime: &Runtime, profile: HttpProfile, budget: Arc<Budget>) -> Self {
        let base = profile.base_url.clone();
        let shared = Arc::new(Shared {
            client: runtime.client().clone(),
            egress: runtime.egress().clone(),
            clock: Arc::clone(runtime.clock()),
            profile,
            budget,
        });
        let stack = build(&shared, base.clone());
        Self {
            shared,
            base,
            stack,
        }
    }

    /// Returns a client for the same account at another base address, with the same token, budget and headers.
    #[must_use]
    pub fn at(&self, base_url: Url) -> Self {
        let stack = build(&self.shared, Some(base_url.clone()));
        Self {
            shared: Arc::clone(&self.shared),
            base: Some(base_url),
            stack,
        }
    }

    /// Returns the base address.
    pub fn base_url(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// Sends a call and returns its reply if it is a success.
    ///
    /// # Behavior
    /// - Waits for the account's rate budget, interactive callers before background ones.
    /// - A safe call is sent up to five times while the source is not available or asks to wait; `Retry-After` is
    ///   kept to. No wait is begun that would last longer than five minutes, than the context's patience (a second at least) or
    ///   beyond the deadline: the error then tells how long.
    /// - When the source asks for fewer requests, nobody sends to the account meanwhile.
    /// - A token that is no longer accepted is replaced and the call sent again, once.
    /// - No attempt begins after the context's deadline; cancelling ends the call at once.
    ///
    /// # Errors
    /// As the source's status says (see [`RefineFn`](crate::RefineFn)); [`ErrorKind::Unavailable`] without a complete
    /// reply; [`ErrorKind::Invalid`] for an address that may not be reached or a call that cannot be written;
    /// [`ErrorKind::Protocol`] for a reply that is too long. None holds a secret, a body or a query string.
    pub async fn send(&self, cx: &Context, call: Call) -> Result<Reply> {
        self.run(cx, call, None).await
    }

    /// Sends a call and reads its reply as JSON. Where the call is safe, a reply that is no JSON or ends too early
    /// counts as a failed attempt and is asked for again; JSON of an unexpected shape is not.
    ///
    /// # Errors
    /// As [`Http::send`] and [`Reply::json`].
    pub async fn send_json<T>(&self, cx: &Context, call: Call) -> Result<Json<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let slot: Arc<Mutex<Option<T>>> = Arc::default();
        let filled = Arc::clone(&slot);
        let verify: Verify = Box::new(move |reply| match reply.parse::<T>() {
            Ok(value) => {
                *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Ok(())
            }
            Err((error, Category::Data)) => Err(Failure::last(error)),
            Err((error, Category::Syntax | Category::Eof | Category::Io)) => {
                Err(Failure::passing(error))
            }
        });
        let reply = self.run(cx, call, Some(verify)).await?;
        let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Every success passed the check that fills the slot.
        let value =
            value.ok_or_else(|| Error::new(ErrorKind::Protocol, "the reply was not read"))?;
        Ok(Json { value, reply })
    }

    async fn run(&self, cx: &Context, call: Call, verify: Option<Verify>) -> Result<Reply> {
        let job = Job::new(cx.clone(), call, verify);
        self.stack
            .clone()
            .oneshot(job)
            .await
            .map_err(|failure| failure.error)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("profile", &self.shared.profile)
            .field("host", &self.base.as_ref().and_then(Url::host_str))
            .finish_non_exhaustive()
    }
}
