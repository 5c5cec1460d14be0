//! The window of a connection: it grows with the streams on it, so that those whose readers stand still, each with a
//! full window of its own, never hold up the others.

use super::{CONNECTION_WINDOW, STREAM_WINDOW};

/// The window that a peer was told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window(u32);

impl Default for Window {
    fn default() -> Self {
        Self(CONNECTION_WINDOW)
    }
}

impl Window {
    /// The window for so many streams, if the peer has to be told of another one: in big steps, so that it is rarely told.
    pub(super) fn grow(&mut self, streams: usize) -> Option<u32> {
        let wanted = u32::try_from(streams).ok()?.checked_mul(STREAM_WINDOW)?;
        let grown = wanted.checked_next_multiple_of(CONNECTION_WINDOW)?;
        (grown > self.0).then(|| {
            self.0 = grown;
            grown
        })
    }
}

#[cfg(test)]
mod tests;
