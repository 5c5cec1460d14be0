//! How many frames a client sends that cost us something and itself nothing: pings, settings, resets, frames without
//! content. The bytes of a connection pass by here, and their frames are counted by their heads.

use std::time::Duration;

use tokio::time::Instant;

const PREFACE: usize = 24;
const HEAD: usize = 9;
/// So many at once are no flood.
const MOST: u32 = 400;
/// Time after which one more may come.
const EACH: Duration = Duration::from_millis(25);

const DATA: u8 = 0x0;
const PRIORITY: u8 = 0x2;
const RESET: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;

/// Follows the frames of one connection.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Bytes until the next head.
    skip: usize,
    head: [u8; HEAD],
    filled: usize,
    spent: u32,
    since: Instant,
}

impl Gauge {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            filled: 0,
            spent: 0,
            since: now,
        }
    }

    /// Whether the bytes that came next are still no flood.
    pub(crate) fn is_calm(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = &bytes[passed..];
            let count = (HEAD - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == HEAD && !self.passes(now) {
                return false;
            }
        }
        true
    }

    /// Whether the frame whose head is complete may come.
    fn passes(&mut self, now: Instant) -> bool {
        self.filled = 0;
        let [high, middle, low, kind, flags, ..] = self.head;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let is_empty = self.skip == 0;
        let is_cheap = match kind {
            PRIORITY | RESET | SETTINGS | PING => true,
            DATA => is_empty && flags & END_STREAM == 0,
            CONTINUATION => is_empty,
            _ => false,
        };
        if !is_cheap {
            return true;
        }
        self.forgive(now);
        self.spent += 1;
        self.spent <= MOST
    }

    fn forgive(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let count = passed.as_nanos() / EACH.as_nanos();
        if count > 0 {
            self.spent = self
                .spent
                .saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests;
