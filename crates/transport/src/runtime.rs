//! What a factory of connectors is lent.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wrenchtime_connector::{Clock, SystemClock};
use wrenchtime_egress::Policy;

use crate::budget::Budget;
use crate::{Files, Http, HttpProfile};

/// Lends HTTP, files and a clock. Cheap to clone; clones share connections and rate budgets.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    egress: Policy,
    files: Files,
    clock: Arc<dyn Clock>,
    budgets: Mutex<HashMap<(String, String), Weak<Budget>>>,
}

/// What a runtime is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuntimeOptions {
    /// Which addresses may be reached. The default is public ones, by `https`.
    pub egress: Policy,
    /// Folders whose files may be read, with everything below them. A relative path begins at the working directory. The
    /// default is none.
    pub folders: Vec<PathBuf>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// What requests call themselves. The default is `wrenchtime/` and the version.
    pub user_agent: String,
}

impl RuntimeOptions {
    /// Makes options with their defaults.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            egress: Policy::strict(),
            folders: Vec::new(),
            clock,
            user_agent: concat!("wrenchtime/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

/// A runtime that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The HTTP client could not be made.
    #[error("cannot prepare the http client; check the configured user agent")]
    Client(#[source] reqwest::Error),
    /// A folder without a path.
    #[error("`folders` has an empty entry; write the path of a folder, or take the entry out")]
    EmptyFolder,
    /// Where a folder should be is something else, such as a file.
    #[error(
        "`folders` lists {folder:?}, which is no folder; name the folder that holds the files, or take the entry out"
    )]
    NotAFolder {
        /// The folder's absolute path.
        folder: PathBuf,
    },
    /// A path that can lead to no folder.
    #[error(
        "`folders` lists {folder:?}, which can be no folder; correct the path, or take the entry out"
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Runtime {
    /// Makes a runtime. Opens no connection and no file.
    ///
    /// A folder that does not exist is no error, for a network share may come back: it is warned of once, and read as
    /// soon as it is there.
    ///
    /// # Errors
    /// When the user agent holds characters that no header may, or an entry of the folders is empty, is a file, or can
    /// be no folder.
    pub fn new(options: RuntimeOptions) -> Result<Self, BuildError> {
        let RuntimeOptions {
            egress,
            folders,
            clock,
            user_agent,
        } = options;
        let builder = || {
            egress
                .client_builder()
                .user_agent(user_agent.as_str())
                .connect_timeout(std::time::Duration::from_secs(10))
        };
        let client = match builder().build() {
            Ok(client) => client,
            // A machine without certificate authorities still has sources that it reaches without TLS.
            Err(_) => {
                let client = builder()
                    .tls_certs_only([])
                    .build()
                    .map_err(BuildError::Client)?;
                tracing::warn!("no certificate authorities found: every https request will fail");
                client
            }
        };
        let files = Files::new(folders)?;
        let budgets = Mutex::default();
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                egress,
                files,
                clock,
                budgets,
            }),
        })
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Returns the files that may be read.
    pub fn files(&self) -> &Files {
        &self.inner.files
    }

    /// Makes a client for an account. Sends nothing.
    pub fn http(&self, profile: HttpProfile) -> Http {
        let budget = self.budget(&profile);
        Http::new(self, profile, budget)
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.inner.client
    }

    pub(crate) fn egress(&self) -> &Policy {
        &self.inner.egress
    }

    fn budget(&self, profile: &HttpProfile) -> Arc<Budget> {
        let make = || {
            Arc::new(Budget::new(
                profile.quota,
                profile.parallel,
                Arc::clone(&self.inner.clock),
            ))
        };
        let Some(account) = &profile.account else {
            return make();
        };
        let key = (profile.system.as_str().to_owned(), account.clone());
        let mut budgets = self
            .inner
            .budgets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(&key).and_then(Weak::upgrade) {
            budget.set_quota(profile.quota);
            return budget;
        }
        budgets.retain(|_, budget| budget.strong_count() > 0);
        let budget = make();
        budgets.insert(key, Arc::downgrade(&budget));
        budget
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("egress", &self.inner.egress)
            .field("files", &self.inner.files)
            .field("clock", &self.inner.clock)
            .finish_non_exhaustive()
    }
}
