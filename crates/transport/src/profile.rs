//! What a connector says about its source, as data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderName;
use secrecy::SecretString;
use url::Url;
use wrenchtime_connector::SystemName;

use crate::{RefineFn, TokenCache};

/// How an account of a source is reached. Begin with [`HttpProfile::new`] and set what differs.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpProfile {
    /// The system, for errors and logs.
    pub system: SystemName,
    /// Tells the accounts of a system apart, such as a company's name. Clients for the same account share one rate
    /// budget; without it, a client and its clones have their own. Never logged.
    ///
    /// A client that fetches tokens must not share the budget of the client that it fetches them for: it would wait
    /// for a place that its own caller holds.
    pub account: Option<String>,
    /// What relative targets are appended to. Its path is kept, its query is not.
    pub base_url: Option<Url>,
    /// How requests are authenticated.
    pub auth: Auth,
    /// How many requests the account allows.
    pub quota: Quota,
    /// How many requests may be under way at once. At least 1.
    pub parallel: usize,
    /// How long one request may take, its reply included.
    pub timeout: Duration,
    /// How the vendor refines the shared table of statuses.
    pub refine: RefineFn,
    /// Sent with each request. Their values are treated as secrets.
    pub headers: Vec<(HeaderName, SecretString)>,
    /// How long a reply may be, unpacked, in bytes.
    pub max_reply_bytes: usize,
}

impl HttpProfile {
    /// Makes a profile without base address and authentication: 10 requests a second, 4 at once, a minute for each,
    /// replies up to 64 MiB.
    pub fn new(system: SystemName) -> Self {
        Self {
            system,
            account: None,
            base_url: None,
            auth: Auth::None,
            quota: Quota {
                per_second: 10,
                burst: 10,
            },
            parallel: 4,
            timeout: Duration::from_secs(60),
            refine: |_| None,
            headers: Vec::new(),
            max_reply_bytes: 64 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for HttpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpProfile")
            .field("system", &self.system)
            .field("host", &self.base_url.as_ref().and_then(Url::host_str))
            .field("auth", &self.auth)
            .field("quota", &self.quota)
            .field("parallel", &self.parallel)
            .field("timeout", &self.timeout)
            .field("headers", &headers)
            .field("max_reply_bytes", &self.max_reply_bytes)
            .finish_non_exhaustive()
    }
}

/// How requests are authenticated.
#[derive(Clone, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// With a token that is fetched, kept, and fetched anew when the source no longer takes it.
    Bearer(Arc<TokenCache>),
    /// With user name and password.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// With a key in a header.
    Header {
        /// The header.
        name: HeaderName,
        /// The key.
        value: SecretString,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bearer(_) => f.write_str("Bearer"),
            Self::Basic { .. } => f.write_str("Basic"),
            Self::Header { name, .. } => write!(f, "Header({name})"),
        }
    }
}

/// How many requests an account allows. Zero counts as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Requests in a second, on average.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
}
