//! What may be reached.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::Resolve;
use url::{Host, Url};

use crate::address::{Reserved, reserved};
use crate::resolver::{GuardedResolver, SystemResolver};
use crate::rule::{AllowRule, host_name};

/// Which addresses outgoing requests may reach. Cheap to clone.
///
/// Both doors must be used, for they guard against different things: [`Policy::check_url`] sees addresses written
/// into a URL, which no resolver is ever asked about; [`Policy::resolver`] sees what a name stands for at the very
/// moment of connecting, so that a name cannot change its mind in between.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Arc<[AllowRule]>,
}

/// Why a request was not sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Neither `https` nor `http`.
    #[error("addresses must begin with https://, not {scheme}:")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// Without TLS, to a host that nobody allowed.
    #[error(
        "{host} must be reached by https://; plain http needs the host in the list of allowed addresses"
    )]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// A user name or password in the address.
    #[error("addresses must not hold a user name or password")]
    UserInfo,
    /// No host.
    #[error("the address names no host")]
    NoHost,
    /// A host outside the public network that nobody allowed.
    #[error("{host} is {reserved}; to reach it, put it into the list of allowed addresses")]
    Address {
        /// The host as written.
        host: String,
        /// What kind of address it is.
        reserved: Reserved,
    },
    /// A cloud provider's metadata service.
    #[error("{host} is a cloud metadata service, which is never reached")]
    Metadata {
        /// The host as written.
        host: String,
    },
}

impl Policy {
    /// Makes a policy that reaches public addresses by `https` and nothing else.
    pub fn strict() -> Self {
        Self::default()
    }

    /// Makes a policy that also reaches these hosts and networks, with or without TLS. Metadata services stay out
    /// of reach, whatever the rules say.
    pub fn allowing(rules: impl IntoIterator<Item = AllowRule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
        }
    }

    /// Checks what can be seen in an address without asking for names.
    ///
    /// # Errors
    /// When the address holds credentials, has another scheme than `https` (or `http`, to an allowed host), names no
    /// host, or spells out an IP address that may not be reached.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        let scheme = url.scheme();
        if scheme != "https" && scheme != "http" {
            return Err(Refused::Scheme {
                scheme: scheme.to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let host = url.host().ok_or(Refused::NoHost)?;
        let allowed = match &host {
            Host::Domain(name) => self.allows_name(&host_name(name)),
            Host::Ipv4(address) => self.check_literal(IpAddr::V4(*address), &host)?,
            Host::Ipv6(address) => self.check_literal(IpAddr::V6(*address), &host)?,
        };
        if scheme == "http" && !allowed {
            return Err(Refused::PlainHttp {
                host: host.to_string(),
            });
        }
        Ok(())
    }

    /// Keeps those of a name's addresses that may be reached.
    ///
    /// # Errors
    /// When none is left: why the first one was refused.
    pub fn check_answers(&self, name: &str, answers: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
        let name = host_name(name);
        let named = self.rules.iter().any(|rule| rule.allows_name(&name));
        let mut kept = Vec::with_capacity(answers.len());
        let mut refused = None;
        for address in answers {
            match reserved(address) {
                Some(Reserved::Metadata) => {
                    refused.get_or_insert_with(|| Refused::Metadata { host: name.clone() });
                }
                Some(reserved) if !named && !self.allows_address(address) => {
                    refused.get_or_insert_with(|| Refused::Address {
                        host: name.clone(),
                        reserved,
                    });
                }
                Some(_) | None => kept.push(address),
            }
        }
        match refused {
            Some(refused) if kept.is_empty() => Err(refused),
            Some(_) | None => Ok(kept),
        }
    }

    /// Returns a resolver that asks the system and gives out only what may be reached.
    pub fn resolver(&self) -> Arc<dyn Resolve> {
        self.resolver_over(Arc::new(SystemResolver))
    }

    /// Returns a resolver that asks another one and gives out only what may be reached.
    pub fn resolver_over(&self, inner: Arc<dyn Resolve>) -> Arc<dyn Resolve> {
        Arc::new(GuardedResolver::new(self.clone(), inner))
    }

    /// Returns the start of a client that keeps this policy where names are resolved, follows no redirect and uses no
    /// proxy. Its user still calls [`Policy::check_url`] before each request.
    pub fn client_builder(&self) -> reqwest::ClientBuilder {
        install_tls_provider();
        reqwest::Client::builder()
            .dns_resolver(self.resolver())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
    }

    fn check_literal(&self, address: IpAddr, host: &Host<&str>) -> Result<bool, Refused> {
        let allowed = self.allows_address(address);
        match reserved(address) {
            Some(Reserved::Metadata) => Err(Refused::Metadata {
                host: host.to_string(),
            }),
            Some(reserved) if !allowed => Err(Refused::Address {
                host: host.to_string(),
                reserved,
            }),
            Some(_) | None => Ok(allowed),
        }
    }

    fn allows_address(&self, address: IpAddr) -> bool {
        self.rules.iter().any(|rule| rule.allows_address(address))
    }

    /// `localhost` is the loopback network by definition: who allows the one allows the other.
    fn allows_name(&self, name: &str) -> bool {
        let loopback = [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        self.rules.iter().any(|rule| rule.allows_name(name))
            || (name == "localhost"
                && loopback
                    .into_iter()
                    .any(|address| self.allows_address(address)))
    }
}

/// Chooses the cryptography that TLS uses in this process. Does nothing when one was chosen before.
pub fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Lost only against another thread that installs one at the same moment, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    }
}
