//! An instant on two clocks: the monotonic one that decides, and the wall clock that calendars follow.

/// One instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the monotonic clock says.
    pub now_ns: u64,
    /// Nanoseconds since 1970 by the wall clock.
    pub unix_ns: u64,
}

/// A smaller difference is the time between two readings; a larger one is a step.
const NOISE_NS: u64 = 1_000_000;

/// Tells the wall clock's time from the monotonic clock's.
///
/// Two clocks are never read at quite the same instant, and windows that begin by one and last by the other must
/// not tremble. So the difference is kept until the wall clock has visibly been set. Look at it every second or so.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    ahead_ns: u64,
}

impl WallClock {
    /// A wall clock that was read together with the monotonic one.
    #[must_use]
    pub const fn new(reading: Moment) -> Self {
        Self {
            ahead_ns: reading.unix_ns.wrapping_sub(reading.now_ns),
        }
    }

    /// Takes another reading; true when the clock was set since the last one.
    pub const fn observe(&mut self, reading: Moment) -> bool {
        let expected_ns = self.at(reading.now_ns).unix_ns;
        let is_set = expected_ns.abs_diff(reading.unix_ns) > NOISE_NS;
        if is_set {
            *self = Self::new(reading);
        }
        is_set
    }

    /// The moment at which the monotonic clock says `now_ns`.
    #[inline]
    #[must_use]
    pub const fn at(&self, now_ns: u64) -> Moment {
        Moment {
            now_ns,
            unix_ns: now_ns.wrapping_add(self.ahead_ns),
        }
    }
}

#[cfg(test)]
mod tests;
