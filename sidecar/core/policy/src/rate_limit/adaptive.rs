//! Adaptive limits: the figure of a limit follows what is measured, within bounds.
//!
//! Additive increase, multiplicative decrease, every five seconds: as long as what is measured stays within its
//! target the limit grows by a twentieth of the distance between its bounds, at least by 1; beyond the target it
//! shrinks by a quarter, at least by 1. Without a measurement it stays.
//!
//! | measured | the limit |
//! |---|---|
//! | nothing | stays |
//! | at most the target | grows, up to the upper bound |
//! | more than the target | shrinks, down to the lower bound |

/// How often the limit moves.
pub const INTERVAL_NS: u64 = 5_000_000_000;

/// The settings of an adaptive limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The lower bound, at least 1.
    pub min: u64,
    /// The upper bound.
    pub max: u64,
    /// The most that may be measured: nanoseconds of a p99, or millionths of a share.
    pub target: u64,
}

/// The mean of what was seen since the limit moved last, of measurements that are of an instant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    /// Adds what was seen.
    pub const fn add(&mut self, seen: u64) {
        self.sum = self.sum.saturating_add(seen);
        self.count += 1;
    }

    /// The mean, rounded down, and begins anew; none when nothing was seen.
    pub fn take(&mut self) -> Option<u64> {
        let Self { sum, count } = std::mem::take(self);
        sum.checked_div(count)
    }
}

/// One limit that moves.
#[derive(Clone, Copy, Debug)]
pub struct Adaptive {
    params: Params,
    limit: u64,
    moved_ns: u64,
}

impl Adaptive {
    /// Starts at the figure that people wrote.
    #[must_use]
    pub const fn new(params: Params, start: u64, now_ns: u64) -> Self {
        Self {
            limit: within(&params, start),
            params,
            moved_ns: now_ns,
        }
    }

    /// Whether the limit is due to move: measure now, and call [`Adaptive::adapt`].
    #[must_use]
    pub const fn is_due(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.moved_ns) >= INTERVAL_NS
    }

    /// Moves the limit by what was measured since it moved last; returns it.
    pub const fn adapt(&mut self, measured: Option<u64>, now_ns: u64) -> u64 {
        self.moved_ns = now_ns;
        self.limit = match measured {
            None => self.limit,
            Some(measured) if measured > self.params.target => self.shrunk(),
            Some(_) => self.grown(),
        };
        self.limit
    }

    const fn grown(&self) -> u64 {
        let step = self.params.max.saturating_sub(self.params.min) / 20;
        let step = if step == 0 { 1 } else { step };
        within(&self.params, self.limit.saturating_add(step))
    }

    const fn shrunk(&self) -> u64 {
        within(&self.params, self.limit - self.limit.div_ceil(4))
    }

    /// Takes other bounds and another target; the limit stays where it is, within the bounds.
    pub const fn reconfigure(&mut self, params: Params) {
        self.limit = within(&params, self.limit);
        self.params = params;
    }

    /// The limit now.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }
}

const fn within(params: &Params, limit: u64) -> u64 {
    let limit = if limit > params.max {
        params.max
    } else {
        limit
    };
    let limit = if limit < params.min {
        params.min
    } else {
        limit
    };
    if limit == 0 { 1 } else { limit }
}

#[cfg(test)]
mod tests;
