//! One token bucket, exact: continuous refill, starts full, never below zero.
//!
//! With `requests` per `per_ns`, a token is worth `per_ns` units and a nanosecond brings `requests` units, so
//! every level is an integer. What is kept is the instant, in units, at which the bucket is full again (the
//! theoretical arrival time of GCRA): one number that needs no update while time passes.

/// How fast tokens come and how many fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: u64,
    per_ns: u64,
    capacity_units: u128,
}

impl Rate {
    /// `requests` per `per_ns` with room for `burst` tokens; unset: the requests of a second, at least 1.
    ///
    /// Zero `requests` or `per_ns` count as 1; validation refuses them long before.
    #[must_use]
    pub fn new(requests: u64, per_ns: u64, burst: Option<u64>) -> Self {
        const SECOND_NS: u128 = 1_000_000_000;
        let (requests, per_ns) = (requests.max(1), per_ns.max(1));
        let token = u128::from(per_ns);
        let capacity_units = match burst {
            Some(burst) => u128::from(burst.max(1)) * token,
            None => token.max(u128::from(requests) * SECOND_NS),
        };
        Self {
            requests,
            per_ns,
            capacity_units,
        }
    }

    /// Tokens that fit, whole ones.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        narrow(self.capacity_units / self.per_ns as u128)
    }

    /// The requests of the rate.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// The time of the rate.
    #[must_use]
    pub const fn per_ns(&self) -> u64 {
        self.per_ns
    }

    const fn units_at(&self, now_ns: u64) -> u128 {
        now_ns as u128 * self.requests as u128
    }

    const fn units_of(&self, tokens: u64) -> u128 {
        tokens as u128 * self.per_ns as u128
    }

    /// The time in which so many units come, rounded up.
    const fn time_for(&self, units: u128) -> u64 {
        narrow(units.div_ceil(self.requests as u128))
    }
}

/// When tokens that are missing will be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// After so long, if nobody else comes.
    For(u64),
    /// Never: the cost is above the capacity.
    ForEver,
}

/// The state of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The instant at which the bucket is full again, in units.
    full_at: u128,
}

impl Bucket {
    /// Whether `cost` tokens are there, without taking them.
    #[inline]
    pub fn check(&self, rate: &Rate, cost: u64, now_ns: u64) -> Result<(), Shortage> {
        let cost_units = rate.units_of(cost);
        if cost_units > rate.capacity_units {
            return Err(Shortage::ForEver);
        }
        let missing =
            (self.used_units(rate, now_ns) + cost_units).saturating_sub(rate.capacity_units);
        if missing == 0 {
            Ok(())
        } else {
            Err(Shortage::For(rate.time_for(missing)))
        }
    }

    /// Takes `cost` tokens, or what there is of them.
    #[inline]
    pub fn charge(&mut self, rate: &Rate, cost: u64, now_ns: u64) {
        let used = self.used_units(rate, now_ns) + rate.units_of(cost);
        self.full_at = rate.units_at(now_ns) + used.min(rate.capacity_units);
    }

    /// Whole tokens that are there.
    #[must_use]
    pub fn remaining(&self, rate: &Rate, now_ns: u64) -> u64 {
        narrow((rate.capacity_units - self.used_units(rate, now_ns)) / u128::from(rate.per_ns))
    }

    /// The time until there is one whole token more; zero when full.
    #[must_use]
    pub fn next_token_ns(&self, rate: &Rate, now_ns: u64) -> u64 {
        let used = self.used_units(rate, now_ns);
        let missing = (rate.capacity_units - used) % u128::from(rate.per_ns);
        rate.time_for(used.min(u128::from(rate.per_ns) - missing))
    }

    /// The time until it is full.
    #[must_use]
    pub fn refill_ns(&self, rate: &Rate, now_ns: u64) -> u64 {
        rate.time_for(self.used_units(rate, now_ns))
    }

    /// The first instant at which it is full.
    #[must_use]
    pub fn full_at_ns(&self, rate: &Rate) -> u64 {
        rate.time_for(self.full_at)
    }

    /// The same bucket under another rate, with as many tokens used; of a smaller one, at most all.
    #[must_use]
    pub fn converted(&self, from: &Rate, to: &Rate, now_ns: u64) -> Self {
        let used = self.used_units(from, now_ns);
        let token = u128::from(from.per_ns);
        let whole = (used / token).saturating_mul(u128::from(to.per_ns));
        let part = (used % token * u128::from(to.per_ns)).div_ceil(token);
        let used = whole.saturating_add(part).min(to.capacity_units);
        Self {
            full_at: to.units_at(now_ns) + used,
        }
    }

    fn used_units(&self, rate: &Rate, now_ns: u64) -> u128 {
        self.full_at
            .saturating_sub(rate.units_at(now_ns))
            .min(rate.capacity_units)
    }
}

const fn narrow(value: u128) -> u64 {
    if value > u64::MAX as u128 {
        u64::MAX
    } else {
        value as u64
    }
}
