//! Early detection: how fast the queue grows, and when it will be full.
//!
//! The slope is that between now and five seconds ago, or up to half a second more: the queue is looked at every
//! half second. Before it was first used it was empty.

const LOOK_NS: u64 = 500_000_000;
/// Half seconds in five seconds.
const STEPS: u64 = 10;
const LOOKS: usize = STEPS as usize + 1;

/// The depths of the last five seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// The depth at each half second, at the remainder of its number.
    depths: [u32; LOOKS],
    /// The newest half second that was looked at.
    newest: u64,
    depth: u32,
}

impl Growth {
    /// Notes how many wait from `now_ns` on.
    #[inline]
    pub(super) fn note(&mut self, depth: u32, now_ns: u64) {
        self.advance(now_ns);
        self.depth = depth;
    }

    /// Looks on at every half second until now; nothing changed since the last note.
    fn advance(&mut self, now_ns: u64) {
        let number = now_ns / LOOK_NS;
        let first = (self.newest + 1).max(number.saturating_sub(STEPS));
        for number in first..=number {
            self.depths[place(number)] = self.depth;
        }
        self.newest = self.newest.max(number);
    }

    /// What came more than went in the span, and how long the span is.
    pub(super) fn slope(&mut self, now_ns: u64) -> Slope {
        self.advance(now_ns);
        let oldest = self.newest.saturating_sub(STEPS);
        Slope {
            grown: i64::from(self.depth) - i64::from(self.depths[place(oldest)]),
            in_ns: now_ns.saturating_sub(oldest * LOOK_NS),
        }
    }
}

/// How fast a queue grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slope {
    /// Entries more; fewer when below zero.
    pub grown: i64,
    /// In so long.
    pub in_ns: u64,
}

impl Slope {
    /// The time in which so many places are taken at this pace; none when the queue does not grow.
    #[must_use]
    pub const fn time_for(&self, places: u32) -> Option<u64> {
        if self.grown <= 0 {
            return None;
        }
        let time_ns = places as u128 * self.in_ns as u128 / self.grown as u128;
        Some(if time_ns > u64::MAX as u128 {
            u64::MAX
        } else {
            time_ns as u64
        })
    }
}

const fn place(number: u64) -> usize {
    (number % LOOKS as u64) as usize
}

#[cfg(test)]
mod tests;
