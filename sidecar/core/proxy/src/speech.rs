//! What is spoken on a connection: as its port declares it, else as its first bytes say.
//!
//! Bytes that may yet be HTTP are never taken for something else: whoever sends them in drops would get around what is
//! enforced on requests.

use crate::config::Protocol;
use crate::live::Live;
use crate::worker::Entry;

/// What every HTTP/2 connection begins with (RFC 9113 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest method that is looked for, and the longest request line.
const LONGEST_METHOD: usize = 32;
const LONGEST_LINE: usize = 8 * 1024;
/// Methods that everybody knows.
const METHODS: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
];

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Http1,
    Http2,
    /// TLS, or anything else.
    Opaque,
    /// It may be HTTP, and need not.
    Undecided,
}

/// What is declared to be spoken where a connection goes.
pub(crate) fn declared(live: &Live, entry: &Entry) -> Protocol {
    match entry {
        Entry::Inbound { .. } | Entry::Outbound => Protocol::Http,
        Entry::Application { address, .. } => live
            .config
            .applications
            .get(&address.port())
            .map_or(Protocol::Any, |application| application.protocol),
        Entry::Upstream { service, port, .. } => live
            .config
            .clusters
            .get(service)
            .and_then(|cluster| {
                cluster
                    .ports
                    .iter()
                    .find(|found| Some(found.number) == *port)
            })
            .map_or(Protocol::Http, |port| port.protocol),
    }
}

/// What these first bytes of a connection say.
pub(crate) fn judge(bytes: &[u8]) -> Speech {
    let empty_lines = bytes
        .iter()
        .take_while(|&&byte| byte == b'\r' || byte == b'\n');
    let bytes = &bytes[empty_lines.count()..];
    if bytes.starts_with(PREFACE) {
        return Speech::Http2;
    }
    if PREFACE.starts_with(bytes) {
        return Speech::Undecided;
    }
    let end = bytes.iter().position(|byte| !is_token(*byte));
    let Some(end) = end else {
        return if bytes.len() <= LONGEST_METHOD {
            Speech::Undecided
        } else {
            Speech::Opaque
        };
    };
    let (method, rest) = bytes.split_at(end);
    let Some(target) = rest.strip_prefix(b" ") else {
        return Speech::Opaque;
    };
    if method.is_empty() || method.len() > LONGEST_METHOD {
        return Speech::Opaque;
    }
    judge_target(method, target)
}

fn judge_target(method: &[u8], target: &[u8]) -> Speech {
    let is_plain = matches!(target, [b'/' | b'*' | b'h' | b'H', ..]) || method == b"CONNECT";
    if is_plain && METHODS.contains(&method) {
        return Speech::Http1;
    }
    match target.iter().position(|&byte| byte == b'\n') {
        Some(end) if has_version(&target[..end]) => Speech::Http1,
        Some(_) => Speech::Opaque,
        None if target.len() < LONGEST_LINE => Speech::Undecided,
        None => Speech::Http1,
    }
}

fn has_version(line: &[u8]) -> bool {
    line.windows(6)
        .any(|part| part.eq_ignore_ascii_case(b" HTTP/"))
}

/// Whether a method may have this byte (RFC 9110 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests;
