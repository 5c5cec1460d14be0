//! Rates and their shares: rational numbers, never rounded before the last step.

/// `requests` per `per_ns`, in equal shares for so many members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: u64,
    per_ns: u64,
    members: u32,
}

impl Rate {
    /// `requests` per `per_ns`. Zeros count as 1; validation refuses them long before.
    #[must_use]
    pub const fn new(requests: u64, per_ns: u64) -> Self {
        Self {
            requests: at_least_one(requests),
            per_ns: at_least_one(per_ns),
            members: 1,
        }
    }

    /// The share of one of so many live `members` (`scope: Divided`); of none, the whole.
    #[must_use]
    pub const fn divided(self, members: u32) -> Self {
        Self {
            members: if members == 0 { 1 } else { members },
            ..self
        }
    }

    /// The requests of the whole.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// The time in which they may come.
    #[must_use]
    pub const fn per_ns(&self) -> u64 {
        self.per_ns
    }

    /// How many share it.
    #[must_use]
    pub const fn members(&self) -> u32 {
        self.members
    }

    /// How many requests of `per_ns` belong to one member.
    pub(super) const fn share(&self) -> Share {
        Share::new(self.requests, self.members)
    }

    pub(super) const fn flow(&self) -> Flow {
        Flow {
            requests: self.requests,
            request: self.per_ns as u128 * self.members as u128,
        }
    }
}

/// One member's exact part of a figure, never below 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    figure: u64,
    members: u32,
}

impl Share {
    /// An equal part of `figure` for one of `members`.
    #[must_use]
    pub const fn new(figure: u64, members: u32) -> Self {
        let members = if members == 0 { 1 } else { members };
        Self {
            figure: if figure < members as u64 {
                members as u64
            } else {
                figure
            },
            members,
        }
    }

    pub(super) const fn members(&self) -> u32 {
        self.members
    }

    /// Whether so many are no more than the share.
    pub(super) const fn covers(&self, count: u64) -> bool {
        count as u128 * self.members as u128 <= self.figure as u128
    }

    /// The figure of the whole.
    #[must_use]
    pub const fn figure(&self) -> u64 {
        self.figure
    }

    /// The whole part.
    pub(super) const fn whole(&self) -> u64 {
        self.figure / self.members as u64
    }
}

/// A rate in units so small that everything is an integer: a nanosecond brings `requests` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    requests: u64,
    /// What one request is worth.
    pub(super) request: u128,
}

impl Flow {
    /// The units that came until `now_ns`.
    pub(super) const fn at(&self, now_ns: u64) -> u128 {
        now_ns as u128 * self.requests as u128
    }

    /// What a cost is worth.
    pub(super) const fn worth(&self, cost: u64) -> u128 {
        if cost == 1 {
            self.request
        } else {
            self.worth_of_many(cost)
        }
    }

    #[inline(never)]
    const fn worth_of_many(&self, cost: u64) -> u128 {
        self.request.saturating_mul(cost as u128)
    }

    /// The time in which so many units come, rounded up.
    pub(super) const fn time_for(&self, units: u128) -> u64 {
        narrow(units.div_ceil(self.requests as u128))
    }

    /// As many requests as `units` of this flow stand for, in units of another one, rounded up: to a whole request
    /// where the product is beyond numbers.
    pub(super) fn converted(&self, units: u128, to: &Self) -> u128 {
        let whole = (units / self.request).saturating_mul(to.request);
        let part = (units % self.request).checked_mul(to.request);
        let part = part.map_or(to.request, |part| part.div_ceil(self.request));
        whole.saturating_add(part)
    }
}

const fn at_least_one(value: u64) -> u64 {
    if value == 0 { 1 } else { value }
}

pub(super) const fn narrow(value: u128) -> u64 {
    if value > u64::MAX as u128 {
        u64::MAX
    } else {
        value as u64
    }
}
