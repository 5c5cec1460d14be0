//! Whether somebody made room since one looked, without a lock between who makes it and who waits for it.

#[cfg(not(test))]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(test)]
use loom::sync::atomic::{AtomicU64, Ordering};

/// How often room was made, above one bit: whether somebody waits for the next time.
///
/// Both are one word, so that either who waits sees the room, or who makes it sees that somebody waits.
#[derive(Debug, Default)]
pub(crate) struct Room(AtomicU64);

const AWAITED: u64 = 1;

impl Room {
    /// How often room was made.
    pub(crate) fn made(&self) -> u64 {
        self.0.load(Ordering::Acquire) >> 1
    }

    /// Makes room; whether somebody waited for it.
    pub(crate) fn make(&self) -> bool {
        let next = |word: u64| Some((word | AWAITED).wrapping_add(1));
        let (Ok(before) | Err(before)) =
            self.0
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        before & AWAITED != 0
    }

    /// Waits for room beyond what was `made`; false when there is some already.
    pub(crate) fn wait(&self, made: u64) -> bool {
        self.0.fetch_or(AWAITED, Ordering::AcqRel) >> 1 == made
    }
}

#[cfg(test)]
mod tests;
