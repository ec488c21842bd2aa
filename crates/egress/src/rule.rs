//! What an operator allows beyond the public network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Host;

use crate::address::{Reserved, canonical, reserved};

/// Names that lead to metadata services by definition. Others may, too: what they stand for is refused when they are
/// resolved.
const METADATA_NAMES: [&str; 5] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.tencentyun.com",
];

/// A host or network that may be reached although it is not public, also without TLS.
///
/// Read from text: a host name (`plant.local`), an address (`10.1.2.3`) or a network (`10.1.0.0/16`). The metadata
/// services of cloud providers cannot be allowed: a rule that is for one alone is refused, and a network that has one
/// among its addresses is accepted, but does not open the way to that address.
///
/// ```
/// use wrenchtime_egress::{AllowRule, BadRule, Policy};
///
/// assert!("10.1.0.0/16".parse::<AllowRule>().is_ok());
/// assert!("https://plant.local/".parse::<AllowRule>().is_err());
///
/// let metadata = "169.254.169.254".parse::<AllowRule>();
/// assert!(matches!(metadata, Err(BadRule::Metadata { .. })));
/// let policy = Policy::allowing(["169.254.0.0/16".parse()?]);
/// assert!(policy.check_url(&"http://169.254.1.1/".parse()?).is_ok());
/// assert!(policy.check_url(&"http://169.254.169.254/".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowRule(Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Name(String),
    Network(IpNet),
}

/// A text that is no rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadRule {
    /// No host name, address or network.
    #[error(
        "`{text}` is not a host name, an address or a network such as 10.1.0.0/16; write it without scheme, port and \
         path"
    )]
    Unreadable {
        /// The text.
        text: String,
    },
    /// A cloud provider's metadata service and nothing else.
    #[error(
        "`{text}` is a cloud metadata service, which is never reached, whatever is allowed; take it out"
    )]
    Metadata {
        /// The text.
        text: String,
    },
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
        let kind = read(text.trim()).ok_or_else(|| BadRule::Unreadable {
            text: text.to_owned(),
        })?;
        if kind.is_metadata() {
            return Err(BadRule::Metadata {
                text: text.to_owned(),
            });
        }
        Ok(Self(kind))
    }
}

impl Kind {
    /// Tells whether nothing but a metadata service is meant.
    fn is_metadata(&self) -> bool {
        match self {
            Self::Name(name) => METADATA_NAMES.contains(&name.as_str()),
            Self::Network(network) => {
                network.prefix_len() == network.max_prefix_len()
                    && reserved(network.addr()) == Some(Reserved::Metadata)
            }
        }
    }
}

fn read(text: &str) -> Option<Kind> {
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Kind::Network(network));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(Kind::Network(IpNet::from(address)));
    }
    if text.is_empty() || text.contains(['/', ':', '@', '*', '?', '#', ' ']) {
        return None;
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(Kind::Name(host_name(&name))),
        Host::Ipv4(address) => Some(Kind::Network(IpNet::from(IpAddr::V4(address)))),
        Host::Ipv6(_) => None,
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

    #[test]
    fn nothing_but_a_metadata_service_is_no_rule() {
        for text in [
            "169.254.169.254",
            "169.254.169.254/32",
            "0xa9fea9fe",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "[fd00:ec2::254]",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254/128",
            "Metadata.Google.Internal.",
        ] {
            let rule = text.parse::<AllowRule>();
            assert!(
                matches!(rule, Err(BadRule::Metadata { .. })),
                "{text}: {rule:?}"
            );
        }
        check("169.254.169.252/31", Some("169.254.169.252/31"));
        check("169.254.0.0/16", Some("169.254.0.0/16"));
        check("fd00:ec2::/32", Some("fd00:ec2::/32"));
        check("169.254.169.1", Some("169.254.169.1/32"));
        check("internal", Some("internal"));
    }
}
