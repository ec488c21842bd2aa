//! Puts credentials on a call, and replaces a token that is no longer accepted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::http::header::AUTHORIZATION;
use ::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;
use wrenchtime_connector::{ErrorKind, Retry};

use super::limit::too_long;
use super::{Failure, Inner, Job, Shared, layer};
use crate::{Auth as Scheme, Reply, TokenCache};

layer! {
    /// Authenticates calls.
    AuthLayer(shared: Arc<Shared>) => Auth
}

impl<S: Inner> Auth<S> {
    async fn handle(self, mut job: Job) -> Result<Reply, Failure> {
        let shared = Arc::clone(&self.shared);
        let credential = match &shared.profile.auth {
            Scheme::None => None,
            Scheme::Bearer(tokens) => return self.with_token(job, tokens).await,
            Scheme::Basic { user, password } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
                Some((AUTHORIZATION, SecretString::from(format!("Basic {pair}"))))
            }
            Scheme::Header { name, value } => Some((name.clone(), value.clone())),
        };
        if let Some((name, value)) = credential {
            let value = header_value(&job, &name, &value)?;
            job.credentials.push((name, value));
        }
        let mut answer = self.inner.oneshot(job).await;
        if let Err(failure) = &mut answer {
            failure.refresh = false;
        }
        answer
    }

    async fn with_token(&self, job: Job, tokens: &TokenCache) -> Result<Reply, Failure> {
        let token = tokens.get(&job.cx).await.map_err(Failure::last)?;
        let answer = self.send_with(&job, &token).await;
        let Err(mut failure) = answer else {
            return answer;
        };
        if !failure.refresh {
            return Err(failure);
        }
        tokens.invalidate(&token);
        if job.progress.refreshed.swap(true, Ordering::Relaxed) {
            return Err(refused_again(failure));
        }
        let token = match tokens.get(&job.cx).await {
            Ok(token) => token,
            Err(error) => {
                failure.error = error;
                return Err(Failure::last(failure.error));
            }
        };
        self.shared
            .budget
            .again(&job.cx)
            .await
            .map_err(|wait| too_long(&job, wait))?;
        self.send_with(&job, &token).await.map_err(|failure| {
            if failure.refresh {
                refused_again(failure)
            } else {
                failure
            }
        })
    }

    async fn send_with(&self, job: &Job, token: &SecretString) -> Result<Reply, Failure> {
        let mut job = job.clone();
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let value = header_value(&job, &AUTHORIZATION, &bearer)?;
        job.credentials.push((AUTHORIZATION, value));
        self.inner.clone().oneshot(job).await
    }
}

/// A source that refuses a new token as well means something else, and asking on would never end.
fn refused_again(failure: Failure) -> Failure {
    Failure::last(failure.error.with_retry(Retry::Never))
}

/// Makes a header's value that is kept out of logs and compression tables.
pub(super) fn header_value(
    job: &Job,
    name: &HeaderName,
    value: &SecretString,
) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
        let what = format!(
            "the value for the header {name} holds characters that no header may; enter it again"
        );
        Failure::last(job.error(ErrorKind::Invalid, what))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
