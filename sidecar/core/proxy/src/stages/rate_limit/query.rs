//! Query: what a parameter says, however it is escaped. Applications read `a%40b` and `a@b` as one value, so nobody is
//! somebody else by writing it another way.

use std::borrow::Cow;

use crate::request::Request;

/// The value of the first parameter of a name, as of a form; one without `=` is empty.
pub(super) fn value<'a>(request: &'a dyn Request, name: &str) -> Option<Cow<'a, [u8]>> {
    let mut pairs = request.query()?.split(|&byte| byte == b'&').map(pair);
    let (_, value) = pairs.find(|(found, _)| *decoded(found) == *name.as_bytes())?;
    Some(decoded(value))
}

fn pair(text: &[u8]) -> (&[u8], &[u8]) {
    let at = text.iter().position(|&byte| byte == b'=');
    at.map_or((text, &[]), |at| (&text[..at], &text[at + 1..]))
}

/// Without escapes; what begins none stays as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [byte, tail @ ..] = rest {
        let escaped = Some(tail).filter(|_| *byte == b'%').and_then(escaped);
        plain.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        rest = &tail[if escaped.is_some() { 2 } else { 0 }..];
    }
    Cow::Owned(plain)
}

/// The byte that two digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |place: usize| char::from(*digits.get(place)?).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests;
