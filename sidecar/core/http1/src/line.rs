//! Lines of a head, one at a time: each byte is looked at once however the reads fall.

use memchr::memchr;

use crate::fields::{Field, Fields};
use crate::{Cause, Known, Limits, Span, chars};

/// Where the current line begins and how far its end was looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    start: usize,
    searched: usize,
}

impl Lines {
    /// The next line without its CRLF; `None` until it is whole. A line that is not whole within the
    /// first `limit` bytes of `buf` is refused as `too_long`, in one read as in many.
    pub(crate) fn next(
        &mut self,
        buf: &[u8],
        limit: usize,
        too_long: Cause,
    ) -> Result<Option<Span>, Cause> {
        let window = buf.len().min(limit);
        let unsearched = buf.get(self.searched..window).unwrap_or_default();
        let Some(offset) = memchr(b'\n', unsearched) else {
            self.searched = window.max(self.searched);
            return if buf.len() >= limit {
                Err(too_long)
            } else {
                Ok(None)
            };
        };
        let line_feed = self.searched + offset;
        if line_feed == self.start || buf[line_feed - 1] != b'\r' {
            return Err(Cause::BareLf);
        }
        let line = Span::new(self.start, line_feed - 1);
        self.start = line_feed + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// Whether part of a line was looked at.
    pub(crate) const fn is_inside(&self) -> bool {
        self.searched > self.start
    }

    /// Where the next line begins.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Reads field lines into `fields` up to the empty one. `true` when that came.
    pub(crate) fn read_fields(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        fields: &mut Fields,
    ) -> Result<bool, Cause> {
        while let Some(line) = self.next(buf, limits.head_bytes, Cause::HeadTooLarge)? {
            if line.is_empty() {
                fields.end = line.start as usize;
                return Ok(true);
            }
            fields.push(buf, parse_field(buf, line)?, limits)?;
        }
        Ok(false)
    }
}

/// Takes a field line apart, refusing what could be read in two ways (RFC 9112 5).
pub(crate) fn parse_field(buf: &[u8], line: Span) -> Result<Field, Cause> {
    let bytes = line.of(buf);
    let name_len = chars::find(bytes, b':').unwrap_or(bytes.len());
    let known = Known::find(&bytes[..name_len]).filter(|_| name_len < bytes.len());
    if known.is_none() {
        check_name(bytes, name_len)?;
    }
    let value = line.from(name_len + 1);
    chars::check_text(value.of(buf))?;
    Ok(Field {
        name: line.part(0, name_len),
        value: value.trim(buf),
        known,
    })
}

/// Refuses a line whose bytes before its first colon are no name; those of known names are.
fn check_name(bytes: &[u8], colon: usize) -> Result<(), Cause> {
    let mut name = bytes.iter().take(colon);
    let name_len = name
        .position(|&byte| !chars::is_token(byte))
        .unwrap_or(colon);
    if name_len == 0 || bytes.get(name_len) != Some(&b':') {
        return Err(name_cause(bytes, name_len));
    }
    Ok(())
}

/// Says what is wrong with a line whose first `name_len` bytes are a name that no colon follows.
#[cold]
fn name_cause(bytes: &[u8], name_len: usize) -> Cause {
    let rest = &bytes[name_len..];
    match rest.first() {
        Some(b' ' | b'\t') if name_len == 0 => Cause::LeadingSpace,
        Some(b':') => Cause::NameEmpty,
        Some(b' ' | b'\t') if chars::trim(rest).first() == Some(&b':') => Cause::SpaceBeforeColon,
        Some(byte) if !chars::is_text_byte(*byte) => {
            chars::control_cause(rest).unwrap_or(Cause::ControlByte)
        }
        Some(_) if memchr(b':', rest).is_some() => Cause::NameInvalid,
        _ => Cause::ColonMissing,
    }
}

#[cfg(test)]
mod tests;
