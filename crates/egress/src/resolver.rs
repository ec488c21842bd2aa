//! Names to addresses, and only to those that may be reached.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Policy;

/// Asks the operating system.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Lets through what the policy allows.
pub(crate) struct GuardedResolver {
    policy: Policy,
    inner: Arc<dyn Resolve>,
}

impl GuardedResolver {
    pub(crate) fn new(policy: Policy, inner: Arc<dyn Resolve>) -> Self {
        Self { policy, inner }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        let host = name.as_str().to_owned();
        let answer = self.inner.resolve(name);
        Box::pin(async move {
            let answers: Vec<IpAddr> = answer.await?.map(|address| address.ip()).collect();
            let kept = policy.check_answers(&host, answers)?;
            Ok(Box::new(kept.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
