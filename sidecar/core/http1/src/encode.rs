//! Chunks out: the bytes around data, small enough for the stack.

/// What ends a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The size line of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ChunkSize {
    bytes: [u8; Self::MOST],
    start: u8,
}

impl ChunkSize {
    /// Sixteen digits and CRLF.
    const MOST: usize = 18;

    /// The line before `len` bytes of data, at least one: none would end the body.
    pub const fn new(len: usize) -> Self {
        let mut bytes = [0; Self::MOST];
        bytes[Self::MOST - 2] = b'\r';
        bytes[Self::MOST - 1] = b'\n';
        let mut start = Self::MOST - 2;
        let mut rest = len;
        while start == Self::MOST - 2 || rest > 0 {
            start -= 1;
            bytes[start] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
        }
        Self {
            bytes,
            start: start as u8,
        }
    }

    /// The line with its CRLF.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

/// Ends a chunked body: the last chunk, `trailers` (lines with their CRLF), the empty line.
pub fn end_chunks(trailers: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}
