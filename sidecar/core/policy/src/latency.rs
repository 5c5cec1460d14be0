//! How long attempts took lately: percentiles of the last minute, or of another time.

use crate::Percent;
use crate::steps::{self, STEPS};
use crate::window::TenBuckets;

const MINUTE_NS: u64 = 60_000_000_000;
/// Below so many attempts percentiles mean nothing.
const ENOUGH: u32 = 20;

/// The latencies of attempts over the last minute, or another time.
#[derive(Clone, Debug)]
pub struct RecentLatency {
    window: TenBuckets<STEPS>,
}

impl Default for RecentLatency {
    fn default() -> Self {
        Self {
            window: TenBuckets::new(MINUTE_NS),
        }
    }
}

impl RecentLatency {
    /// Over another time than a minute.
    #[must_use]
    pub fn over(window_ns: u64) -> Self {
        Self {
            window: TenBuckets::new(window_ns),
        }
    }

    /// Adds an attempt.
    #[inline]
    pub fn record(&mut self, latency_ns: u64, now_ns: u64) {
        self.window.add(now_ns, steps::step_of(latency_ns));
    }

    /// The latency that half of the attempts did not exceed; none unless there are at least 20.
    pub fn p50_ns(&mut self, now_ns: u64) -> Option<u64> {
        self.quantile_ns(Percent::new(50), now_ns)
    }

    /// The latency that this share of the attempts did not exceed; none unless there are at least 20.
    pub fn quantile_ns(&mut self, share: Percent, now_ns: u64) -> Option<u64> {
        let counts = self.window.totals(now_ns);
        let count: u32 = counts.iter().sum();
        (count >= ENOUGH).then(|| steps::quantile_ns(counts, share))?
    }
}

#[cfg(test)]
mod tests;
