//! Addresses that no name may lead to, whoever owns it: they belong to this host or its platform. Pure.
//!
//! The sidecar's own ports are the proxy's matter, which knows where it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where platforms answer with credentials, outside of the link-local networks.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What an address is that must not be called; `None` for any other.
pub(super) fn reason(address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    if METADATA.contains(&address) {
        return Some("a platform's own");
    }
    match address {
        IpAddr::V4(ip) if ip.is_link_local() => Some("link-local"),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("link-local"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("a broadcast"),
        ip if ip.is_unspecified() => Some("no address"),
        ip if ip.is_multicast() => Some("a multicast"),
        _ => None,
    }
}
