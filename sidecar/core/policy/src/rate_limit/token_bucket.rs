//! Token bucket: continuous refill, starts full, admits a cost if so many tokens are there.
//!
//! **Theory of operation.** What is kept is the instant at which the bucket is full again (the theoretical
//! arrival time of GCRA), in the units of [`Flow`]: one number that needs no update while time passes.
//!
//! | event | full again |
//! |---|---|
//! | admitted | later by what the cost is worth |
//! | exempt, or refused and counted | the same, at most the time for a whole bucket from now: never in debt |
//! | charged after its answer | the same, without that bound: what was consumed has to come back first |
//! | taken back | earlier by as much |

use super::cell::{self, Cell, Charge, Demand, Shortage};
use super::rate::{Flow, Rate, narrow};

/// The figures of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    flow: Flow,
    /// What a full bucket is worth.
    capacity: u128,
}

impl Terms {
    /// Room for `burst` tokens, or where unset for the requests of a second; of a share, for at least one.
    pub(super) fn new(rate: &Rate, burst: Option<u64>) -> Self {
        const SECOND_NS: u128 = 1_000_000_000;
        let flow = rate.flow();
        let capacity = match burst {
            Some(burst) => u128::from(burst) * u128::from(rate.per_ns()),
            None => u128::from(rate.requests()) * SECOND_NS,
        };
        Self {
            flow,
            capacity: capacity.max(flow.request),
        }
    }
}

impl cell::Terms for Terms {}

/// The instant at which one bucket is full again, in halves: so a key takes 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenBucket {
    high: u64,
    low: u64,
}

impl TokenBucket {
    const fn full_at(&self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    const fn set_full_at(&mut self, units: u128) {
        (self.high, self.low) = ((units >> 64) as u64, units as u64);
    }

    const fn used(&self, terms: &Terms, now_ns: u64) -> u128 {
        self.full_at().saturating_sub(terms.flow.at(now_ns))
    }
}

impl Cell for TokenBucket {
    type Terms = Terms;

    #[inline]
    fn check(&self, terms: &Terms, demand: Demand, now_ns: u64) -> Result<u64, Shortage> {
        let cost = terms.flow.worth(demand.cost);
        if cost > terms.capacity {
            return Err(Shortage::ForEver);
        }
        match self
            .used(terms, now_ns)
            .saturating_sub(terms.capacity - cost)
        {
            0 => Ok(0),
            missing => Err(Shortage::For(terms.flow.time_for(missing))),
        }
    }

    #[inline]
    fn charge(&mut self, terms: &Terms, cost: u64, _serial: u64, now_ns: u64) -> Charge {
        let now = terms.flow.at(now_ns);
        let cost = terms.flow.worth(cost);
        self.set_full_at(self.full_at().max(now).saturating_add(cost));
        Charge::default()
    }

    fn charge_unchecked(&mut self, terms: &Terms, cost: u64, now_ns: u64) {
        let before = self.full_at();
        self.charge(terms, cost, 0, now_ns);
        let bound = terms.flow.at(now_ns).saturating_add(terms.capacity);
        self.set_full_at(self.full_at().min(bound).max(before));
    }

    fn refund(&mut self, terms: &Terms, cost: u64, _stamp: u64, _now_ns: u64) {
        self.set_full_at(self.full_at().saturating_sub(terms.flow.worth(cost)));
    }

    fn fresh_at_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        Some(terms.flow.time_for(self.full_at())).filter(|&at_ns| at_ns > now_ns)
    }

    /// As many tokens are used as before; of a smaller bucket, at most all. A debt stays.
    fn convert(&mut self, from: &Terms, to: &Terms, now_ns: u64) {
        if from == to {
            return;
        }
        let used = self.used(from, now_ns);
        let debt = used.saturating_sub(from.capacity);
        let most = to
            .capacity
            .saturating_add(from.flow.converted(debt, &to.flow));
        let used = from.flow.converted(used, &to.flow).min(most);
        self.set_full_at(to.flow.at(now_ns).saturating_add(used));
    }

    fn capacity(terms: &Terms) -> u64 {
        narrow(terms.capacity / terms.flow.request)
    }

    fn remaining(&self, terms: &Terms, now_ns: u64) -> u64 {
        narrow(terms.capacity.saturating_sub(self.used(terms, now_ns)) / terms.flow.request)
    }

    fn full_after_ns(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        Some(terms.flow.time_for(self.used(terms, now_ns)))
    }
}
