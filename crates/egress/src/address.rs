//! Which addresses belong to nobody out there.
//!
//! The list is our own: the standard library's `is_global` is not stable, and an address that hides another one in
//! itself must be judged by both.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one of the public network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reserved {
    /// The machine itself.
    Loopback,
    /// A private network, of which every organisation has its own.
    Private,
    /// Machines on the same cable.
    LinkLocal,
    /// Between a provider and its customers.
    CarrierNat,
    /// No particular machine, or "this network".
    Unspecified,
    /// Many machines at once.
    Multicast,
    /// For examples in texts.
    Documentation,
    /// For measuring network equipment.
    Benchmarking,
    /// An IPv4 address carried in an IPv6 one by a mechanism that can lead back inside.
    Tunnel,
    /// Set aside by the standards for other uses, or not yet given out.
    Other,
    /// Where cloud providers hand credentials to their machines. Never allowed.
    Metadata,
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "this machine itself",
            Self::Private => "a private network",
            Self::LinkLocal => "a link-local network",
            Self::CarrierNat => "a carrier's internal network",
            Self::Unspecified => "an unspecified address",
            Self::Multicast => "a multicast address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking network",
            Self::Tunnel => "a tunnelled address",
            Self::Other => "a reserved address",
            Self::Metadata => "a cloud metadata service",
        })
    }
}

/// Returns why an address is not public, or nothing for a public one.
pub(crate) fn reserved(address: IpAddr) -> Option<Reserved> {
    if is_metadata(address) {
        return Some(Reserved::Metadata);
    }
    match canonical(address) {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

/// Returns the address that packets end up at: the IPv4 one inside a mapped, compatible or NAT64 address.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.segments() {
            [0, 0, 0, 0, 0, 0xffff | 0, ..] if !six.is_unspecified() && !six.is_loopback() => {
                IpAddr::V4(last_four(six))
            }
            // Behind DNS64, public IPv4 hosts are only reached in this form.
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => IpAddr::V4(last_four(six)),
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_metadata_v4(four),
        IpAddr::V6(six) => is_metadata_v6(six) || embedded(six).into_iter().any(is_metadata_v4),
    }
}

fn is_metadata_v4(address: Ipv4Addr) -> bool {
    matches!(
        address.octets(),
        [169, 254, 169, 253 | 254]
            | [169, 254, 170, 2 | 23]
            | [169, 254, 0, 23]
            | [100, 100, 100, 200]
            | [192, 0, 0, 192]
            | [168, 63, 129, 16]
    )
}

fn is_metadata_v6(address: Ipv6Addr) -> bool {
    matches!(
        address.segments(),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23 | 0x253 | 0x254]
            | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
            | [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]
    )
}

/// Returns every IPv4 address that some mechanism might take out of this one.
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let mut found = vec![last_four(address)];
    if segments[0] == 0x2002 {
        found.push(joined(segments[1], segments[2]));
    }
    if segments[0] == 0x2001 && segments[1] == 0 {
        found.push(joined(!segments[6], !segments[7]));
    }
    found
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let segments = address.segments();
    joined(segments[6], segments[7])
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

fn reserved_v4(address: Ipv4Addr) -> Option<Reserved> {
    Some(match address.octets() {
        [0, ..] => Reserved::Unspecified,
        [127, ..] => Reserved::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reserved::Private,
        [100, 64..=127, ..] => Reserved::CarrierNat,
        [169, 254, ..] => Reserved::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Reserved::Documentation,
        [198, 18..=19, ..] => Reserved::Benchmarking,
        [192, 88, 99, _] => Reserved::Tunnel,
        [192, 0, 0, _] | [240..=255, ..] => Reserved::Other,
        [224..=239, ..] => Reserved::Multicast,
        _ => return None,
    })
}

fn reserved_v6(address: Ipv6Addr) -> Option<Reserved> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Reserved::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Reserved::Loopback,
        [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => Reserved::Tunnel,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reserved::Documentation,
        [0x2001, 2, 0, ..] => Reserved::Benchmarking,
        [0x2001, 1..=0x1ff, ..] => Reserved::Other,
        [0x2000..=0x3fff, ..] => return None,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Reserved::Private,
        [0xfe80..=0xfebf, ..] => Reserved::LinkLocal,
        [0xff00..=0xffff, ..] => Reserved::Multicast,
        _ => Reserved::Other,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Reserved>) {
        assert_eq!(reserved(text.parse().unwrap()), expected, "{text}");
    }

    #[test]
    fn borders_of_the_ranges() {
        check("9.255.255.255", None);
        check("10.0.0.0", Some(Reserved::Private));
        check("10.255.255.255", Some(Reserved::Private));
        check("11.0.0.0", None);
        check("100.63.255.255", None);
        check("100.64.0.0", Some(Reserved::CarrierNat));
        check("100.127.255.255", Some(Reserved::CarrierNat));
        check("100.128.0.0", None);
        check("172.15.255.255", None);
        check("172.16.0.0", Some(Reserved::Private));
        check("172.31.255.255", Some(Reserved::Private));
        check("172.32.0.0", None);
        check("198.17.255.255", None);
        check("198.20.0.0", None);
        check("223.255.255.255", None);
        check("224.0.0.1", Some(Reserved::Multicast));
        check("255.255.255.255", Some(Reserved::Other));
        check("2001:1ff::1", Some(Reserved::Other));
        check("2001:200::1", None);
        check("2606:4700::1111", None);
        check("3fff:fff::1", Some(Reserved::Documentation));
        check("3fff:1000::1", None);
        check("4000::1", Some(Reserved::Other));
        check("fe7f::1", Some(Reserved::Other));
        check("fe80::1", Some(Reserved::LinkLocal));
        check("fec0::1", Some(Reserved::Private));
    }

    #[test]
    fn a_public_address_behind_nat64_stays_public() {
        check("64:ff9b::808:808", None);
        check("64:ff9b::7f00:1", Some(Reserved::Loopback));
        check("::ffff:8.8.8.8", None);
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_in_each_of_its_dresses(bits in any::<u32>()) {
            // 0.0.0.0 and 0.0.0.1 read as `::` and `::1`, which have names of their own.
            prop_assume!(bits > 1);
            let four = Ipv4Addr::from(bits);
            let plain = reserved(IpAddr::V4(four));
            for six in [four.to_ipv6_mapped().to_string(), format!("::{four}"), format!("64:ff9b::{four}")] {
                prop_assert_eq!(plain, reserved(six.parse().unwrap()), "{}", six);
            }
        }
    }
}
