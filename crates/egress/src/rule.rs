//! What an operator allows beyond the public network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Host;

use crate::address::canonical;

/// A host or network that may be reached although it is not public, also without TLS.
///
/// Read from text: a host name (`plant.local`), an address (`10.1.2.3`) or a network (`10.1.0.0/16`).
///
/// ```
/// use wrenchtime_egress::AllowRule;
///
/// assert!("10.1.0.0/16".parse::<AllowRule>().is_ok());
/// assert!("https://plant.local/".parse::<AllowRule>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowRule(Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Name(String),
    Network(IpNet),
}

/// A text that is no host name, address or network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not a host name, an address or a network such as 10.1.0.0/16")]
pub struct BadRule {
    text: String,
}

impl AllowRule {
    /// Tells whether the rule names this host. Expects what [`host_name`] returns.
    pub(crate) fn allows_name(&self, name: &str) -> bool {
        matches!(&self.0, Kind::Name(allowed) if allowed == name)
    }

    /// Tells whether the rule's network holds this address.
    pub(crate) fn allows_address(&self, address: IpAddr) -> bool {
        matches!(&self.0, Kind::Network(network)
            if network.contains(&address) || network.contains(&canonical(address)))
    }
}

/// Returns a host name in the one spelling in which names are compared.
pub(crate) fn host_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl FromStr for AllowRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadRule {
            text: text.to_owned(),
        };
        let trimmed = text.trim();
        if let Ok(network) = trimmed.parse::<IpNet>() {
            return Ok(Self(Kind::Network(network)));
        }
        let bare = trimmed
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(trimmed);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self(Kind::Network(IpNet::from(address))));
        }
        if trimmed.is_empty() || trimmed.contains(['/', ':', '@', '*', '?', '#', ' ']) {
            return Err(bad());
        }
        match Host::parse(trimmed) {
            Ok(Host::Domain(name)) => Ok(Self(Kind::Name(host_name(&name)))),
            Ok(Host::Ipv4(address)) => Ok(Self(Kind::Network(IpNet::from(IpAddr::V4(address))))),
            Ok(Host::Ipv6(_)) | Err(_) => Err(bad()),
        }
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => f.write_str(name),
            Kind::Network(network) => network.fmt(f),
        }
    }
}

impl TryFrom<String> for AllowRule {
    type Error = BadRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AllowRule> for String {
    fn from(rule: AllowRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let rule = text.parse::<AllowRule>().ok().map(|rule| rule.to_string());
        assert_eq!(rule.as_deref(), expected, "{text}");
    }

    #[test]
    fn texts_that_are_rules_and_texts_that_are_not() {
        check("Plant.Local.", Some("plant.local"));
        check(" localhost ", Some("localhost"));
        check("127.0.0.1", Some("127.0.0.1/32"));
        check("127.0.0.0/8", Some("127.0.0.0/8"));
        check("[::1]", Some("::1/128"));
        check("fd00::/8", Some("fd00::/8"));
        check("0x7f.1", Some("127.0.0.1/32"));
        check("", None);
        check("*.local", None);
        check("http://plant.local", None);
        check("plant.local:8080", None);
        check("10.0.0.0/33", None);
    }
}
