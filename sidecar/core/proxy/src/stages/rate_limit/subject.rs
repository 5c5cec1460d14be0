//! Whom a limit counts apart: parts of the request, hashed with the worker's secret into one key.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::num::{IntErrorKind, ParseIntError};

use http1::canonical_path;
use policy::rate_limit::{Ask, Key};

use super::client::client;
use super::query;
use super::usage::Slot;
use crate::config::{self, Cost, Limit, OnMissing};
use crate::request::{Request, Response};

/// Whom a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The one shared count of a limit without subjects.
    One,
    Keyed(Key),
    /// The limit does not apply.
    Skipped,
    /// A part is missing, and the limit refuses such requests.
    Refused,
}

/// Whom `limit` counts a request as. Those that lack a part share one count, unless the limit says otherwise.
pub(super) fn of(limit: &Limit, request: &dyn Request, hasher: &RandomState) -> Subject {
    if limit.by.is_empty() {
        return Subject::One;
    }
    match (key(&limit.by, request, hasher), limit.on_missing) {
        (Some(key), _) => Subject::Keyed(key),
        (None, OnMissing::ShareOne) => Subject::Keyed(missing(hasher)),
        (None, OnMissing::Skip) => Subject::Skipped,
        (None, OnMissing::Refuse) => Subject::Refused,
    }
}

/// With whom a request takes turns; those that lack a part are one, and so are all where there are no parts.
pub(crate) fn flow(by: &[config::Subject], request: &dyn Request, hasher: &RandomState) -> Key {
    if by.is_empty() {
        return 0;
    }
    key(by, request, hasher).unwrap_or_else(|| missing(hasher))
}

/// The parts of a request in one key; none when it lacks one of them.
fn key(by: &[config::Subject], request: &dyn Request, hasher: &RandomState) -> Option<Key> {
    let mut key = hasher.build_hasher();
    let is_whole = by.iter().all(|part| feed(part, request, &mut key));
    is_whole.then(|| key.finish())
}

/// The key of all that lack a part.
fn missing(hasher: &RandomState) -> Key {
    hasher.hash_one("missing")
}

/// Feeds one part to the hash; false when the request lacks it.
fn feed(part: &config::Subject, request: &dyn Request, key: &mut impl Hasher) -> bool {
    match part {
        config::Subject::Header(name) => feed_header(name, request, key),
        config::Subject::Cookie(name) => feed_value(cookie(request, name).as_deref(), key),
        config::Subject::Query(name) => feed_value(query::value(request, name).as_deref(), key),
        config::Subject::Path => feed_value(Some(&canonical_path(request.path())), key),
        config::Subject::Method => feed_value(Some(request.method()), key),
        config::Subject::Connection => {
            feed_value(Some(&request.sender().connection.to_ne_bytes()), key)
        }
        config::Subject::Principal => false,
        config::Subject::SourceIp { hops } => {
            feed_value(Some(&network(client(request, *hops)).octets()), key)
        }
    }
}

fn feed_value(value: Option<&[u8]>, key: &mut impl Hasher) -> bool {
    value.hash(key);
    value.is_some()
}

/// Feeds the first value of a header, where it lies.
fn feed_header(name: &str, request: &dyn Request, key: &mut impl Hasher) -> bool {
    let mut is_there = false;
    request.visit(name, &mut |value| {
        if !is_there {
            Some(value).hash(key);
            is_there = true;
        }
    });
    is_there
}

/// The address, an IPv6 one by its first 64 bits: one customer has at least as many.
pub(crate) fn network(peer: IpAddr) -> std::net::Ipv6Addr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => (u128::from(address) >> 64 << 64).into(),
    }
}

/// The value of a cookie.
pub(crate) fn cookie(request: &dyn Request, name: &str) -> Option<Vec<u8>> {
    let mut value = None;
    request.visit("cookie", &mut |cookies| {
        let mut pairs = cookies.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let found = pairs.find_map(|pair| value_of(pair, name));
        value = value.take().or_else(|| found.map(<[u8]>::to_vec));
    });
    value
}

/// The value of the first query parameter of a name, as it came.
pub(crate) fn query<'a>(request: &'a dyn Request, name: &str) -> Option<&'a [u8]> {
    request
        .query()?
        .split(|&byte| byte == b'&')
        .find_map(|pair| value_of(pair, name))
}

/// What stands after `name=`.
fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// What one request asks of the limiter in `slot`.
pub(super) fn ask(cost: &Cost, slot: Slot, key: Option<Key>, request: &dyn Request) -> Ask {
    match cost {
        Cost::Fixed(cost) => Ask::new(slot, key, *cost),
        Cost::Header { name, default } => {
            let read = request.find(name);
            Ask::new(slot, key, number(read.as_deref()).unwrap_or(*default))
        }
        Cost::ResponseHeader { .. } => Ask::later(slot, key),
    }
}

/// What an answer says that its request cost; none where the cost was known before.
pub(super) fn cost_after(cost: &Cost, response: &dyn Response) -> Option<u64> {
    match cost {
        Cost::ResponseHeader { name, default } => {
            Some(number(response.find(name)).unwrap_or(*default))
        }
        Cost::Fixed(_) | Cost::Header { .. } => None,
    }
}

/// A number; one beyond all numbers is the greatest.
fn number(value: Option<&[u8]>) -> Option<u64> {
    let read: Result<u64, ParseIntError> = std::str::from_utf8(value?).ok()?.trim().parse();
    match read {
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(u64::MAX),
        read => read.ok(),
    }
}

#[cfg(test)]
mod tests;
