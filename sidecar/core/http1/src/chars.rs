//! Which bytes may stand where (RFC 9110 5.6.2 and 5.5), as tables and folds.

use crate::Cause;

/// A table that answers `is_token` with one load.
static TOKEN: [bool; 256] = token_table();

const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || has(b"!#$%&'*+-.^_`|~", byte as u8);
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

/// Whether every byte is one a field value may hold: no control byte but the tab.
///
/// Eight bytes at a time, the last eight again for what is left over; only a word with a control byte in it, which
/// may be a tab, is looked at byte by byte.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().copied().all(is_text_byte);
    };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().chain([last]).all(is_text_word)
}

fn is_text_word(word: &[u8; 8]) -> bool {
    !has_control(u64::from_ne_bytes(*word)) || word.iter().copied().all(is_text_byte)
}

/// Whether a byte of `word` is below 0x20, or is 0x7f ("Bit Twiddling Hacks", Sean Eron Anderson).
const fn has_control(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7f);
    let is_delete = delete.wrapping_sub(ONES) & !delete;
    (below | is_delete) & HIGH != 0
}

/// Whether `bytes` is `name` in any case; `name` is of lower-case letters, digits and dashes.
///
/// Letters differ from each other's case in one bit, which nothing else may differ in.
pub(crate) fn equals(bytes: &[u8], name: &[u8]) -> bool {
    if bytes.len() != name.len() {
        return false;
    }
    let (Some(last), Some(name_last)) = (bytes.last_chunk::<8>(), name.last_chunk::<8>()) else {
        return bytes.eq_ignore_ascii_case(name);
    };
    let ((words, _), (names, _)) = (bytes.as_chunks::<8>(), name.as_chunks::<8>());
    let mut pairs = words.iter().zip(names).chain([(last, name_last)]);
    pairs.all(|(word, name)| equals_word(u64::from_ne_bytes(*word), u64::from_ne_bytes(*name)))
}

const fn equals_word(word: u64, name: u64) -> bool {
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
