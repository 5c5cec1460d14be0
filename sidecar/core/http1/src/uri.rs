//! Authorities: `name`, `name:port`, `[v6]:port`; nothing else is one (RFC 3986 3.2, less userinfo).

use std::net::Ipv6Addr;

use crate::{Cause, chars};

/// A host and the port it names, as they came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authority<'a> {
    /// The host, in brackets if it is an IPv6 address.
    pub host: &'a [u8],
    /// The port, if one was written.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Takes `host[:port]` apart. Userinfo, lists, spaces, escapes, an empty host and an empty port
    /// are refused: two readers could take each for another host.
    pub fn parse(text: &'a [u8]) -> Result<Self, Cause> {
        let (host, port) = split_port(text)?;
        if !is_host(host) {
            return Err(Cause::HostInvalid);
        }
        Ok(Self { host, port })
    }

    /// Whether both name one host and port, where no port means `default_port`.
    pub fn is_same(&self, other: &Authority<'_>, default_port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

/// Whether two hosts are one name: any case, with or without the root's dot.
pub fn is_same_host(one: &[u8], other: &[u8]) -> bool {
    without_root(one).eq_ignore_ascii_case(without_root(other))
}

/// `host` without the dot that stands for the root of all names.
pub fn without_root(host: &[u8]) -> &[u8] {
    match host {
        [name @ .., b'.'] if !name.is_empty() => name,
        _ => host,
    }
}

fn split_port(text: &[u8]) -> Result<(&[u8], Option<u16>), Cause> {
    let host_len = match text.first() {
        Some(b'[') => memchr::memchr(b']', text).ok_or(Cause::HostInvalid)? + 1,
        _ => memchr::memchr(b':', text).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host_len);
    match rest {
        [] => Ok((host, None)),
        [b':', digits @ ..] => Ok((host, Some(parse_port(digits)?))),
        _ => Err(Cause::HostInvalid),
    }
}

fn parse_port(digits: &[u8]) -> Result<u16, Cause> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Cause::HostInvalid);
    }
    let port = digits
        .iter()
        .fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).map_err(|_| Cause::HostInvalid)
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', address @ .., b']'] => is_ipv6(address),
        _ => host.iter().all(|&byte| chars::is_host(byte)),
    }
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}
