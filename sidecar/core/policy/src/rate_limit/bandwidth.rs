//! Bandwidth: bytes per second, kept by reading later, so that whoever sends is pushed back by its transport.
//!
//! A limit of bandwidth is a token bucket of bytes, with room for what 50 ms bring, at least 64 KiB. Before each
//! read [`Bandwidth::allowance`] says how many bytes may be read, at most a chunk of 16 KiB; afterwards
//! [`Bandwidth::spend`] charges what was read. A read waits until the bytes of 10 ms are there, at most a chunk, so
//! that a slow stream is not read byte by byte; what passes in any stretch of time is never more than the room
//! and what came meanwhile.

use super::ask::{Arrival, Ask};
use super::cell::Shortage;
use super::keys::Key;
use super::{Algorithm, Limiter, Rate};
use crate::moment::Moment;

/// The most bytes of one read.
pub const CHUNK_BYTES: u64 = 16 * 1024;

const SECOND_NS: u64 = 1_000_000_000;
const SMALLEST_BURST: u64 = 64 * 1024;

/// Bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    bytes_per_second: u64,
}

impl Bandwidth {
    /// So many bytes per second, at least 1.
    #[must_use]
    pub const fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: if bytes_per_second == 0 {
                1
            } else {
                bytes_per_second
            },
        }
    }

    /// What a limiter of it counts by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::TokenBucket {
            rate: Rate::new(self.bytes_per_second, SECOND_NS),
            burst: Some(SMALLEST_BURST.max(self.bytes_per_second / 20)),
        }
    }

    /// The fewest bytes worth a read.
    fn least(&self) -> u64 {
        (self.bytes_per_second / 100).clamp(1, CHUNK_BYTES)
    }

    /// How many bytes may be read now for `key`; none yet: the time until some may.
    pub fn allowance(
        &self,
        limiter: &mut Limiter,
        key: Option<Key>,
        at: Moment,
    ) -> Result<u64, u64> {
        let (ask, found) = self.look(limiter, key, at);
        match found {
            Err(Shortage::For(wait_ns)) => Err(wait_ns),
            _ => Ok(limiter.left_after(&ask, at).remaining.min(CHUNK_BYTES)),
        }
    }

    /// Charges bytes that were read for `key`.
    pub fn spend(&self, limiter: &mut Limiter, key: Option<Key>, bytes: u64, at: Moment) {
        let (found, _) = self.look(limiter, key, at);
        let mut ask = Ask::later(0, found.cell_key());
        ask.generation = limiter.generation();
        limiter.charge_after(&mut ask, bytes, at);
    }

    /// Whether nothing of a new `key` may pass, for want of a place among the keys.
    pub fn refuses(&self, limiter: &mut Limiter, key: Option<Key>, at: Moment) -> bool {
        self.check(limiter, key, at).1 == Err(Shortage::Unknown)
    }

    /// Finds who answers for `key`. One that lost its place while it was read is no newcomer: it shares.
    fn look(
        &self,
        limiter: &mut Limiter,
        key: Option<Key>,
        at: Moment,
    ) -> (Ask, Result<u64, Shortage>) {
        match self.check(limiter, key, at) {
            (_, Err(Shortage::Unknown)) => self.check(limiter, None, at),
            found => found,
        }
    }

    fn check(
        &self,
        limiter: &mut Limiter,
        key: Option<Key>,
        at: Moment,
    ) -> (Ask, Result<u64, Shortage>) {
        let mut ask = Ask::new(0, key, self.least());
        let arrival = Arrival {
            at,
            left_ns: None,
            is_exempt: false,
        };
        let found = limiter.check(&mut ask, &arrival);
        (ask, found)
    }
}

#[cfg(test)]
mod tests;
