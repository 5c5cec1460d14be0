//! Trace context: which trace a request belongs to (W3C `traceparent`), taken over or begun.

use std::hash::{BuildHasher, RandomState};

use http1::Known;

use crate::chance::Chance;
use crate::request::Request;

/// The identifiers of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The trace.
    pub(crate) id: u128,
    /// The caller's span, or the one begun here.
    pub(crate) span: u64,
    /// Whether `traceparent` was absent, or not to be read, and is begun here.
    pub(crate) is_begun: bool,
    /// The request id that is made here when none came.
    pub(crate) new_request_id: Option<u128>,
}

impl Trace {
    /// Reads the identifiers of a request, and begins those that it lacks.
    pub(crate) fn of(request: &dyn Request, chance: &Chance) -> Self {
        let mut trace = Self::begin(chance);
        if let Some((id, span)) = request.known(Known::Traceparent).and_then(parse) {
            (trace.id, trace.span, trace.is_begun) = (id, span, false);
        }
        let request_id = request.known(Known::XRequestId);
        if request_id.is_some_and(|id| !id.is_empty()) {
            trace.new_request_id = None;
        }
        trace
    }

    /// Identifiers of what brought none.
    pub(crate) fn begin(chance: &Chance) -> Self {
        Self {
            id: chance.draw_wide() | 1,
            span: chance.draw() | 1,
            is_begun: true,
            new_request_id: Some(chance.draw_wide()),
        }
    }

    /// The value of a `traceparent` that begins here; nobody sampled it.
    pub(crate) fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        header[ID].copy_from_slice(&hex(self.id));
        header[SPAN].copy_from_slice(&hex(u128::from(self.span))[16..]);
        header
    }
}

/// Bytes of a `traceparent` of version 00.
const HEADER_BYTES: usize = 55;
const ID: std::ops::Range<usize> = 3..35;
const SPAN: std::ops::Range<usize> = 36..52;

/// The trace and span of a `traceparent`; later versions may be longer.
fn parse(header: &[u8]) -> Option<(u128, u64)> {
    let fixed = header.get(..HEADER_BYTES)?;
    let is_shaped = fixed[2] == b'-' && fixed[35] == b'-' && fixed[52] == b'-';
    let is_known = match &fixed[..2] {
        b"00" => header.len() == HEADER_BYTES,
        b"ff" => false,
        _ => true,
    };
    let id = parse_hex(&fixed[ID]).filter(|&id| is_shaped && is_known && id != 0)?;
    let span = parse_hex(&fixed[SPAN]).filter(|&span| span != 0)?;
    Some((id, span as u64))
}

/// Reads up to 32 digits in lower case, as the specification wants them.
fn parse_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// The two digits of every byte.
static DIGITS: [[u8; 2]; 256] = digits();

const fn digits() -> [[u8; 2]; 256] {
    let each = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = [each[byte >> 4], each[byte & 15]];
        byte += 1;
    }
    digits
}

/// 32 digits in lower case.
pub(crate) fn hex(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(number.to_be_bytes())
    {
        *pair = DIGITS[byte as usize];
    }
    digits
}

/// Names a request in the table of those in flight: by trace, or by a keyed hash of its request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Trace(u128),
    RequestId(u64),
}

impl Key {
    /// The key that an outbound request is looked up by; none when it names neither.
    pub(crate) fn of_call(request: &dyn Request, hasher: &RandomState) -> Option<Self> {
        match request.known(Known::Traceparent).and_then(parse) {
            Some((id, _)) => Some(Self::Trace(id)),
            None => request
                .known(Known::XRequestId)
                .map(|id| Self::of_id(id, hasher)),
        }
    }

    /// The key of a request id.
    pub(crate) fn of_id(id: &[u8], hasher: &RandomState) -> Self {
        Self::RequestId(hasher.hash_one(id))
    }
}

#[cfg(test)]
mod tests;
