//! The canonical path, for matching only: what is forwarded is what came.

use std::borrow::Cow;

use memchr::memchr;

/// The form of `path` that every spelling of it shares: escapes of unreserved characters decoded, other
/// escapes in capitals, dot segments removed (RFC 3986 6.2.2). Allocates only if `path` is not in it.
///
/// Escaped delimiters stay escaped (`%2F` is no slash). A percent sign that begins no escape becomes `%25`, or
/// what follows it could make one.
pub fn canonical_path(path: &[u8]) -> Cow<'_, [u8]> {
    let decoded = decode_unreserved(path);
    if !has_dot_segment(&decoded) {
        return decoded;
    }
    Cow::Owned(remove_dot_segments(&decoded))
}

fn decode_unreserved(path: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'%', path) else {
        return Cow::Borrowed(path);
    };
    let mut decoded = path[..first].to_vec();
    let mut rest = &path[first..];
    while let [byte, tail @ ..] = rest {
        rest = match (byte, escaped(tail)) {
            (b'%', Some(value)) => {
                push_unescaped(value, &mut decoded);
                &tail[2..]
            }
            (b'%', None) => {
                push_escape(b'%', &mut decoded);
                tail
            }
            _ => {
                decoded.push(*byte);
                tail
            }
        };
    }
    Cow::Owned(decoded)
}

fn push_unescaped(value: u8, path: &mut Vec<u8>) {
    if is_unreserved(value) {
        path.push(value);
    } else {
        push_escape(value, path);
    }
}

fn push_escape(value: u8, path: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let (high, low) = (value >> 4, value & 15);
    path.extend([b'%', DIGITS[usize::from(high)], DIGITS[usize::from(low)]]);
}

/// The byte that the two digits at the beginning of `digits` stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let high = char::from(*digits.first()?).to_digit(16)?;
    let low = char::from(*digits.get(1)?).to_digit(16)?;
    Some((high * 16 + low) as u8)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn has_dot_segment(path: &[u8]) -> bool {
    memchr(b'.', path).is_some() && segments(path).any(|segment| matches!(segment, b"." | b".."))
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
}

/// RFC 3986 5.2.4, for paths that begin with a slash: `..` takes the segment before it away.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(path.len());
    let mut ends_in_dots = false;
    for segment in segments(path).skip(1) {
        ends_in_dots = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => kept.truncate(memchr::memrchr(b'/', &kept).unwrap_or(0)),
            _ => {
                kept.push(b'/');
                kept.extend_from_slice(segment);
            }
        }
    }
    if ends_in_dots {
        kept.push(b'/');
    }
    kept
}
