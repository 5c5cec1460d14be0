//! Power of two choices over peak-EWMA latency: of two endpoints drawn at random, the one that costs less.
//!
//! What an endpoint costs is `ewma x (in flight + 1)`. The average jumps to a latency above it at once and
//! decays with time (10 s), so it follows the worst of the recent past and forgets it when nothing comes.
//! A failure counts as a latency of 5 s more, `Retry-After` as that much more, at most 300 s.

pub mod hash;
mod order;
mod slow_start;

pub use order::{Algorithm, Balancer};
pub use slow_start::SlowStart;

use crate::draw;

const SECOND_NS: f64 = 1e9;
const DECAY_NS: f64 = 10.0 * SECOND_NS;
const INITIAL_NS: f64 = 0.030 * SECOND_NS;

/// What a failure adds to its latency.
pub const PENALTY_NS: u64 = 5_000_000_000;
/// The most that `Retry-After` adds.
pub const LONGEST_PENALTY_NS: u64 = 300_000_000_000;

/// The load on one endpoint, as this worker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    ewma_ns: f64,
    updated_ns: u64,
    in_flight: u32,
}

impl Load {
    /// The load of an endpoint that was not called yet.
    #[must_use]
    pub const fn new(now_ns: u64) -> Self {
        Self {
            ewma_ns: INITIAL_NS,
            updated_ns: now_ns,
            in_flight: 0,
        }
    }

    /// What one more call would cost now, were the endpoint so many that share its calls evenly.
    #[must_use]
    pub fn cost(&self, now_ns: u64, weight: u32) -> f64 {
        self.ewma_ns * self.decay(now_ns) * (self.in_flight_of(weight) + 1.0)
    }

    /// Calls under way at each of so many that share them evenly.
    #[must_use]
    pub fn in_flight_of(&self, weight: u32) -> f64 {
        f64::from(self.in_flight) / f64::from(weight.max(1))
    }

    /// Notes that a call began.
    #[inline]
    pub const fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// Notes that a call ended and how long it took; add [`penalty_ns`] when it failed.
    #[inline]
    pub fn end(&mut self, latency_ns: u64, now_ns: u64) {
        self.cancel();
        self.observe(latency_ns as f64, now_ns);
    }

    /// Notes that a call ended without saying anything about the endpoint.
    #[inline]
    pub const fn cancel(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Begins anew with this latency: what the average was, and all penalties in it, are forgotten.
    pub const fn restart(&mut self, latency_ns: u64, now_ns: u64) {
        self.ewma_ns = latency_ns as f64;
        self.updated_ns = now_ns;
    }

    /// Calls under way.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The average as it stands at `now_ns`.
    #[must_use]
    pub fn latency_ns(&self, now_ns: u64) -> u64 {
        (self.ewma_ns * self.decay(now_ns)) as u64
    }

    fn observe(&mut self, latency_ns: f64, now_ns: u64) {
        let kept = self.decay(now_ns);
        let average = self.ewma_ns * kept + latency_ns * (1.0 - kept);
        self.ewma_ns = if latency_ns > self.ewma_ns {
            latency_ns
        } else {
            average
        };
        self.updated_ns = self.updated_ns.max(now_ns);
    }

    fn decay(&self, now_ns: u64) -> f64 {
        (-(now_ns.saturating_sub(self.updated_ns) as f64) / DECAY_NS).exp()
    }
}

/// What a failed call adds to its latency, given the `Retry-After` of its answer.
#[must_use]
pub fn penalty_ns(retry_after_ns: Option<u64>) -> u64 {
    retry_after_ns.map_or(PENALTY_NS, |asked_ns| asked_ns.min(LONGEST_PENALTY_NS))
}

/// Two different positions below `count`, each pair equally likely; the same one twice when there is only one.
#[must_use]
pub fn two_of(count: u32, draw: u64) -> Option<(u32, u32)> {
    let last = count.checked_sub(1)?;
    let first = pick_below(draw >> 32, count);
    let second = pick_below(draw & u64::from(u32::MAX), last);
    Some(if last == 0 {
        (0, 0)
    } else {
        (first, second + u32::from(second >= first))
    })
}

/// Scales 32 uniform bits to `0..count`.
const fn pick_below(bits: u64, count: u32) -> u32 {
    ((bits * count as u64) >> 32) as u32
}

/// The cheaper of two endpoints, and the other one. `avoid` is the endpoint just tried: it comes second.
pub fn cheaper(
    (first, second): (u32, u32),
    avoid: Option<u32>,
    mut cost: impl FnMut(u32) -> f64,
) -> (u32, u32) {
    let is_second_better = if avoid == Some(first) {
        true
    } else {
        avoid != Some(second) && cost(second) < cost(first)
    };
    if is_second_better {
        (second, first)
    } else {
        (first, second)
    }
}

/// A position below `count`, for walks that must begin anywhere.
#[must_use]
pub fn start_of_walk(count: u32, draw: u64) -> u32 {
    draw::up_to(draw, u64::from(count.saturating_sub(1))) as u32
}

#[cfg(test)]
mod tests;
