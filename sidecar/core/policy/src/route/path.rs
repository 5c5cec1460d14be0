//! The canonical form of a path, for matching: what is forwarded stays as it came.
//!
//! Percent-encoded unreserved characters are decoded and the hexadecimal digits of others written in capitals
//! (RFC 3986, 6.2.2.1 and 6.2.2.2); dot segments are removed (5.2.4). So `/a/%2e%2e/b`, `/a/../b` and `/b` are
//! one path, while an encoded slash stays what it is.

use std::borrow::Cow;

/// The canonical form of a path without its query; borrowed when it is canonical already.
#[must_use]
pub fn canonical(path: &[u8]) -> Cow<'_, [u8]> {
    if is_canonical(path) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(without_dot_segments(&decoded(path)))
}

fn is_canonical(path: &[u8]) -> bool {
    !path.contains(&b'%') && !path.windows(2).any(|pair| pair == b"/.")
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| encoded(after)).flatten();
        match code {
            Some(code) => {
                write(code, &mut found);
                rest = &after[2..];
            }
            None => {
                found.push(byte);
                rest = after;
            }
        }
    }
    found
}

/// The byte that two hexadecimal digits stand for.
fn encoded(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn write(code: u8, found: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if code.is_ascii_alphanumeric() || b"-._~".contains(&code) {
        found.push(code);
    } else {
        let (high, low) = (usize::from(code >> 4), usize::from(code & 15));
        found.extend([b'%', DIGITS[high], DIGITS[low]]);
    }
}

fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push(b"");
        }
    }
    kept.iter()
        .fold(Vec::with_capacity(path.len()), |mut found, segment| {
            found.push(b'/');
            found.extend_from_slice(segment);
            found
        })
}
