//! Which requests a limit applies to, and which are exempt from its refusals.

use std::net::IpAddr;

use http1::canonical_path;

use super::client::client;
use crate::config::{Exemption, HeaderMatch, PathMatch, Reach, RequestMatch, Way};
use crate::request::Request;

/// A request as limits and rehearsals see it: how it looks, and by which way it came.
#[derive(Clone, Copy)]
pub(crate) struct Governed<'a> {
    pub(crate) request: &'a dyn Request,
    pub(crate) way: Way<'a>,
}

impl<'a> Governed<'a> {
    /// One that no rule of a route led here.
    pub(crate) fn alone(request: &'a dyn Request) -> Self {
        let way = Way::default();
        Self { request, way }
    }

    /// Whether something of this reach, for requests that look so, is for it.
    pub(crate) fn is_in(&self, reach: &Reach, matches: &[RequestMatch]) -> bool {
        reach.includes(self.way) && applies(matches, self.request)
    }
}

/// Whether any of `matches` holds; without one, every request matches.
pub(crate) fn applies(matches: &[RequestMatch], request: &dyn Request) -> bool {
    matches.is_empty() || matches.iter().any(|rules| holds(rules, request))
}

fn holds(rules: &RequestMatch, request: &dyn Request) -> bool {
    let has_method = rules.methods.is_empty()
        || rules
            .methods
            .iter()
            .any(|method| method.as_bytes() == request.method());
    has_method
        && rules
            .path
            .as_ref()
            .is_none_or(|path| path_holds(path, request))
        && rules
            .headers
            .iter()
            .all(|header| header_holds(header, request))
}

fn path_holds(rule: &PathMatch, request: &dyn Request) -> bool {
    let path = canonical_path(request.path());
    match rule {
        PathMatch::Exact(exact) => *path == *exact.as_bytes(),
        PathMatch::Prefix(prefix) => begins_with_segments(&path, prefix.as_bytes()),
    }
}

/// Whether `path` begins with the whole segments of `prefix`.
fn begins_with_segments(path: &[u8], prefix: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    path.strip_prefix(prefix)
        .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

fn header_holds(rule: &HeaderMatch, request: &dyn Request) -> bool {
    let mut holds = false;
    match rule {
        HeaderMatch::Value { name, value } => {
            request.visit(name, &mut |found| holds |= found == value.as_bytes());
            holds
        }
        HeaderMatch::Presence { name, present } => {
            request.visit(name, &mut |_| holds = true);
            holds == *present
        }
    }
}

/// Whether one of `exemptions` holds.
pub(super) fn is_exempt(exemptions: &[Exemption], request: &dyn Request) -> bool {
    exemptions.iter().any(|exemption| match exemption {
        Exemption::Principal => false,
        Exemption::Path(path) => path_holds(path, request),
        Exemption::SourceIp {
            network,
            prefix,
            hops,
        } => contains(*network, *prefix, client(request, *hops)),
    })
}

/// Whether the first `prefix` bits of both addresses are the same.
fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differing = u32::from(network) ^ u32::from(address);
            differing.leading_zeros() >= u32::from(prefix)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differing = u128::from(network) ^ u128::from(address);
            differing.leading_zeros() >= u32::from(prefix)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
