//! Counters over the last stretch of time, in ten buckets.
//!
//! Bucket `b` holds the instants `[b x width, (b + 1) x width)`, with `width` a tenth of the duration. The
//! window is the bucket of the newest instant and the nine before it; older buckets are forgotten whole.
//! An instant before the newest counts as the newest.

const BUCKETS: u64 = 10;

/// `N` counters over a sliding window. Constant in memory and time, exact in integers.
#[derive(Clone, Debug)]
pub(crate) struct TenBuckets<const N: usize> {
    width_ns: u64,
    newest: u64,
    buckets: [[u32; N]; BUCKETS as usize],
    totals: [u32; N],
}

impl<const N: usize> TenBuckets<N> {
    pub(crate) fn new(duration_ns: u64) -> Self {
        Self {
            width_ns: duration_ns.div_ceil(BUCKETS).max(1),
            newest: 0,
            buckets: [[0; N]; BUCKETS as usize],
            totals: [0; N],
        }
    }

    /// Adds one to a counter; returns the number of the bucket it went into.
    pub(crate) fn add(&mut self, now_ns: u64, counter: usize) -> u64 {
        self.advance(now_ns);
        self.buckets[slot(self.newest)][counter] += 1;
        self.totals[counter] += 1;
        self.newest
    }

    /// Takes one back that went into `bucket`, unless that bucket is forgotten by now.
    pub(crate) fn take_back(&mut self, bucket: u64, counter: usize) {
        let held = bucket <= self.newest && self.newest - bucket < BUCKETS;
        if held && self.buckets[slot(bucket)][counter] > 0 {
            self.buckets[slot(bucket)][counter] -= 1;
            self.totals[counter] -= 1;
        }
    }

    /// The counters over the window that ends at `now_ns`.
    pub(crate) fn totals(&mut self, now_ns: u64) -> &[u32; N] {
        self.advance(now_ns);
        &self.totals
    }

    fn advance(&mut self, now_ns: u64) {
        let bucket = now_ns / self.width_ns;
        if bucket <= self.newest {
            return;
        }
        for stale in 1..=(bucket - self.newest).min(BUCKETS) {
            let forgotten = std::mem::replace(&mut self.buckets[slot(self.newest + stale)], [0; N]);
            for (total, count) in self.totals.iter_mut().zip(forgotten) {
                *total -= count;
            }
        }
        self.newest = bucket;
    }
}

const fn slot(bucket: u64) -> usize {
    (bucket % BUCKETS) as usize
}

#[cfg(test)]
mod tests;
