//! Which bytes may stand where (RFC 9110 5.6.2 and 5.5), as tables and folds.

use crate::Cause;

/// Tables that answer `is_token` and `is_host` with one load.
static TOKEN: [bool; 256] = alphanumeric_or(b"!#$%&'*+-.^_`|~");
static HOST: [bool; 256] = alphanumeric_or(b"-._~");

const fn alphanumeric_or(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || has(others, byte as u8);
        byte += 1;
    }
    table
}

const fn has(bytes: &[u8], wanted: u8) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == wanted {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether `byte` may stand in a method or a field name.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether `byte` may stand in a host that is a name.
pub(crate) fn is_host(byte: u8) -> bool {
    HOST[byte as usize]
}

/// Where the first `wanted` is.
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let found = zero_bytes(u64::from_le_bytes(*word) ^ (ONES * u64::from(wanted)));
        if found != 0 {
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let place = rest.iter().position(|&byte| byte == wanted)?;
    Some(words.len() * 8 + place)
}

/// Whether every byte is one a field value may hold: no control byte but the tab.
///
/// Sixteen bytes at a time, the last sixteen again for what is left over.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        let mut padded = [b' '; TEXT_BLOCK];
        padded[..bytes.len()].copy_from_slice(bytes);
        return is_text_block(&padded);
    };
    let (blocks, _) = bytes.as_chunks();
    blocks.iter().all(is_text_block) && is_text_block(last)
}

const TEXT_BLOCK: usize = 16;

/// A fold without a way out, which compiles to a few operations on all bytes at once.
fn is_text_block(block: &[u8; TEXT_BLOCK]) -> bool {
    block
        .iter()
        .fold(true, |is_text, &byte| is_text & is_text_byte(byte))
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The high bit of bytes that are zero: of the lowest of them, and perhaps of others above it.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Whether `bytes` is `name` in any case; `name` is of lower-case letters, digits and dashes.
///
/// Letters differ from each other's case in one bit, which nothing else may differ in.
pub(crate) fn equals(bytes: &[u8], name: &[u8]) -> bool {
    if bytes.len() != name.len() {
        return false;
    }
    let ((words, _), (names, _)) = (bytes.as_chunks::<8>(), name.as_chunks::<8>());
    match (bytes.last_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(last), Some(name_last)) => {
            let mut pairs = words.iter().zip(names);
            pairs.all(|(word, name)| equals_word(word, name)) && equals_word(last, name_last)
        }
        _ => equals_short(bytes, name),
    }
}

/// The same of less than eight bytes: two halves of a word, which may overlap.
fn equals_short(bytes: &[u8], name: &[u8]) -> bool {
    match (halves(bytes), halves(name)) {
        (Some(word), Some(name)) => equals_bits(word, name),
        _ => bytes.eq_ignore_ascii_case(name),
    }
}

fn halves(bytes: &[u8]) -> Option<u64> {
    let half = |bytes: &[u8; 4]| u64::from(u32::from_ne_bytes(*bytes));
    Some(half(bytes.first_chunk()?) << 32 | half(bytes.last_chunk()?))
}

const fn equals_word(word: &[u8; 8], name: &[u8; 8]) -> bool {
    equals_bits(u64::from_ne_bytes(*word), u64::from_ne_bytes(*name))
}

const fn equals_bits(word: u64, name: u64) -> bool {
    const LETTERS: u64 = u64::from_ne_bytes([0x40; 8]);
    let case = (name & LETTERS) >> 1;
    (word ^ name) & !case == 0
}

/// Whether a field value may hold `byte`.
pub(crate) const fn is_text_byte(byte: u8) -> bool {
    (byte >= 0x20 && byte != 0x7f) || byte == b'\t'
}

/// Whether every byte is visible ASCII.
pub(crate) fn is_visible(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(true, |visible, byte| visible & byte.is_ascii_graphic())
}

/// Names the first control byte of `bytes`, if one is there.
pub(crate) fn control_cause(bytes: &[u8]) -> Option<Cause> {
    let byte = bytes.iter().find(|&&byte| !is_text_byte(byte))?;
    Some(match byte {
        b'\r' => Cause::BareCr,
        0 => Cause::Nul,
        _ => Cause::ControlByte,
    })
}

/// Refuses `bytes` if they hold a control byte, naming which.
pub(crate) fn check_text(bytes: &[u8]) -> Result<(), Cause> {
    if is_text(bytes) {
        return Ok(());
    }
    Err(control_cause(bytes).unwrap_or(Cause::ControlByte))
}

/// `bytes` without the spaces and tabs around them.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    while let [init @ .., b' ' | b'\t'] = rest {
        rest = init;
    }
    rest
}

/// The elements of a comma-separated list, trimmed, empty ones left out (RFC 9110 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests;
