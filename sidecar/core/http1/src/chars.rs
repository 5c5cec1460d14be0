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
/// A fold without an early exit, so that the compiler makes vector code of it.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(true, |text, &byte| text & is_text_byte(byte))
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
