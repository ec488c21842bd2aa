//! Tokens: the endpoint that gives them, and the check of the headers that carry them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde_json::{Value as Json, json};

use super::{
    errors::{ApiError, Result},
    options::InvalidClient,
};
use crate::plant::Rng;

/// Seconds for which a token is good.
const LIFE: i64 = 1199;

/// Tokens given so far, with the instant at which each ends.
pub(super) struct Tokens {
    rng: Rng,
    ends: HashMap<String, DateTime<Utc>>,
}

/// Who may have a token.
pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) refusal: InvalidClient,
}

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::for_record(seed, 99, 0),
            ends: HashMap::new(),
        }
    }

    /// Answers a request for a token.
    pub(super) fn grant(
        &mut self,
        form: &[u8],
        client: &Client<'_>,
        now: DateTime<Utc>,
    ) -> (StatusCode, Json) {
        let fields: HashMap<_, _> = url::form_urlencoded::parse(form).into_owned().collect();
        let is = |name: &str, wanted: &str| fields.get(name).is_some_and(|value| value == wanted);
        let refuse = |error: &str| (StatusCode::BAD_REQUEST, json!({"error": error}));
        if !fields.contains_key("grant_type") {
            return refuse("invalid_request");
        }
        if !is("grant_type", "client_credentials") {
            return refuse("unsupported_grant_type");
        }
        if !is("client_id", client.id) || !is("client_secret", client.secret) {
            let status = match client.refusal {
                InvalidClient::BadRequest => StatusCode::BAD_REQUEST,
                InvalidClient::Unauthorized => StatusCode::UNAUTHORIZED,
            };
            return (status, json!({"error": "invalid_client"}));
        }
        let token: String = (0..4)
            .map(|_| format!("{:016x}", self.rng.next()))
            .collect();
        self.ends
            .insert(token.clone(), now + TimeDelta::seconds(LIFE));
        (
            StatusCode::OK,
            json!({"access_token": token, "token_type": "bearer", "expires_in": LIFE}),
        )
    }

    /// Checks the `Authorization` header.
    pub(super) fn check(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<()> {
        if !headers.contains_key(AUTHORIZATION) {
            return Err(ApiError::missing_header());
        }
        let token = bearer(headers).ok_or_else(|| {
            ApiError::forbidden(
                "MISSING_AUTHORIZATION_SCHEME",
                "Authorization scheme is missing.",
            )
        })?;
        if token.is_empty() {
            return Err(ApiError::bad(
                "INCORRECT_TOKEN",
                "The access token is empty.",
            ));
        }
        match self.ends.get(token) {
            None => Err(ApiError::forbidden(
                "INCORRECT_TOKEN",
                "The access token is not correct.",
            )),
            Some(end) if *end <= now => Err(ApiError::expired()),
            Some(_) => Ok(()),
        }
    }

    /// Ends the token of a request at once.
    pub(super) fn expire(&mut self, headers: &HeaderMap, now: DateTime<Utc>) {
        if let Some(end) = bearer(headers).and_then(|token| self.ends.get_mut(token)) {
            *end = now;
        }
    }
}

/// Returns what follows the word `Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
