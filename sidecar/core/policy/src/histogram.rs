//! A histogram of latencies over fixed bounds, the same in every sidecar, so that they add up.

use crate::Percent;

/// The upper bounds of the buckets, inclusive; one more bucket holds what is longer.
pub const BOUNDS_NS: [u64; 17] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// How many buckets there are.
pub const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// Counts per bucket and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    sum_ns: u64,
}

impl Histogram {
    /// Adds one latency.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.counts[BOUNDS_NS.partition_point(|&bound_ns| bound_ns < latency_ns)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
    }

    /// Adds everything of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// Counts per bucket, not cumulative.
    #[must_use]
    pub const fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// How many latencies there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// An estimate of the latency that this share does not exceed, evenly spread within its bucket.
    ///
    /// None when empty; at most the last bound.
    #[must_use]
    pub fn quantile_ns(&self, share: Percent) -> Option<u64> {
        let rank = share.rank(self.count())?;
        let mut below = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if below + count >= rank {
                return Some(within(bucket, rank - below, count));
            }
            below += count;
        }
        None
    }
}

/// The `rank`th of `count` latencies spread evenly over a bucket, the last one at its bound.
fn within(bucket: usize, rank: u64, count: u64) -> u64 {
    let low_ns = bucket.checked_sub(1).map_or(0, |before| BOUNDS_NS[before]);
    let high_ns = BOUNDS_NS.get(bucket).copied().unwrap_or(low_ns);
    low_ns + (u128::from(high_ns - low_ns) * u128::from(rank) / u128::from(count)) as u64
}

#[cfg(test)]
mod tests;
