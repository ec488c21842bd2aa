//! Token, host and calls of one account.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use wrenchtime_connector::{Clock, Context, Result, Retry, SystemName};
use wrenchtime_transport::{
    Auth, Call, Http, HttpProfile, Runtime, Token, TokenCache, TokenSource,
};

use crate::error::{is_moved, refine, refine_token};
use crate::locator::{Host, discover};
use crate::query::Query;
use crate::settings::Access;
use crate::wire::{Keyed, Row, Rows};

pub(crate) const SYSTEM: SystemName = SystemName::from_static("corrigo");

/// One account, open.
#[derive(Debug)]
pub(crate) struct Session {
    runtime: Runtime,
    access: Access,
    tokens: Arc<TokenCache>,
    issued: Arc<AtomicU64>,
    locator: Http,
    /// Held while the host is looked up, so that it is looked up once.
    open: Mutex<Option<Open>>,
}

#[derive(Clone, Debug)]
struct Open {
    http: Http,
    host: Host,
    /// How many tokens had been issued when the host was looked up.
    issued: u64,
}

/// How many ids go into one condition.
const BATCH: usize = 500;

/// Of which entity which properties are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) entity: &'a str,
    pub(crate) properties: &'a [&'static str],
}

/// What the requests of one call add up to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) requests: u32,
    pub(crate) source_time: Option<DateTime<Utc>>,
}

impl Session {
    pub(crate) fn new(runtime: &Runtime, access: Access) -> Self {
        let issued = Arc::new(AtomicU64::new(0));
        let mut profile = HttpProfile::new(SYSTEM);
        profile.refine = refine_token;
        let source = Tokens {
            http: runtime.http(profile),
            access: access.clone(),
            issued: Arc::clone(&issued),
        };
        let tokens = Arc::new(TokenCache::new(
            Arc::clone(runtime.clock()),
            Arc::new(source),
        ));
        let locator = runtime.http(profile_of(&access, &tokens, &access.locator_url));
        Self {
            runtime: runtime.clone(),
            access,
            tokens,
            issued,
            locator,
            open: Mutex::new(None),
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.runtime.clock()
    }

    /// Returns which host serves the company, and who it is.
    pub(crate) async fn host(&self, cx: &Context, tally: &mut Tally) -> Result<Host> {
        Ok(self.open(cx, tally).await?.host)
    }

    /// Runs a query and returns its rows.
    pub(crate) async fn query<T: DeserializeOwned + Send + 'static>(
        &self,
        cx: &Context,
        entity: &str,
        query: &Query,
        tally: &mut Tally,
    ) -> Result<Vec<T>> {
        let call = Call::post_json(format!("api/v1/query/{entity}"), query)
            .safe()
            .operation(format!("query {entity}"));
        let open = self.open(cx, tally).await?;
        let reply = match open.http.send_json::<Rows<T>>(cx, call.clone()).await {
            Err(error) if is_moved(&error) => {
                *self.open.lock().await = None;
                let open = self.open(cx, tally).await?;
                let again = open.http.send_json::<Rows<T>>(cx, call).await;
                // While a company moves, the locator may lag behind: worth another run.
                again.map_err(|error| match is_moved(&error) {
                    true => error.with_retry(Retry::After(None)),
                    false => error,
                })?
            }
            other => other?,
        };
        tally.requests += reply.reply.attempts;
        tally.source_time = reply.reply.source_time.or(tally.source_time);
        Ok(reply
            .value
            .entities
            .into_iter()
            .map(|Row { data }| data)
            .collect())
    }

    /// Reads the rows with these ids, in batches. A source may cut a reply shorter than it was asked, so rows count as
    /// gone only when asking for them alone finds none.
    pub(crate) async fn by_ids<T: Keyed>(
        &self,
        cx: &Context,
        wanted: Wanted<'_>,
        ids: &[i64],
        tally: &mut Tally,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut missing: BTreeSet<i64> = batch.iter().copied().collect();
            while !missing.is_empty() {
                let ids: Vec<i64> = missing.iter().copied().collect();
                let query = Query::by_ids(wanted.properties, &ids);
                let rows: Vec<T> = self.query(cx, wanted.entity, &query, tally).await?;
                let before = missing.len();
                for row in &rows {
                    missing.remove(&row.id());
                }
                found.extend(rows);
                if missing.len() == before {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Returns a client for the company's host. Companies move between hosts, so it is looked up again with each
    /// new token.
    async fn open(&self, cx: &Context, tally: &mut Tally) -> Result<Open> {
        let mut open = self.open.lock().await;
        let issued = self.issued.load(Ordering::Acquire);
        if let Some(open) = open.as_ref().filter(|open| open.issued == issued) {
            return Ok(open.clone());
        }
        let (host, requests) = discover(&self.locator, cx, &self.access.company).await?;
        tally.requests += requests;
        let http = self
            .runtime
            .http(profile_of(&self.access, &self.tokens, &host.url));
        let issued = self.issued.load(Ordering::Acquire);
        Ok(open.insert(Open { http, host, issued }).clone())
    }
}

fn profile_of(access: &Access, tokens: &Arc<TokenCache>, base: &url::Url) -> HttpProfile {
    let mut profile = HttpProfile::new(SYSTEM);
    profile.account = Some(access.company.clone());
    profile.base_url = Some(base.clone());
    profile.quota = access.quota;
    profile.auth = Auth::Bearer(Arc::clone(tokens));
    profile.refine = refine;
    let company = SecretString::from(access.company.clone());
    profile.headers = vec![(http::HeaderName::from_static("companyname"), company)];
    profile
}

/// Asks for tokens.
#[derive(Debug)]
struct Tokens {
    http: Http,
    access: Access,
    issued: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct Issued {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default = "usual_life", deserialize_with = "seconds")]
    expires_in: u64,
}

fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn usual_life() -> u64 {
    1199
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, cx: &Context) -> Result<Token> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.access.client_id.as_str()),
            ("client_secret", self.access.client_secret.expose_secret()),
        ];
        let call = Call::post_form(self.access.token_url.clone(), form)
            .safe()
            .operation("ask for a token");
        let issued: Issued = self.http.send_json(cx, call).await?.value;
        self.issued.fetch_add(1, Ordering::AcqRel);
        Ok(Token {
            secret: issued.access_token,
            expires_in: Duration::from_secs(issued.expires_in),
        })
    }
}
