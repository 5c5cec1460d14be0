//! Throttle: a queue that is nearly full admits as fast as it drains, slower the fuller it is.
//!
//! From a share of the capacity on, arrivals take credit that comes at the drain rate of the last second (nine
//! tenths of it and what of the tenth is over), times what of the rest is still free: all of it where throttling begins, nothing when the queue is full. At most one
//! arrival's credit is saved up. What share of the last second's arrivals was admitted is told to callers.

use crate::Percent;
use crate::percent::WHOLE;
use crate::window::TenBuckets;

const SECOND_NS: u64 = 1_000_000_000;
const TENTH_NS: u64 = SECOND_NS / 10;
/// One admission, in the unit of credit.
const ONE: u64 = 1_000_000_000;

const ARRIVALS: usize = 0;
const ADMITTED: usize = 1;
const DRAINED: usize = 2;

/// The state of one throttle.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    window: TenBuckets<3>,
    credit: u64,
    looked_ns: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            window: TenBuckets::new(SECOND_NS),
            credit: ONE,
            looked_ns: 0,
        }
    }
}

impl Throttle {
    /// Notes that an entry left the queue to run.
    pub(super) fn drained(&mut self, now_ns: u64) {
        self.window.add(now_ns, DRAINED);
    }

    /// Whether an arrival is admitted to a queue of this depth, throttled `from` a share of its capacity on.
    pub(super) fn admits(&mut self, from: Percent, depth: u32, capacity: u32, now_ns: u64) -> bool {
        if !is_throttled(from, depth, capacity) {
            (self.credit, self.looked_ns) = (ONE, now_ns);
            return true;
        }
        self.earn(from, depth, capacity, now_ns);
        let is_admitted = depth < capacity && self.credit >= ONE;
        self.window.add(now_ns, ARRIVALS);
        if is_admitted {
            self.credit -= ONE;
            self.window.add(now_ns, ADMITTED);
        }
        is_admitted
    }

    /// Adds what came since the last look, rounded down.
    fn earn(&mut self, from: Percent, depth: u32, capacity: u32, now_ns: u64) {
        let [_, _, drained] = *self.window.totals(now_ns);
        let free = u128::from(capacity.saturating_sub(depth)) * u128::from(WHOLE);
        let rest = u128::from(capacity) * u128::from(WHOLE.saturating_sub(from.millionths()));
        let begun_ns = (now_ns / TENTH_NS).saturating_sub(9) * TENTH_NS;
        let span = u128::from(now_ns - begun_ns);
        let time_ns = now_ns.saturating_sub(self.looked_ns).min(SECOND_NS);
        let passed = u128::from(drained) * u128::from(time_ns);
        let earned = passed * free * u128::from(ONE) / (rest * span).max(1);
        self.credit = (u128::from(self.credit) + earned).min(u128::from(ONE)) as u64;
        self.looked_ns = now_ns;
    }

    /// The share of the last second's throttled arrivals that was admitted; none when there were none.
    pub(super) fn admitted(&mut self, now_ns: u64) -> Option<Percent> {
        let [arrivals, admitted, _] = *self.window.totals(now_ns);
        let millionths =
            (u64::from(admitted) * u64::from(WHOLE)).checked_div(u64::from(arrivals))?;
        Some(Percent::from_millionths(millionths as u32))
    }
}

/// Whether a queue is that full.
const fn is_throttled(from: Percent, depth: u32, capacity: u32) -> bool {
    from.is_reached_by(depth, capacity)
}

#[cfg(test)]
mod tests;
