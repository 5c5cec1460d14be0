//! Hedging: a second attempt beside one that is slow, the loser to be reset.
//!
//! Only for safe methods, at most one extra, and only while every breaker is closed: a service in trouble needs no
//! second copy of its load. Every hedge is paid for from the budget that retries share.

use crate::Percent;
use crate::breaker::State;
use crate::budget::{Budget, Spent};
use crate::latency::RecentLatency;
use crate::method::Method;

/// When the second attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// So long after the first.
    Fixed(u64),
    /// When the first takes longer than this share of the successful attempts of the last minute.
    Share(Percent),
}

impl After {
    /// How long after the first attempt; none while too little is known of the others.
    pub fn delay_ns(self, recent: &mut RecentLatency, now_ns: u64) -> Option<u64> {
        match self {
            Self::Fixed(delay_ns) => Some(delay_ns),
            Self::Share(share) => recent.quantile_ns(share, now_ns),
        }
    }
}

/// Whether a call may be hedged at all, as far as it is known when it begins.
#[must_use]
pub const fn is_hedgeable(method: Method, has_whole_body: bool) -> bool {
    method.is_safe() && has_whole_body
}

/// Pays for a hedge that is due; none when a breaker of the service or its endpoints is not closed, or the budget
/// refuses. A breaker that an operator forced closed or disabled is not in the way.
pub fn pay(
    breakers: impl IntoIterator<Item = State>,
    budget: &mut Budget,
    now_ns: u64,
) -> Option<Spent> {
    let is_in_the_way = |state| matches!(state, State::Open | State::HalfOpen | State::ForcedOpen);
    if breakers.into_iter().any(is_in_the_way) {
        return None;
    }
    budget.spend(now_ns)
}

#[cfg(test)]
mod tests;
