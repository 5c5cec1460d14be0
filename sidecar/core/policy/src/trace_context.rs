//! Trace context: the `traceparent` field of W3C Trace Context, level 1, and which traces are recorded.
//!
//! Whoever begins a trace draws its id; everything else follows from that: each sidecar that knows the share tells by
//! the id alone whether such a trace is recorded.

use crate::Percent;
use crate::percent::WHOLE;

/// Where a request stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace: u128,
    /// The caller's span in it; never zero.
    pub span: u64,
    /// Whether the caller records the trace.
    pub is_sampled: bool,
}

/// Bytes of the field's value in version 00.
pub const HEADER_BYTES: usize = 55;
const ID: std::ops::Range<usize> = 3..35;
const SPAN: std::ops::Range<usize> = 36..52;
const FLAGS: std::ops::Range<usize> = 53..HEADER_BYTES;
const SAMPLED: u8 = 1;

impl TraceParent {
    /// What a field's value says; `None` unless it is one to the letter. Later versions may be longer.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let fixed = value.get(..HEADER_BYTES)?;
        let is_shaped = fixed[2] == b'-' && fixed[35] == b'-' && fixed[52] == b'-';
        let is_known = match parse_hex(&fixed[..2])? {
            0 => value.len() == HEADER_BYTES,
            0xff => false,
            _ => value.get(HEADER_BYTES).is_none_or(|next| *next == b'-'),
        };
        let trace = parse_hex(&fixed[ID]).filter(|&id| is_shaped && is_known && id != 0)?;
        let span = parse_hex(&fixed[SPAN]).filter(|&span| span != 0)?;
        let flags = parse_hex(&fixed[FLAGS])?;
        Some(Self {
            trace,
            span: span as u64,
            is_sampled: flags as u8 & SAMPLED != 0,
        })
    }

    /// The field's value, in version 00; of the flags, only the one that it defines.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        header[ID].copy_from_slice(&hex(self.trace));
        header[SPAN].copy_from_slice(&hex(u128::from(self.span))[16..]);
        header[HEADER_BYTES - 1] += u8::from(self.is_sampled);
        header
    }
}

/// Which of the traces that begin here are recorded: a share, chosen by the random part of their ids as other
/// implementations choose, so that whoever records a smaller share records some of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The smallest random part that is recorded.
    from: u64,
}

/// The bits of an id that are random in every implementation.
const RANDOM_BITS: u32 = 56;

impl Sampling {
    /// Records this share.
    #[must_use]
    pub const fn new(share: Percent) -> Self {
        let left_out = WHOLE.saturating_sub(share.millionths());
        let from = ((left_out as u128) << RANDOM_BITS) / WHOLE as u128;
        Self { from: from as u64 }
    }

    /// Whether a trace that begins with this id is recorded.
    #[must_use]
    pub const fn takes(self, trace: u128) -> bool {
        trace as u64 & ((1 << RANDOM_BITS) - 1) >= self.from
    }
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
#[must_use]
pub fn hex(number: u128) -> [u8; 32] {
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

#[cfg(test)]
mod tests;
