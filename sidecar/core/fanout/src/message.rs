//! Messages of gRPC out of the pieces that they come in, without I/O.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A flag and a length.
const HEAD: usize = 5;
const PLAIN: u8 = 0;
/// The largest message that a client may send.
pub(crate) const LARGEST: usize = 4 << 20;

/// Why what came is no message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is compressed, which nobody offered.
    Compressed,
    /// It would be this large.
    TooLarge(usize),
}

/// What came and is no whole message yet: never more than one of the largest, and one piece.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    pieces: BytesMut,
}

impl Messages {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.pieces.extend_from_slice(piece);
    }

    /// The next whole message, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some((head, rest)) = self.pieces.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [flag, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if flag != PLAIN {
            return Err(Malformed::Compressed);
        }
        if length > LARGEST {
            return Err(Malformed::TooLarge(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.pieces.advance(HEAD);
        let message = self.pieces.split_to(length).freeze();
        if self.pieces.is_empty() {
            self.pieces = BytesMut::new();
        }
        Ok(Some(message))
    }
}

/// A message as it is sent.
pub(crate) fn frame(message: &[u8]) -> Option<Bytes> {
    let length = u32::try_from(message.len()).ok()?;
    let mut framed = BytesMut::with_capacity(HEAD + message.len());
    framed.put_u8(PLAIN);
    framed.put_u32(length);
    framed.put_slice(message);
    Some(framed.freeze())
}

#[cfg(test)]
mod tests;
