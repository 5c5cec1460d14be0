//! A range of the read buffer, half the size of a slice and free of its lifetime.

/// Bytes `start..end` of the buffer a head was parsed from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end`; heads are far shorter than 4 GiB (`Limits::head_bytes`).
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The bytes of `buf` it covers; none if `buf` is not the buffer it came from.
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// How many bytes it covers.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers nothing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// `len` bytes of it from `offset` on.
    pub(crate) const fn part(self, offset: usize, len: usize) -> Self {
        let start = self.start as usize + offset;
        Self::new(start, start + len)
    }

    /// It without its first `offset` bytes.
    pub(crate) const fn from(self, offset: usize) -> Self {
        self.part(offset, self.len() - offset)
    }

    /// It without the spaces and tabs around it.
    pub(crate) fn trim(self, buf: &[u8]) -> Self {
        let bytes = self.of(buf);
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let Some(first) = bytes.iter().position(|byte| !blank(byte)) else {
            return self.part(0, 0);
        };
        let trailing = bytes.iter().rev().take_while(|byte| blank(byte)).count();
        self.part(first, bytes.len() - first - trailing)
    }
}
