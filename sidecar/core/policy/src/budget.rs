//! The retry budget: what caps retries and hedges across calls, per caller's sidecar and service.
//!
//! Over the last `interval`, in ten buckets, a retry is admitted iff
//! `percent/100 x requests + floor x interval - retries >= 1`. Everything is an exact integer: a request
//! deposits `percent`, a retry costs one whole, and the floor is a rational number of retries per time.

use crate::percent::WHOLE;
use crate::window::TenBuckets;
use crate::{Percent, reason::Reason};

const REQUESTS: usize = 0;
const RETRIES: usize = 1;

/// So many per so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how long, at least 1.
    pub per_ns: u64,
}

/// The settings of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Retries admitted for the requests of the interval.
    pub percent: Percent,
    /// What the budget looks back on.
    pub interval_ns: u64,
    /// This sidecar's share of what the whole fleet may always retry.
    pub floor: Rate,
}

/// A retry paid for. Hand it to [`Budget::refund`] when the attempt was not made after all.
#[derive(Debug, PartialEq, Eq)]
pub struct Spent {
    bucket: u64,
}

/// One budget.
#[derive(Clone, Debug)]
pub struct Budget {
    params: Params,
    window: TenBuckets<2>,
}

impl Budget {
    /// What a refused retry is called.
    pub const REASON: Reason = Reason::RetryBudget;

    /// A budget that has seen nothing.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            window: TenBuckets::new(params.interval_ns),
            params,
        }
    }

    /// Deposits for one request; its retries are not requests.
    #[inline]
    pub fn deposit(&mut self, now_ns: u64) {
        self.window.add(now_ns, REQUESTS);
    }

    /// Pays for one retry, if the budget has it.
    pub fn spend(&mut self, now_ns: u64) -> Option<Spent> {
        let is_covered = self.available(now_ns) >= 1;
        is_covered.then(|| Spent {
            bucket: self.window.add(now_ns, RETRIES),
        })
    }

    /// Gives back a retry that a later stage refused.
    pub fn refund(&mut self, spent: Spent) {
        self.window.take_back(spent.bucket, RETRIES);
    }

    /// Whole retries that would be admitted at `now_ns`.
    pub fn available(&mut self, now_ns: u64) -> u64 {
        let [requests, retries] = *self.window.totals(now_ns);
        let per_ns = i128::from(self.params.floor.per_ns.max(1));
        let whole = i128::from(WHOLE);
        let earned = i128::from(self.params.percent.millionths()) * i128::from(requests);
        let floor = i128::from(self.params.floor.count) * i128::from(self.params.interval_ns);
        let balance = (earned - whole * i128::from(retries)) * per_ns + whole.saturating_mul(floor);
        u64::try_from(balance.max(0) / (whole * per_ns)).unwrap_or(u64::MAX)
    }

    /// Takes new settings; what was deposited and spent is kept, unless the interval changes.
    pub fn reconfigure(&mut self, params: Params) {
        if params.interval_ns != self.params.interval_ns {
            self.window = TenBuckets::new(params.interval_ns);
        }
        self.params = params;
    }
}

#[cfg(test)]
mod tests;
