//! Where a message's body ends (RFC 9112 6), read so that no two readers could differ.

use crate::{Cause, Fields, Known};

/// Which HTTP/1 a message is written in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0: no chunks, no interim responses, closed after one exchange.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

impl Version {
    /// Reads `HTTP/1.0` or `HTTP/1.1`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Cause> {
        match text {
            b"HTTP/1.1" => Ok(Self::Http11),
            b"HTTP/1.0" => Ok(Self::Http10),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Err(Cause::VersionUnsupported)
            }
            _ => Err(Cause::VersionInvalid),
        }
    }
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// There is no body, and nothing says so.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// Everything until the peer closes; responses only.
    Close,
    /// Bytes of another protocol from here on: after a 101, or a 2xx to CONNECT.
    Tunnel,
}

impl Framing {
    /// How to send on a body framed so to a peer that speaks `version`: what has no length goes in
    /// chunks where chunks are understood, so that a cut is seen as one, and until close elsewhere.
    pub const fn towards(self, version: Version) -> Self {
        match (self, version) {
            (Self::Chunked | Self::Close, Version::Http11) => Self::Chunked,
            (Self::Chunked | Self::Close, Version::Http10) => Self::Close,
            _ => self,
        }
    }
}

/// What the fields say, if they say one thing: Length, Chunked, or None for neither.
pub(crate) fn declared(buf: &[u8], fields: &Fields, version: Version) -> Result<Framing, Cause> {
    let length = fields.value(buf, Known::ContentLength);
    let encoding = fields.value(buf, Known::TransferEncoding);
    match (length, encoding) {
        (None, None) => Ok(Framing::None),
        (Some(_), Some(_)) => Err(Cause::LengthAndEncoding),
        (Some(_), None) if fields.is_repeated(Known::ContentLength) => Err(Cause::LengthRepeated),
        (Some(value), None) => parse_length(value).map(Framing::Length),
        (None, Some(_)) if version == Version::Http10 => Err(Cause::EncodingInHttp10),
        (None, Some(_)) if fields.is_repeated(Known::TransferEncoding) => {
            Err(Cause::EncodingRepeated)
        }
        (None, Some(value)) => check_encoding(value).map(|()| Framing::Chunked),
    }
}

/// Reads plain decimal digits below 2^63: no sign, no list, no zero in front (some read it as octal).
fn parse_length(value: &[u8]) -> Result<u64, Cause> {
    let is_plain = matches!(value, [b'0'] | [b'1'..=b'9', ..]) && value.len() <= 19;
    if !is_plain || !value.iter().all(u8::is_ascii_digit) {
        return Err(Cause::LengthInvalid);
    }
    let length = value
        .iter()
        .fold(0_u64, |length, digit| length * 10 + u64::from(digit - b'0'));
    if length > i64::MAX as u64 {
        return Err(Cause::LengthInvalid);
    }
    Ok(length)
}

fn check_encoding(value: &[u8]) -> Result<(), Cause> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_token = !value.is_empty() && value.iter().all(|&byte| crate::chars::is_token(byte));
    Err(if is_token {
        Cause::EncodingUnknown
    } else {
        Cause::EncodingInvalid
    })
}
