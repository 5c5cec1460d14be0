//! Client: who made a request, by address.
//!
//! Proxies append to `X-Forwarded-For` whom they were called by. Of the last so many addresses each was written by a
//! proxy that is trusted, and the first of these saw the client; whatever stands before that, the client may have
//! written itself.

use std::net::{IpAddr, SocketAddr};

use http1::Known;

use crate::request::Request;

/// The address of the client, `hops` trusted proxies away; that of the connection where the request does not say.
pub(super) fn client(request: &dyn Request, hops: u8) -> IpAddr {
    let seen = (hops > 0).then(|| forwarded(request, hops.into()));
    seen.flatten().unwrap_or_else(|| request.peer())
}

/// The address that stands at this place from the end.
fn forwarded(request: &dyn Request, from_end: usize) -> Option<IpAddr> {
    let name = Known::XForwardedFor.as_str();
    let mut count = 0;
    request.visit(name, &mut |value| count += entries(value).count());
    let place = usize::checked_sub(count, from_end)?;
    let (mut passed, mut found) = (0, None);
    request.visit(name, &mut |value| {
        for entry in entries(value) {
            if passed == place {
                found = address(entry);
            }
            passed += 1;
        }
    });
    found
}

fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',')
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    bare.unwrap_or(text).parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests;
