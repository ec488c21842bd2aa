//! One attempt: ten seconds for all of it, no redirects, sixteen kilobytes of reply.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use url::Url;
use wrenchtime_egress::Policy;

use crate::plan::Answer;
use crate::signature::SigningKey;

/// Time for connecting, TLS, sending and the reply together.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a reply that are read.
const REPLY_BYTES: usize = 16 * 1024;

/// Posts messages to endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    policy: Policy,
    client: reqwest::Client,
}

/// What is posted.
#[derive(Debug)]
pub(crate) struct Post<'a> {
    pub(crate) url: &'a Url,
    pub(crate) key: &'a SigningKey,
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) now: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) answer: Answer,
    pub(crate) error: Option<String>,
}

impl Poster {
    pub(crate) fn try_new(policy: Policy, user_agent: &str) -> Result<Self, reqwest::Error> {
        let client = policy
            .client_builder()
            .user_agent(user_agent)
            .timeout(LIMIT)
            .pool_max_idle_per_host(2)
            .build()?;
        Ok(Self { policy, client })
    }

    pub(crate) async fn post(&self, post: Post<'_>) -> Posted {
        if let Err(refused) = self.policy.check_url(post.url) {
            return Posted {
                answer: Answer::None,
                error: Some(refused.to_string()),
            };
        }
        // The client's own limit restarts at nothing here, but a body that drips would outlive it without this one.
        match tokio::time::timeout(LIMIT, self.exchange(post)).await {
            Ok(Ok(posted)) => posted,
            Ok(Err(error)) => Posted {
                answer: Answer::None,
                error: Some(reason(&error)),
            },
            Err(_) => Posted {
                answer: Answer::None,
                error: Some("no reply within 10 s".to_owned()),
            },
        }
    }

    async fn exchange(&self, post: Post<'_>) -> Result<Posted, reqwest::Error> {
        let timestamp = post.now.timestamp();
        let signature = post.key.sign(&post.id, timestamp, &post.body);
        let reply = self
            .client
            .post(post.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", post.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(post.body)
            .send()
            .await?;
        let status = reply.status();
        let retry_after = retry_after(reply.headers(), post.now);
        // Read so that the connection can be used again; what it says is the receiver's business.
        let mut body = reply.bytes_stream();
        let mut read = 0;
        while let Some(chunk) = body.next().await {
            read += chunk?.len();
            if read > REPLY_BYTES {
                break;
            }
        }
        let error = (!status.is_success()).then(|| format!("the receiver answered {status}"));
        Ok(Posted {
            answer: Answer::Status {
                status: status.as_u16(),
                retry_after,
            },
            error,
        })
    }
}

/// Says what went wrong without the URL, which may carry a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no reply within 10 s"
    } else if error.is_connect() {
        "no connection to the receiver"
    } else if error.is_body() || error.is_decode() {
        "the reply broke off"
    } else {
        "the request failed"
    }
    .to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.source().is_none() {
            text = format!("{text}: {cause}");
        }
        source = cause.source();
    }
    text
}

fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(TimeDelta::seconds(seconds.into()));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.with_timezone(&Utc) - now).max(TimeDelta::zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        let now = DateTime::parse_from_rfc3339("2031-05-01T12:00:00Z")
            .unwrap()
            .with_timezone(&Utc);
        assert_eq!(
            retry_after(&headers, now),
            expected.map(TimeDelta::seconds),
            "{text}"
        );
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Thu, 01 May 2031 12:01:00 GMT", Some(60));
        check("Thu, 01 May 2031 11:01:00 GMT", Some(0));
        check("soon", None);
        check("-5", None);
    }
}
