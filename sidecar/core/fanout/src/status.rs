//! How calls end.

use std::fmt::Write;

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The codes of gRPC that the front gives by itself.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Code {
    Ok = 0,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

/// A code, and words for people.
#[derive(Debug)]
pub(crate) struct Status {
    code: u8,
    reason: String,
}

impl Status {
    pub(crate) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self::of(code as u8, reason)
    }

    pub(crate) fn of(code: u8, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { code, reason }
    }

    fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(2);
        fields.insert(STATUS, HeaderValue::from(u16::from(self.code)));
        if let Ok(reason) = HeaderValue::try_from(encode(&self.reason))
            && !self.reason.is_empty()
        {
            fields.insert(MESSAGE, reason);
        }
        fields
    }
}

/// The head of an answer that goes on.
pub(crate) fn head() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

/// Ends a call that was answered; a client that left needs no end.
pub(crate) fn end(sender: &mut SendStream<Bytes>, status: &Status) {
    let _ = sender.send_trailers(status.fields());
}

/// Answers a call with nothing but its end.
pub(crate) fn refuse(respond: &mut SendResponse<Bytes>, status: &Status) {
    let mut response = head();
    response.headers_mut().extend(status.fields());
    let _ = respond.send_response(response, true);
}

/// As gRPC writes words into a header: what is not printable, and the sign itself, as percent and hexadecimal digits.
fn encode(reason: &str) -> String {
    let mut encoded = String::with_capacity(reason.len());
    for byte in reason.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
